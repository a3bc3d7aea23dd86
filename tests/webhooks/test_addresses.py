"""Webhooks call nothing private: not by address, not by name, not by redirect."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from app.config import Settings
from app.errors import WebhookUrlRefused
from app.webhooks.addresses import GuardedBackend, Reach
from app.webhooks.sending import open_sender
from tests.api.running import problem_of
from tests.service import Client
from tests.webhooks.receiver import Receiver, answer

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.127.255.255", "224.0.0.1", "239.255.255.255", "255.255.255.255", "240.0.0.1", "192.0.0.8",
    "198.18.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "fec0::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:db8::1", "100::1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_out_of_reach(address: str) -> None:
    """No network but the public internet is called, also where IPv6 wraps IPv4."""
    assert not Reach().allows(ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(WebhookUrlRefused, match="private network"):
        Reach().check(f"https://{host}/")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_in_reach(address: str) -> None:
    """What is on the public internet can be called."""
    assert Reach().allows(ip_address(address))
    host = f"[{address}]" if ":" in address else address
    assert Reach().check(f"https://{host}:8443/path") == address


def test_a_setting_opens_networks() -> None:
    """What is allowed is in reach, and nothing beside it."""
    reach = Reach.of("10.0.0.0/8, fd00::/8", http=True)
    assert [reach.allows(ip_address(each)) for each in ("10.1.2.3", "::ffff:10.1.2.3", "fd12::1")] == [True] * 3
    assert [reach.allows(ip_address(each)) for each in ("127.0.0.1", "192.168.1.1", "fe80::1")] == [False] * 3
    assert reach.check("http://internal.local/") == "internal.local"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "https://", "https:///path", "example.org", "javascript:alert(1)",
        "https://user:password@example.org/", "https://localhost/", "https://LOCALHOST./", "https://a.localhost/",
        "https://metadata.google.internal/", "https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://0/",
        "https://017700000001/", "https://[::1/", "https://example.org:99999/", "https://exa mple.org/",
        "https://example.org/\r\nX-Injected: 1", "https://ex\u00e4mple.org/", "https://[fe80::1%25eth0]/",
        "https://" + "a" * 2000 + ".org/",
    ],
)  # fmt: skip
async def test_urls_that_may_not_be_called_are_refused_at_once(client: Client, url: str) -> None:
    """Whoever registers one is told why, and nothing is kept."""
    answered = await client.post("/v1/webhooks", json={"url": url})
    assert answered.status_code == 422, answered.text
    assert answered.json()["code"] in {"webhook_url_refused", "request_invalid"}
    assert (await client.get("/v1/webhooks")).json()["items"] == []


async def test_a_changed_url_is_checked_as_well(client: Client) -> None:
    """A webhook can't be turned inwards later."""
    made = (await client.post("/v1/webhooks", json={"url": "https://example.org/"})).json()
    changed = await client.patch(f"/v1/webhooks/{made['id']}", json={"url": "https://169.254.169.254/latest"})
    problem_of(changed, 422, "webhook_url_refused")


class Names(GuardedBackend):
    """The guard with names of its own: each look at a name gives the next of its answers."""

    def __init__(self, reach: Reach, answers: Sequence[Sequence[str]]) -> None:
        super().__init__(reach)
        self.answers, self.asked = list(answers), 0

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of the name, whatever it is."""
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["fe80::1%lo"]])
async def test_a_name_that_leads_inwards_is_not_called(receiver: Receiver, addresses: list[str]) -> None:
    """What a name resolves to decides, and one private address among public ones is enough: nothing is connected to."""
    backend = Names(Reach(http=True), [addresses])
    async with open_sender(Reach(http=True), timeout_seconds=3, at_once=2, backend=backend) as sender:
        result = await sender.send(receiver.url.replace("127.0.0.1", "rebinding.example"), "{}", {})
    assert (result.status, result.is_hopeless, result.error) == (None, True, "The name leads into a private network.")
    assert receiver.received == []


async def test_the_address_that_was_checked_is_the_one_that_is_called(receiver: Receiver) -> None:
    """A name that changes its mind after the check gains nothing: it is asked once for each connection."""
    reach = Reach.of("127.0.0.1/32", http=True)
    backend = Names(reach, [["127.0.0.1"], ["127.0.0.2"]])
    async with open_sender(reach, timeout_seconds=3, at_once=2, backend=backend) as sender:
        url = receiver.url.replace("127.0.0.1", "rebinding.example")
        first, second = await sender.send(url, "{}", {}), await sender.send(url, "{}", {})
    assert (first.status, backend.asked) == (204, 2)
    assert (second.status, second.is_hopeless) == (None, True)
    assert len(receiver.received) == 1


async def test_a_name_of_this_machine_is_not_called() -> None:
    """A real name that resolves to a private address is refused by the real resolver's answer."""
    async with open_sender(Reach(http=True), timeout_seconds=3, at_once=2) as sender:
        result = await sender.send("http://ip6-localhost:1/", "{}", {})
    assert result.status is None
    assert result.error in {
        "The name leads into a private network.",
        "The connection failed: The name can't be resolved.",
    }


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    """An endpoint that sends the caller elsewhere has failed: nothing is called but what was given."""
    receiver.answers = [answer(307, location=receiver.url + "/inside"), answer(204)]
    reach = Reach.of("127.0.0.0/8", http=True)
    async with open_sender(reach, timeout_seconds=3, at_once=2) as sender:
        result = await sender.send(receiver.url, "{}", {})
    assert (result.status, result.arrived) == (307, False)
    assert [each.path for each in receiver.received] == ["/hook"]


async def test_an_endless_answer_is_cut_off() -> None:
    """An endpoint that never ends its answer costs a kilobyte, and one that says nothing costs the time there is."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            writer.close()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    reach = Reach.of("127.0.0.0/8", http=True)
    for handle, status in ((endless, 200), (silent, None)):
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with open_sender(reach, timeout_seconds=0.5, at_once=2) as sender:
            result = await sender.send(url, "{}", {})
        server.close()
        assert (result.status, len(result.answer)) == (status, 1024 if status else 0)


def test_a_network_that_is_none_stops_the_start() -> None:
    """A setting that can't be read is said at the start, not at the first call."""
    with pytest.raises(ValueError, match="does not appear to be"):
        Settings(_env_file=None, webhook_allowed_networks="10.0.0.0/8,junk")

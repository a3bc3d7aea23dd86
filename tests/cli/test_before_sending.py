"""What is looked at before the first byte is sent: the server's own pre-flight, the options, and each file."""

import asyncio
import json
from pathlib import Path

import pytest

from app.config import Settings
from app.queue import QueueName
from tests.cli.calling import command_on
from tests.cli.conftest import Command
from tests.cli.forks import Forks
from tests.documents import letter
from tests.service import Client
from workers.main import serving


@pytest.fixture
async def here(quick: Settings, address: str, tmp_path: Path, forks: Forks) -> Command:
    """The command in an empty folder, with a key to an API that no worker serves."""
    return await command_on(quick, address, tmp_path, forks)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two documents, and a file that is empty."""
    folder = tmp_path / "filings"
    folder.mkdir()
    (folder / "one.pdf").write_bytes(letter("One"))
    (folder / "two.pdf").write_bytes(letter("Two"))
    (folder / "void.pdf").touch()
    return folder


def journals(place: Path) -> list[Path]:
    """What submissions have left beside a folder."""
    return list(place.parent.glob(".*quire-journal"))


async def test_a_queue_that_only_the_server_knows_of_refuses_a_batch(
    quick: Settings, here: Command, folder: Path, client: Client
) -> None:
    """Nobody serves `entity`: the caller is told before a file is sent, and nothing is left to go on from."""
    async with serving(quick, [queue for queue in QueueName if queue is not QueueName.ENTITY]):
        refused = await asyncio.to_thread(here, "batch", "submit", folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "quire worker --queues entity`" in refused.stderr
    assert "[no_workers]" in refused.stderr
    assert "--preflight warn" in refused.stderr
    assert journals(folder) == []
    assert (await client.get("/v1/batches")).json()["items"] == []
    alerts = (await client.get("/v1/alerts")).json()["items"]
    assert [alert["subject"] for alert in alerts] == ["entity"]


async def test_options_are_checked_before_a_file_is_sent(here: Command, folder: Path, client: Client) -> None:
    """By the server, which knows them; what is no JSON object is refused here."""
    for command in (("batch", "submit", folder), ("submit", folder / "one.pdf")):
        for options, said in (('{"bogus": 1}', "/body/options/bogus"), ("[1]", "--options must be a JSON object")):
            refused = await asyncio.to_thread(here, *command, "--options", options)
            assert (refused.returncode, refused.stdout) == (2, ""), refused.stderr
            assert said in refused.stderr
    assert journals(folder) == []
    assert (await client.get("/v1/documents")).json()["items"] == []


async def test_who_submits_one_by_one_hears_what_they_wait_for(here: Command, folder: Path, client: Client) -> None:
    """The document is taken, as it is without a batch; queues of batches are not spoken of, and nobody is alerted yet."""
    taken = await asyncio.to_thread(here, "submit", folder / "one.pdf")
    assert taken.returncode == 0, taken.stderr
    assert "No live worker serves ocr," in taken.stderr
    assert "batch." not in taken.stderr
    assert (await client.get("/v1/alerts")).json()["items"] == []


async def test_a_file_that_cannot_be_sent_keeps_no_other_back(here: Command, folder: Path, client: Client) -> None:
    """It is reported by name, in a folder as in a manifest; the exit code says that not all is well."""
    sent = await asyncio.to_thread(here, "batch", "submit", folder, "--preflight", "warn")
    assert sent.returncode == 1
    assert f"{folder / 'void.pdf'}: The file has no bytes. [document_empty]" in sent.stderr
    assert "2 documents, 0 of them refused; 1 were not sent" in sent.stdout
    manifest = folder / "manifest.csv"
    manifest.write_text("path\none.pdf\nnowhere.pdf\n\nvoid.pdf\n.\n")
    sent = await asyncio.to_thread(here, "batch", "submit", manifest, "--preflight", "warn", "--json")
    said = json.loads(sent.stdout)
    assert (sent.returncode, said["batch"]["item_count"]) == (1, 1)
    assert [(Path(each["document"]).name, each["code"]) for each in said["refused"]] == [
        ("nowhere.pdf", "file_not_found"), ("void.pdf", "document_empty"), ("filings", "file_unreadable"),
    ]  # fmt: skip
    assert len((await client.get("/v1/batches")).json()["items"]) == 2
    assert journals(folder) == journals(manifest) == []


async def test_where_no_file_can_be_sent_no_batch_is_made(here: Command, folder: Path, client: Client) -> None:
    for name in ("one.pdf", "two.pdf"):
        (folder / name).write_bytes(b"")
    refused = await asyncio.to_thread(here, "batch", "submit", folder, "--preflight", "warn", "--json")
    assert refused.returncode == 1
    said = json.loads(refused.stdout)
    assert (said["batch"], len(said["refused"])) == (None, 3)
    assert (await client.get("/v1/batches")).json()["items"] == []


async def test_a_file_that_the_server_does_not_take_keeps_no_other_back(
    quick: Settings, here: Command, folder: Path, client: Client
) -> None:
    """Here one that is larger than any document may be: its upload is refused before it is sent."""
    with (folder / "two.pdf").open("wb") as file:
        file.truncate(quick.max_document_bytes + 1)
    sent = await asyncio.to_thread(here, "batch", "submit", folder, "--preflight", "warn", "--json")
    assert sent.returncode == 1, sent.stderr
    said = json.loads(sent.stdout)
    assert {(Path(each["document"]).name, each["code"]) for each in said["refused"]} == {
        ("two.pdf", "document_too_large"), ("void.pdf", "document_empty"),
    }  # fmt: skip
    assert said["batch"]["item_count"] == 1


async def test_a_folder_is_not_submitted_as_a_document(here: Command, folder: Path) -> None:
    refused = await asyncio.to_thread(here, "submit", folder)
    assert (refused.returncode, refused.stderr) == (2, f"{folder} is a folder; use `quire batch submit {folder}`.\n")

"""Clients of event streams in a process of their own: `python -m benchmarks.stream_clients HOST PORT KEY SECONDS`.

Reads the paths of the streams from standard input, one a line; says `ready` when each has had its snapshot, and after so many
seconds how late the events came, as JSON.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field

CONNECTING_AT_ONCE = 50
SENT = b'"sent":'


@dataclass(slots=True)
class Heard:
    """What all clients have heard."""

    late: list[float] = field(default_factory=list)
    snapshots: int = 0
    lost: int = 0


class Stream(asyncio.Protocol):
    """One client: looks for the moments at which events say that they were sent."""

    __slots__ = ("begun", "heard", "opened", "request", "rest")

    def __init__(self, heard: Heard, request: bytes) -> None:
        self.heard, self.request, self.begun, self.rest = heard, request, False, b""
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self.request)  # type: ignore[attr-defined]  # asyncio's own typing of protocols

    def data_received(self, data: bytes) -> None:
        now = time.time()
        data = self.rest + data
        if not self.begun and b"event: snapshot" in data:
            self.begun = True
            self.heard.snapshots += 1
            self.opened.set_result(None)
        *whole, self.rest = data.split(b"\n\n")
        self.rest = self.rest[-4096:]
        for event in whole:
            place = event.find(SENT)
            if place >= 0:
                said = event[place + len(SENT) :].partition(b"}")[0].partition(b",")[0]
                self.heard.late.append(now - float(said))

    def connection_lost(self, exc: Exception | None) -> None:
        self.heard.lost += 1
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError("closed before the snapshot"))


async def main(host: str, port: int, key: str, seconds: float) -> None:
    """Open all streams, listen, and say what was heard."""
    heard, loop = Heard(), asyncio.get_running_loop()
    gate = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def open_one(path: str) -> None:
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        async with gate:
            _, protocol = await loop.create_connection(lambda: Stream(heard, request), host, port)
            await protocol.opened

    await asyncio.gather(*(open_one(line.strip()) for line in sys.stdin))
    print("ready", flush=True)
    await asyncio.sleep(seconds)
    print(json.dumps({"late": sorted(heard.late), "snapshots": heard.snapshots, "lost": heard.lost}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])))

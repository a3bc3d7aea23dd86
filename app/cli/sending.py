"""Files straight to the object storage, part by part, at the addresses that the server gives out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from app.cli.connection import AWAY, CommandError, Server, patiently
from app.cli.journal import Journal, SentFile, size_of

PARTS_AT_ONCE = 4
PIECE_BYTES = 256 * 1024
TRIES = 5
"""How often a part is sent before the storage counts as away."""

STORE_TIMEOUT = httpx.Timeout(30.0, write=120.0, read=120.0)

Moved = Callable[[int], None]


class _SendAgain(Exception):
    """A part didn't arrive, and may the next time."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends files for one submission."""

    server: Server
    store: httpx.AsyncClient
    """No key of ours goes to the storage: the addresses are signed."""
    journal: Journal
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PARTS_AT_ONCE))

    async def send(self, path: Path, moved: Moved) -> str:
        """Have a file in the storage, what was sent before not sent again; returns the upload's id."""
        sent = self.journal.known(path)
        page = await self._resume(sent) if sent is not None else None
        if sent is None or page is None:
            sent, page = await self._begin(path)
        if page is ALL_THERE:
            moved(sent.size_bytes)
            return sent.upload_id
        await self._send_parts(path, sent, page, moved)
        self.journal.whole(sent)
        return sent.upload_id

    async def _begin(self, path: Path) -> tuple[SentFile, Mapping[str, Any]]:
        announced = {"filename": path.name, "size_bytes": size_of(path)}
        begun = await patiently(lambda: self.server.post("/v1/uploads", announced))
        return self.journal.begun(path, begun["id"]), begun["parts"]

    async def _resume(self, sent: SentFile) -> Mapping[str, Any] | None:
        """What is to be sent of an upload that was begun before; None where it is to be begun anew."""
        try:
            upload = await patiently(lambda: self.server.get(f"/v1/uploads/{sent.upload_id}"))
        except CommandError as error:
            if error.code == "upload_not_found":
                return None
            raise
        if upload["state"] in {"completed", "completing", "refused"} or (upload["state"] == "open" and sent.is_whole):
            return ALL_THERE
        return await self._parts(sent.upload_id, 1) if upload["state"] == "open" else None

    async def _parts(self, upload_id: str, first: int) -> Mapping[str, Any]:
        path = f"/v1/uploads/{upload_id}/parts"
        page: Mapping[str, Any] = await patiently(lambda: self.server.get(path, **{"from": first}))
        return page

    async def _send_parts(self, path: Path, sent: SentFile, page: Mapping[str, Any], moved: Moved) -> None:
        usual = page["items"][0]["size_bytes"]
        while True:
            async with asyncio.TaskGroup() as group:
                for part in page["items"]:
                    if part["etag"] is None:
                        offset = (part["number"] - 1) * usual
                        group.create_task(self._send_part(path, sent, part, offset, moved))
                    else:
                        moved(part["size_bytes"])
            if page["next"] is None:
                return
            page = await self._parts(sent.upload_id, page["next"])

    async def _send_part(self, path: Path, sent: SentFile, part: Mapping[str, Any], offset: int, moved: Moved) -> None:
        async with self.turns:
            url, size = part["url"], part["size_bytes"]
            for left in reversed(range(TRIES)):
                if self.journal.known(path) is not sent:
                    raise CommandError(f"{path} was changed while it was sent; submit it again.")
                moving = _Moving(moved)
                try:
                    await self._put(url, _piece(path, offset, size, moving.told), size)
                except (_SendAgain, httpx.TransportError) as error:
                    moving.undo()
                    if not left:
                        raise CommandError(
                            f"The object storage at {urlsplit(url).netloc} doesn't take {path} ({error or type(error).__name__}). "
                            "Call the same again to go on from here.",
                            AWAY,
                        ) from error
                else:
                    return
                await asyncio.sleep(2.0 ** (TRIES - 1 - left) / 2)
                url = (await self._parts(sent.upload_id, part["number"]))["items"][0]["url"]  # the old one may be over

    async def _put(self, url: str, content: AsyncIterator[bytes], size: int) -> None:
        answer = await self.store.put(url, content=content, headers={"Content-Length": str(size)})
        if answer.is_success:
            return
        if answer.status_code == httpx.codes.FORBIDDEN or answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise _SendAgain(f"it answers {answer.status_code}")
        raise CommandError(f"The object storage at {answer.url.host} refuses the upload: {answer.status_code}.")


ALL_THERE: Mapping[str, Any] = {"items": (), "next": None}


@dataclass(slots=True)
class _Moving:
    """Counts what a try has sent, so that it can be taken back."""

    moved: Moved
    count: int = 0

    def told(self, count: int) -> None:
        self.count += count
        self.moved(count)

    def undo(self) -> None:
        self.moved(-self.count)


async def _piece(path: Path, offset: int, size: int, moved: Moved) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while size and (piece := await asyncio.to_thread(file.read, min(PIECE_BYTES, size))):
            yield piece
            size -= len(piece)
            moved(len(piece))

"""A batch that nobody would take up: the caller is told at once, before a byte is sent."""

import asyncio
from pathlib import Path

from app.config import Settings
from tests.cli.conftest import Command, environment_of
from tests.cli.forks import Forks
from tests.documents import letter
from tests.service import client_of, make_key


async def test_without_workers_nothing_is_sent_unless_that_is_wanted(
    quick: Settings, address: str, tmp_path: Path, forks: Forks
) -> None:
    key, folder = await make_key(quick), tmp_path / "urgent"
    folder.mkdir()
    (folder / "one.pdf").write_bytes(letter("Urgent"))
    command = Command(tmp_path, {**environment_of(quick), "QUIRE_URL": address, "QUIRE_API_KEY": key}, forks)
    refused = await asyncio.to_thread(command, "batch", "submit", folder, "--priority", "high")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "quire worker --queues batch.high,ocr" in refused.stderr
    assert journals(tmp_path) == []
    async with client_of(address, key) as client:
        assert (await client.get("/v1/batches")).json()["items"] == []
        taken = await asyncio.to_thread(command, "batch", "submit", folder, "--priority", "high", "--preflight", "warn")
        assert (taken.returncode, "[no_workers]" in taken.stderr) == (0, True)
        assert len((await client.get("/v1/batches")).json()["items"]) == 1


def journals(folder: Path) -> list[Path]:
    """What submissions have left in a folder."""
    return list(folder.glob(".*quire-journal"))

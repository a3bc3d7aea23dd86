"""The command on a server of one test's own, which no worker serves unless the test starts one."""

from pathlib import Path

from app.config import Settings
from tests.cli.conftest import Command, environment_of
from tests.cli.forks import Forks
from tests.service import make_key


async def command_on(settings: Settings, address: str, folder: Path, forks: Forks) -> Command:
    """The command, called from a folder, with a fresh key to an API."""
    key = await make_key(settings)
    return Command(folder, {**environment_of(settings), "QUIRE_URL": address, "QUIRE_API_KEY": key}, forks)

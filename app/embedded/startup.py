"""The order in which a stack starts: servers, then what has to be made in them, then what uses them."""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from app.config import Settings
from app.embedded import orphans
from app.embedded.banner import local_url
from app.embedded.data_dir import DataDir
from app.embedded.environment import Environment, child_environment, stack_environment, textract_environment
from app.embedded.errors import StackError
from app.embedded.parts import QUIRE, Part
from app.embedded.ports import assign_ports, is_free
from app.embedded.postgres import database_url, ensure_database, initialise, postgres_child
from app.embedded.probes import Probe, http_answers
from app.embedded.process import ChildSpec
from app.embedded.seaweedfs import PORT_NAMES as S3_PORTS
from app.embedded.seaweedfs import seaweedfs_child
from app.embedded.secrets_file import Secrets, load_secrets
from app.embedded.supervisor import Say, Supervisor, together
from app.embedded.valkey import valkey_child

# What is stopped first uses what is stopped later.
QUIRE_RANK = 2
TEXTRACT_RANK = 1

LAST_PORT = 65_535


async def start_stack(
    settings: Settings,
    data_dir: DataDir,
    parts: frozenset[Part],
    supervisor: Supervisor,
    *,
    durable: bool,
    say: Say,
    claims: ExitStack,
) -> Environment:
    """Start all parts, and return the settings that lead to them; their ports are theirs until `claims` are closed."""
    if ended := orphans.end_orphans(data_dir.processes):
        say(f"Ended what an earlier run had left running: {', '.join(ended)}.")
    if Part.API in parts:
        _require_free_port(settings)
    say(f"Starting {', '.join(part for part in Part if part in parts)}, with data in {data_dir.root} ...")
    names = ("postgres", "valkey", *S3_PORTS, "textract")
    ports = assign_ports(data_dir.ports, names, with_grpc=frozenset(S3_PORTS), claims=claims)
    secrets = load_secrets(data_dir.secrets)
    stack = stack_environment(settings, data_dir, secrets, ports, parts)
    environment = child_environment(stack, parts)
    servers = [supervisor.start(_servers(data_dir, parts, ports, secrets, stack, durable=durable))]
    if Part.POSTGRES in parts:
        servers.append(_start_postgres(supervisor, data_dir, ports["postgres"], secrets, durable=durable))
    await together(servers)
    # The Textract server needs nothing of what is made for Quire meanwhile.
    textract = textract_environment(stack, data_dir, ports["textract"])
    await together(
        [_prepare(supervisor, environment, parts), supervisor.start(_readers(parts, {**environment, **textract}))]
    )
    await supervisor.start(_quire_children(settings, parts, environment))
    return stack


def _require_free_port(settings: Settings) -> None:
    host, port = settings.quire_host, settings.quire_port
    if not is_free(host, port):
        raise StackError(
            f"Port {port} on {host} is taken, or may not be used.\n"
            f"Choose another one, for example: QUIRE_PORT={port + 1 if port < LAST_PORT else port - 1} make run"
        )


def _servers(
    data_dir: DataDir,
    parts: frozenset[Part],
    ports: Mapping[str, int],
    secrets: Secrets,
    stack: Environment,
    *,
    durable: bool,
) -> Iterator[ChildSpec]:
    if Part.VALKEY in parts:
        yield valkey_child(
            data_dir.part("valkey"), port=ports["valkey"], password=secrets.redis_password, durable=durable
        )
    if Part.S3 in parts:
        yield seaweedfs_child(data_dir.part("seaweedfs"), ports=ports, stack=stack)


async def _start_postgres(
    supervisor: Supervisor, data_dir: DataDir, port: int, secrets: Secrets, *, durable: bool
) -> None:
    data, password = data_dir.part("postgres"), secrets.database_password
    await initialise(data, data_dir.logs / "postgres.log", password=password, durable=durable)
    await supervisor.start([postgres_child(data, port=port, password=password, durable=durable)])
    await ensure_database(database_url(port, password, "postgres"))


async def _prepare(supervisor: Supervisor, environment: Environment, parts: frozenset[Part]) -> None:
    """Make what Quire expects to find: the tables, the bucket, the first API key."""
    if parts & QUIRE:
        await supervisor.run_once("setup", _module("app.setup", "tables", "bucket", "key"), environment)


def _readers(parts: frozenset[Part], environment: Environment) -> Iterator[ChildSpec]:
    if Part.TEXTRACT in parts:
        yield ChildSpec(
            name="quire-textract",
            argv=_module("app.textract_server.main"),
            env=environment,
            probe=http_answers(f"{environment['LOCAL_TEXTRACT_ENDPOINT_URL']}/health"),
            stop_rank=TEXTRACT_RANK,
        )


def _quire_children(settings: Settings, parts: frozenset[Part], environment: Environment) -> Iterator[ChildSpec]:
    if Part.API in parts:
        serve = _module("app.serve", "--host", settings.quire_host, "--port", str(settings.quire_port))
        yield _quire_child("api", serve, environment, http_answers(f"{local_url(settings)}/health/live"))
    if Part.WORKER in parts:
        yield _quire_child("worker", _module("workers"), environment, _nothing_to_ask)


def _quire_child(name: str, argv: tuple[str, ...], environment: Environment, probe: Probe) -> ChildSpec:
    return ChildSpec(
        name=name,
        argv=argv,
        env=environment,
        probe=probe,
        # Work that is cut off is taken up again by design, and the port has to be free at once.
        death_signal=signal.SIGKILL,
        stop_rank=QUIRE_RANK,
    )


async def _nothing_to_ask() -> None:
    """Take a worker as it is: it listens nowhere, and says how it does in the database."""


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)

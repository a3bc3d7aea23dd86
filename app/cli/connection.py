"""Talking to a Quire server, wherever it runs: one address, one key, errors as one sentence that says what to do."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import httpx
import orjson
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.embedded.data_dir import DataDir

FAILED = 1
"""The exit code where documents failed."""
WRONG = 2
"""The exit code where the command was called wrongly, or was refused."""
AWAY = 3
"""The exit code where the server can't be reached."""

INTERRUPTED = 130
"""The exit code where somebody pressed Ctrl-C: 128 and the number of the signal."""

OUTPUT_CLOSED = 141
"""The exit code where whoever read the output went away: 128 and the number of SIGPIPE."""

DEFAULT_URL = "http://127.0.0.1:8000"

TIMEOUT = httpx.Timeout(30.0, read=90.0, write=300.0)
"""Seconds; a status read may be held for 60."""


BUSY = frozenset({"rate_limited", "too_many_open_documents", "overloaded", "queue_full"})
"""Codes of refusals that pass by themselves."""

PATIENCE_SECONDS = 600.0
"""How long a busy server is asked again."""


class ClientSettings(BaseSettings):
    """Where the server is, and the key to it."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    quire_url: str | None = Field(None, pattern=r"^https?://")
    quire_api_key: SecretStr | None = None
    quire_data_dir: Path = Path(".quire")


class CommandError(Exception):
    """What ends a command: a sentence that says what to do, and an exit code."""

    def __init__(
        self, sentence: str, exit_code: int = WRONG, *, code: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.exit_code = exit_code
        self.code = code
        """The server's own code, where the server refused something."""
        self.retry_after = retry_after
        """In how many seconds the server can be asked again, where it said so."""

    @property
    def is_busy(self) -> bool:
        """Whether the server has too much to do for now."""
        return self.code in BUSY


class OutputClosed(Exception):
    """Whoever read what a command prints reads no more of it."""


class Server:
    """A Quire server's API."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **parameters: Any) -> Any:
        """The JSON that a path answers with. Raises `CommandError` for every other answer."""
        return (await self.request("GET", path, params=_said(parameters))).json()

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON that posting to a path answers with. Raises `CommandError` for every other answer."""
        content = b"" if body is None else orjson.dumps(body)
        told = {"Content-Type": "application/json"} if body is not None else {}
        return (await self.request("POST", path, content=content, headers=told | headers)).json()

    async def listed(self, path: str, *, most: int | None = None, **parameters: Any) -> AsyncIterator[dict[str, Any]]:
        """A list's items, page by page, to its end or to a number of them."""
        left, cursor = most, None
        while left is None or left > 0:
            limit = 200 if left is None else min(left, 200)
            page = await self.get(path, **parameters, limit=limit, cursor=cursor)
            for item in page["items"]:
                yield item
            left = None if left is None else left - len(page["items"])
            cursor = page["next"]
            if cursor is None:
                return

    async def request(self, method: str, path: str, **said: Any) -> httpx.Response:
        """An answer that is no error. Raises `CommandError` for one that is, and where there is none."""
        with reaching(self.client):
            answer = await self.client.request(method, path, **said)
        await check(answer)
        return answer


@asynccontextmanager
async def connected() -> AsyncIterator[Server]:
    """The server that QUIRE_URL and QUIRE_API_KEY name. Raises `CommandError` where they don't make sense."""
    try:
        settings = ClientSettings()
    except ValidationError as error:
        raise CommandError("QUIRE_URL must be an address such as https://quire.example.com.") from error
    headers = {"Authorization": f"Bearer {_key(settings)}", "User-Agent": "quire-cli"}
    async with httpx.AsyncClient(base_url=_address(settings), headers=headers, timeout=TIMEOUT) as client:
        yield Server(client)


async def check(answer: httpx.Response) -> None:
    """Raise `CommandError` for an error, in the server's own words."""
    if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
        return
    await answer.aread()
    after = answer.headers.get("Retry-After", "")
    raise CommandError(_sentence(answer), code=_code(answer), retry_after=float(after) if after.isdecimal() else None)


async def patiently(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask, and ask again while the server is busy, when it says so. Raises what the last try raised."""
    patience = PATIENCE_SECONDS
    while True:
        try:
            return await ask()
        except CommandError as error:
            pause = error.retry_after or 1.0
            if not error.is_busy or pause > patience:
                raise
            patience -= pause
            await asyncio.sleep(pause)


def _address(settings: ClientSettings) -> str:
    """The address that is set, or that of the stack of this folder."""
    if settings.quire_url is not None:
        return settings.quire_url
    try:
        return DataDir(settings.quire_data_dir.expanduser()).address.read_text().strip() or DEFAULT_URL
    except OSError:
        return DEFAULT_URL


def _key(settings: ClientSettings) -> str:
    """The key that is set, or the first one of the stack that runs in this folder."""
    if settings.quire_api_key is not None:
        return settings.quire_api_key.get_secret_value()
    secrets = DataDir(settings.quire_data_dir.expanduser()).secrets
    try:
        return str(orjson.loads(secrets.read_bytes())["api_key"])
    except (OSError, orjson.JSONDecodeError, KeyError) as error:
        raise CommandError(
            "QUIRE_API_KEY is not set. `quire up` prints the first key; `quire keys create` makes another."
        ) from error


def _sentence(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        fields = "; ".join(f"{each['pointer']}: {each['detail']}" for each in problem.get("errors") or ())
        return f"{problem['detail']} {f'({fields}) ' if fields else ''}[{problem['code']}]"
    except (ValueError, KeyError, TypeError):
        return (
            f"{answer.request.url} answered {answer.status_code} {answer.reason_phrase}, which is no answer of Quire's."
        )


def first_of(errors: BaseExceptionGroup) -> BaseException:
    """The first of some errors that came of work done at once, however they are nested."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _code(answer: httpx.Response) -> str | None:
    try:
        code: str = answer.json()["code"]
    except (ValueError, KeyError, TypeError):
        return None
    return code


def _said(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


@contextmanager
def reaching(client: httpx.AsyncClient) -> Iterator[None]:
    """Turn what can go wrong on the way to the server into a sentence."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise CommandError(f"{client.base_url} takes too long to answer; try again.", AWAY) from error
    except httpx.InvalidURL as error:
        raise CommandError(f"{client.base_url} is no address; set QUIRE_URL.") from error
    except httpx.TransportError as error:
        sentence = f"{client.base_url} can't be reached. Is it running? QUIRE_URL says where it is."
        raise CommandError(sentence, AWAY) from error


def run(work: Coroutine[Any, Any, int | None]) -> NoReturn:
    """Run a command to its end, and end the process with its exit code."""
    try:
        code = asyncio.run(work)
        sys.stdout.flush()
    except CommandError as error:
        end(error)
    except (OutputClosed, BrokenPipeError):
        _let_go_of_output()
        sys.exit(OUTPUT_CLOSED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(code or 0)


def end(error: CommandError) -> NoReturn:
    """End the process with an error's sentence on standard error."""
    sys.stderr.write(f"{error.sentence}\n")
    sys.exit(error.exit_code)


def _let_go_of_output() -> None:
    """Have what is still in buffers go nowhere: the interpreter would try to write it as it ends, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())

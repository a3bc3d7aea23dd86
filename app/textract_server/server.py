"""Starting the server's process: settings, checks, logging, and uvicorn until a signal ends it."""

import fcntl
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import ValidationError

from app.textract_server.application import create_app
from app.textract_server.capacity import page_process_count
from app.textract_server.lost_response import AbortableProtocol
from app.textract_server.settings import Settings

STOP_SECONDS = 2
"""How long open connections may take to end after a signal; pages in flight are read again at the next start."""


def run(flags: Mapping[str, Any]) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status, 2 where a setting is wrong."""
    try:
        settings = Settings(**flags)
        logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
        page_processes = page_process_count(settings)
        with _only_server_on(settings.textract_server_data_dir):
            _serve(settings, page_processes)
    except ValidationError as error:
        return _refuse(
            "; ".join(f"{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
        )
    except BlockingIOError:
        return _refuse(f"another server is using {settings.textract_server_data_dir}")
    except ValueError as error:
        return _refuse(str(error))
    return 0


def _serve(settings: Settings, page_processes: int) -> None:
    config = uvicorn.Config(
        create_app(settings, page_processes),
        host=settings.textract_server_host,
        port=settings.textract_server_port,
        timeout_graceful_shutdown=STOP_SECONDS,
        access_log=False,
        server_header=False,
        log_config=None,
        ws="none",
        http=AbortableProtocol,
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again, after everything is closed.
        uvicorn.Server(config).run()


@contextmanager
def _only_server_on(data_dir: Path) -> Iterator[None]:
    """Hold the data folder; BlockingIOError where another server does."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _refuse(reason: str) -> int:
    sys.stderr.write(f"quire-textract: {reason}\n")
    return 2

"""`python -m app.serve`: the API under uvicorn."""

import argparse

import setproctitle
import uvicorn

from app import garbage
from app.main import create_app
from app.mistakes import settings_or_end

SHUTDOWN_SECONDS = 7
"""How long requests that are under way may take once the process is told to stop; streams end at once."""


def main() -> None:
    """Serve the API until told to stop."""
    parser = argparse.ArgumentParser(prog="quire api", description="Serve the HTTP API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    settings = settings_or_end(asks_engines=True)
    setproctitle.setproctitle("quire api")
    garbage.look_seldom()
    app = create_app(settings)
    garbage.keep_what_is_there()
    uvicorn.run(
        app,
        host=arguments.host,
        port=arguments.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=30,
    )


if __name__ == "__main__":
    main()

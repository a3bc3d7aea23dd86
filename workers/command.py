"""The command line of a worker process."""

import argparse

from app.logs import configure_logs
from app.mistakes import settings_or_end
from app.queue import queues_named
from workers.main import QUEUES, run


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(prog="quire worker", description="Serve queues of background tasks.")
    names = ", ".join(QUEUES)
    parser.add_argument("--queues", default="", help=f"comma-separated, of: {names} (WORKER_QUEUES, or all)")
    said, settings = parser.parse_args().queues, settings_or_end(asks_engines=True)
    try:
        queues = queues_named(said or settings.worker_queues)
    except ValueError as error:
        parser.error(str(error))
    configure_logs(settings)
    run(settings, queues)

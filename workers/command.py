"""The command line of a worker process."""

import argparse

from app.config import Settings
from app.logs import configure_logs
from app.queue import QueueName
from workers.main import QUEUES, run


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(prog="quire worker", description="Serve queues of background tasks.")
    names = [queue.value for queue in QUEUES]
    parser.add_argument("--queues", default=",".join(names), help=f"comma-separated, of: {', '.join(names)} (all)")
    named = [name.strip() for name in parser.parse_args().queues.split(",") if name.strip()]
    if unknown := sorted(set(named) - set(names)):
        parser.error(f"no such queue: {', '.join(unknown)}; there are {', '.join(names)}")
    settings = Settings()
    configure_logs(settings)
    run(settings, [QueueName(name) for name in named])

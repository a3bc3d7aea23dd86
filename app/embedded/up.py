"""`python -m app.embedded.up`: the whole of Quire on this machine, until told to stop."""

import sys

from pydantic import ValidationError

from app.config import Settings
from app.embedded.stack import complain, run_stack
from app.mistakes import WRONG, mistakes
from app.queue import queues_named


def main() -> int:
    """Run the stack as the environment sets it, and return the exit code."""
    try:
        settings = Settings()
    except ValidationError as error:
        for mistake in mistakes(error):
            complain(mistake)
        return WRONG
    try:
        queues_named(settings.worker_queues)
    except ValueError as error:
        complain(f"WORKER_QUEUES: {error}")
        return WRONG
    return run_stack(settings)


if __name__ == "__main__":
    sys.exit(main())

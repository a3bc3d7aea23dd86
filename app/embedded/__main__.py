"""Run some parts of the stack for another program: one line of JSON says where they are.

    python -m app.embedded --only postgres,valkey --data-dir DIR

It ends on SIGTERM, or when its standard input is closed: with the program that started it.
"""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from app.config import Settings
from app.embedded.parts import Part
from app.embedded.stack import StackReady, complain, run_stack


def main() -> int:
    """Run the parts that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m app.embedded", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", type=_parts, default=frozenset(Part), help="names of parts, with commas between")
    parser.add_argument("--data-dir", type=Path, required=True, help="where data and logs are kept")
    parser.add_argument("--volatile", action="store_true", help="data need not outlive the stack")
    arguments = parser.parse_args()
    settings = Settings(quire_data_dir=arguments.data_dir)
    threading.Thread(target=_stop_when_stdin_closes, daemon=True).start()
    # Standard output is for the JSON alone.
    return run_stack(
        settings, wanted=arguments.only, durable=not arguments.volatile, on_ready=_print_json, tell=complain
    )


def _parts(names: str) -> frozenset[Part]:
    return frozenset(Part(name) for name in names.split(","))


def _print_json(ready: StackReady) -> None:
    sys.stdout.write(json.dumps(ready.environment) + "\n")
    sys.stdout.flush()


def _stop_when_stdin_closes() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())

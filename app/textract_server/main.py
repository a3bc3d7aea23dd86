"""The command `quire-textract`."""

import sys
from argparse import SUPPRESS, ArgumentParser
from pathlib import Path

from setproctitle import setproctitle

TITLE = "quire-textract"


def main() -> None:
    """Serve Textract's text detection on this machine until stopped."""
    flags = _parser().parse_args()
    setproctitle(TITLE)
    # Page processes import this module when they start, as they import any parent's main module: the server stays out.
    from app.textract_server.server import run  # noqa: PLC0415 - for that reason

    sys.exit(run(vars(flags)))


def _parser() -> ArgumentParser:
    """Make a flag for a setting each; one that isn't given leaves it to the environment."""
    parser = ArgumentParser(prog=TITLE, description=main.__doc__, argument_default=SUPPRESS)
    parser.add_argument("--host", dest="textract_server_host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", dest="textract_server_port", type=int, help="port to listen on (8020)")
    parser.add_argument("--data-dir", dest="textract_server_data_dir", type=Path, help="folder of jobs and results")
    parser.add_argument("--workers", dest="ocr_workers", type=int, help="page processes (2)")
    parser.add_argument("--max-workers", dest="ocr_max_workers", type=int, help="the most page processes (32)")
    parser.add_argument(
        "--no-parallel", dest="ocr_parallel_disabled", action="store_true", help="read pages one at a time"
    )
    parser.add_argument("--languages", dest="ocr_languages", help="Tesseract languages, as in eng+deu (eng)")
    parser.add_argument("--log-level", dest="log_level", help="DEBUG, INFO, WARNING or ERROR (INFO)")
    return parser


if __name__ == "__main__":
    main()

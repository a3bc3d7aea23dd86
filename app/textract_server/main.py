"""The command `quire-textract`."""

import sys
from argparse import SUPPRESS, ArgumentParser
from pathlib import Path

from setproctitle import setproctitle

TITLE = "quire-textract"


def main() -> None:
    """Serve Textract's text detection and document analysis on this machine until stopped."""
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
    parser.add_argument(
        "--sns-endpoint-url", dest="textract_server_sns_endpoint_url", help="where ended jobs are announced (AWS)"
    )
    parser.add_argument("--log-level", dest="log_level", help="DEBUG, INFO, WARNING or ERROR (INFO)")
    _add_test_flags(parser)
    return parser


def _add_test_flags(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("for tests of clients")
    prefix = "textract_server_"
    group.add_argument("--engine", dest=f"{prefix}engine", help="tesseract or simulated (tesseract)")
    for flag, kind, text in (
        ("--simulated-seconds-per-page", float, "how long a simulated page takes (60)"),
        ("--simulated-pages", int, "pages of every simulated document (1)"),
        ("--simulated-lines-per-page", int, "lines of every simulated page (22)"),
        ("--simulated-text", Path, "a file with the lines of every simulated page, in place of made-up ones"),
        ("--tps-start", float, "calls per second of each Start operation (not limited)"),
        ("--tps-get", float, "calls per second of each Get operation (not limited)"),
        ("--tps-detect", float, "calls per second of each synchronous operation (not limited)"),
    ):
        group.add_argument(flag, dest=prefix + flag.removeprefix("--").replace("-", "_"), type=kind, help=text)
    group.add_argument(
        "--simulated-no-s3", dest=f"{prefix}simulated_no_s3", action="store_true", help="don't ask S3 for documents"
    )
    group.add_argument("--max-jobs", dest=f"{prefix}max_open_jobs", type=int, help="jobs in progress of a kind (600)")
    group.add_argument(
        "--admin", dest=f"{prefix}admin", action="store_true", help="serve /admin, unsigned: faults and counters"
    )


if __name__ == "__main__":
    main()

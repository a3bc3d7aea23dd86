"""What runs inside a page process: tied to its parent's life, bounded in memory, and loading the engine only there.

The server imports this module for the names of its functions. The functions import what they need when they run, so that
Tesseract, Pillow and pdfium never take memory in the server's own process.
"""

import ctypes
import os
import resource
import signal
import sys

from setproctitle import setproctitle

from app import garbage
from app.textract_server.readings import DocumentFile, Inspection, PageBlocks, PageRequest, ReadingFacts

TITLE = "quire-textract page reader"
PR_SET_PDEATHSIG = 1
NICENESS = 5
"""The server goes first: it hands out the next page, and answers those who ask."""


def prepare(parent_pid: int, memory_bytes: int) -> None:
    """Set a fresh page process up; it ends at once where its parent has died already."""
    setproctitle(TITLE)
    garbage.look_seldom()
    os.nice(NICENESS)
    _die_with_parent(parent_pid)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    # Signals to the whole group are for the server to act on: it ends its page processes itself, after their jobs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def process_id() -> int:
    """Tell the page process's id, so that it can be killed when a page hangs."""
    return os.getpid()


def inspect_document(file: DocumentFile) -> Inspection:
    """Open a document, repairing it if need be, and count its pages; DocumentError where that can't be done."""
    from app.textract_server import reading  # noqa: PLC0415 - see the module's docstring

    return reading.inspect_document(file)


def begin_document(request: PageRequest) -> Inspection:
    """Open a document as `inspect_document` does, and read its first pages as far as they carry their text."""
    from app.textract_server import reading  # noqa: PLC0415 - see the module's docstring

    return reading.begin_document(request)


def read_pages(request: PageRequest) -> tuple[PageBlocks, ...]:
    """Read a page into blocks, and some of those that follow if they carry their text; ReadingError where that can't be done."""
    from app.textract_server import reading  # noqa: PLC0415 - see the module's docstring

    return reading.read_pages(request)


def second_opinion(request: PageRequest, first: ReadingFacts) -> PageBlocks | None:
    """Read one page again by another engine; None where that is no better, ReadingError where it can't be done."""
    from app.textract_server import reading  # noqa: PLC0415 - see the module's docstring

    return reading.second_opinion(request, first)


def _die_with_parent(parent_pid: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)

"""What runs inside the process that finds entities: tied to its parent's life, and loading models only there.

The parent imports this module for the names of its functions; they import what they need when they run, so that no
model and no library of patterns takes memory in a worker's own process.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

from setproctitle import setproctitle

from app import garbage
from app.entities.mentions import Mention, Passage

TITLE = "quire worker, finding entities"
PR_SET_PDEATHSIG = 1


def prepare(parent_pid: int) -> None:
    """Set a fresh process up; it ends at once where its parent has died already."""
    setproctitle(TITLE)
    garbage.look_seldom()
    # The matrices of a page are small: threads would wait for each other, on cores that the worker needs.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)
    # Signals to the whole group are for the worker to act on: it ends this process itself, after its work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def process_id() -> int:
    """Tell the process's id, so that it can be killed when it hangs."""
    return os.getpid()


def read(passages: Sequence[Passage], *, names: bool) -> list[list[Mention]]:
    """The mentions of each passage; with `names`, people, organisations and places too."""
    from app.entities import reading  # noqa: PLC0415 - see the module's docstring

    return reading.read(passages, names=names)

"""How many page processes this machine can carry."""

import logging
import os
from pathlib import Path

from app.textract_server.limits import MEBIBYTE
from app.textract_server.settings import Settings

PROCESS_BYTES = 300 * MEBIBYTE
"""What a page process takes while it reads, measured, with something to spare."""
_MEMORY = Path("/proc/meminfo")
_CONTROL_GROUP = Path("/sys/fs/cgroup")

logger = logging.getLogger(__name__)


def page_process_count(settings: Settings) -> int:
    """Decide how many page processes to use, and say so where it is fewer than asked for; ValueError for a contradiction."""
    if settings.ocr_parallel_disabled:
        return 1
    if settings.ocr_workers > settings.ocr_max_workers:
        raise ValueError(
            f"OCR_WORKERS is {settings.ocr_workers}, more than OCR_MAX_WORKERS ({settings.ocr_max_workers})."
        )
    cores, memory = usable_cores(), available_bytes()
    fitting = min(cores, max(1, memory // PROCESS_BYTES))
    if settings.ocr_workers > fitting:
        logger.warning(
            "OCR_WORKERS is %d, but %d cores and %d MB of memory carry %d: using %d",
            *(settings.ocr_workers, cores, memory // MEBIBYTE, fitting, fitting),
        )
    return min(settings.ocr_workers, fitting)


def usable_cores() -> int:
    """Count the cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_bytes() -> int:
    """Return the memory that is free to be taken, as the machine and the control group see it."""
    return min(_machine_bytes(), _control_group_bytes())


def _machine_bytes() -> int:
    for line in _MEMORY.read_text().splitlines() if _MEMORY.exists() else []:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 2**63


def _control_group_bytes() -> int:
    try:
        most = int((_CONTROL_GROUP / "memory.max").read_text())
        return most - int((_CONTROL_GROUP / "memory.current").read_text())
    except (OSError, ValueError):  # No control group, or "max": no bound.
        return 2**63

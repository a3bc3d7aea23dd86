"""How many page processes this machine can carry, and whether it can give second opinions."""

import logging
import os
from importlib.util import find_spec
from pathlib import Path

from app.textract_server.languages import language_data
from app.textract_server.limits import MEBIBYTE
from app.textract_server.settings import Settings

PROCESS_BYTES = 300 * MEBIBYTE
"""What a page process takes while it reads, measured, with something to spare."""
SECOND_OPINION_BYTES = 800 * MEBIBYTE
"""What the one process takes that gives second opinions, measured, with something to spare."""
_MEMORY = Path("/proc/meminfo")
_CONTROL_GROUP = Path("/sys/fs/cgroup")

logger = logging.getLogger(__name__)


def page_process_count(settings: Settings) -> int:
    """Decide how many page processes to use, and say so where it is fewer than asked for; ValueError for a contradiction."""
    language_data(settings.ocr_languages, settings.tessdata_prefix)
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


def asks_second_opinions(settings: Settings) -> bool:
    """Tell whether unsure pages are read twice; ValueError where that is asked for and what it takes isn't installed."""
    installed = find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None
    if settings.ocr_second_opinion == "on" and not installed:
        raise ValueError(
            "OCR_SECOND_OPINION is on, but RapidOCR is not installed: it comes with the extra second-opinion."
        )
    if settings.ocr_second_opinion != "auto":
        return settings.ocr_second_opinion == "on"
    memory = available_bytes()
    if installed and memory < SECOND_OPINION_BYTES:
        logger.warning("%d MB of memory are too few for second opinions: there will be none", memory // MEBIBYTE)
    return installed and memory >= SECOND_OPINION_BYTES


def usable_cores() -> int:
    """Count the cores that this process may use: those it may run on, or fewer where the control group has a share of them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _control_group_cores(_CONTROL_GROUP)))


def available_bytes() -> int:
    """Return the memory that is free to be taken, as the machine and the control group see it."""
    return min(_machine_bytes(), _control_group_bytes(_CONTROL_GROUP))


def _machine_bytes() -> int:
    for line in _MEMORY.read_text().splitlines() if _MEMORY.exists() else []:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 2**63


def _control_group_cores(folder: Path) -> int:
    """Whole cores of the group's quota, rounded up."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError):  # No control group, or "max": no bound.
        return 2**31


def _control_group_bytes(folder: Path) -> int:
    try:
        most = int((folder / "memory.max").read_text())
        return most - int((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return 2**63

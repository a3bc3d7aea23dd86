"""How this machine does: its disk, and the languages that can be read here."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from app.cli.finding import Finding, Grade, well
from app.config import Settings

GIBIBYTE = 1024**3
SCANT_BYTES = 10 * GIBIBYTE
TOO_LITTLE_BYTES = 1 * GIBIBYTE

ORIENTATION = "osd"
"""The data that tells how a page is turned; no language."""


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Room where the embedded stack keeps its data, and where documents are split."""
    folder = settings.quire_data_dir.expanduser().resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    grade = Grade.WRONG if free < TOO_LITTLE_BYTES else Grade.WARNING if free < SCANT_BYTES else Grade.OK
    mend = None if grade is Grade.OK else "Make room, or set QUIRE_DATA_DIR to a folder on another disk."
    yield Finding("disk", grade, f"{free / GIBIBYTE:.1f} GiB are free where {settings.quire_data_dir} is.", mend)


def check_languages(settings: Settings) -> Iterator[Finding]:
    """The languages that Tesseract has data of here, where this machine may be the one that reads."""
    if "local" not in settings.ocr_engines.split(","):
        return
    if importlib.util.find_spec("tesserocr") is None:
        yield Finding("tesseract", Grade.WARNING, "Tesseract is not installed here.", "pip install 'quire[textract]'")
        return
    folder = Path(os.environ.get("TESSDATA_PREFIX") or Path(sys.prefix) / "share" / "tessdata")
    there = {path.stem for path in folder.glob("*.traineddata")}
    wanted = os.environ.get("OCR_LANGUAGES", "eng").split("+")
    missing = [name for name in (*wanted, ORIENTATION) if name not in there]
    known = ", ".join(sorted(there - {ORIENTATION})) or "none"
    if missing:
        detail = f"OCR_LANGUAGES asks for {'+'.join(wanted)}; in {folder} is no data of {', '.join(missing)}."
        yield Finding("tesseract", Grade.WRONG, detail, f"Install it (there are: {known}), or set TESSDATA_PREFIX.")
    else:
        yield well("tesseract", f"reads {'+'.join(wanted)}; there is data of {known}.")

"""Where Tesseract's language data lies: the environment's own packages, or a folder that a deployment names."""

import sys
from pathlib import Path

ORIENTATION = "osd"
"""The data that tells how a page is turned."""


def language_data(languages: str, folder: Path | None) -> Path:
    """Return the folder that has these languages, as in `eng+deu`; ValueError where one of them isn't in it."""
    place = folder or packaged_data()
    missing = [name for name in (*languages.split("+"), ORIENTATION) if not (place / f"{name}.traineddata").is_file()]
    if missing:
        files = ", ".join(f"{name}.traineddata" for name in missing)
        known = ", ".join(sorted(path.stem for path in place.glob("*.traineddata"))) or "nothing"
        named = (
            "TESSDATA_PREFIX" if folder else "the installed language packages; TESSDATA_PREFIX can name another folder"
        )
        raise ValueError(f"OCR_LANGUAGES is {languages}, but {files} is not in {place} ({named}). It has {known}.")
    return place


def packaged_data() -> Path:
    """Where the environment's packages have put Tesseract's data."""
    return Path(sys.prefix) / "share" / "tessdata"

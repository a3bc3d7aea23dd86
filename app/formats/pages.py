"""Pages as the makers of formats take them: what was read, from a file with a page's JSON on each line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from app.ocr.blocks import PageText


def read_pages(path: Path) -> Iterator[PageText]:
    """The pages of such a file, in its order, one in memory at a time."""
    with path.open("rb") as file:
        for line in file:
            yield page_of(orjson.loads(line))


def page_of(row: dict[str, Any]) -> PageText:
    """A page from its columns as JSON; what analysis found is an object of its own among them, `analysis`."""
    names = ("number", "text", "lines", "word_count", "confidence", "rotation_degrees")
    return PageText(**{name: row[name] for name in names}, **row.get("analysis", {}))

"""What a batch is made of: the files of a folder, or the lines of a CSV file."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.cli.connection import CommandError
from app.jobs.states import Priority

SUFFIXES = frozenset({".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff"})
"""What is taken of a folder; a manifest may name anything, and the server decides by the bytes."""

NAMES = ("path", "source", "document_id")
"""Each line names its document by one of these."""

MISTAKES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """A document of a batch: a file of this machine, or something that the server knows or can fetch."""

    path: Path | None = None
    named: Mapping[str, str] = field(default_factory=dict)
    """`source` or `document_id`."""
    external_id: str | None = None
    priority: Priority | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def item(self, upload_id: str | None) -> dict[str, Any]:
        """As the server is asked for it."""
        named = {"upload_id": upload_id} if self.path is not None else dict(self.named)
        said = {"external_id": self.external_id, "metadata": dict(self.metadata)}
        return named | {name: value for name, value in said.items() if value}

    @property
    def title(self) -> str:
        """What a person calls it."""
        return str(self.path) if self.path is not None else next(iter(self.named.values()))


def read_entries(place: Path) -> Sequence[Entry]:
    """The documents of a folder or a manifest. Raises `CommandError` where that makes no batch."""
    if place.is_dir():
        entries = [_of_file(place, path) for path in _files(place)]
        if not entries:
            raise CommandError(f"There is no PDF, PNG, JPEG or TIFF in {place}.")
        return entries
    if not place.is_file():
        raise CommandError(f"There is no folder or manifest {place}.")
    return _of_manifest(place)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in SUFFIXES and path.is_file():
            yield path


def _of_file(folder: Path, path: Path) -> Entry:
    return Entry(path=path, external_id=path.relative_to(folder).as_posix()[:256])


def _of_manifest(manifest: Path) -> Sequence[Entry]:
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, restkey="", strict=True)
            _check_columns(manifest, lines.fieldnames or ())
            return _entries(manifest, lines)
    except (csv.Error, UnicodeDecodeError) as error:
        raise CommandError(f"{manifest} is not CSV in UTF-8: {error}.") from error
    except OSError as error:
        raise CommandError(f"{manifest} can't be read: {error.strerror}.") from error


def _check_columns(manifest: Path, columns: Sequence[str]) -> None:
    if not set(NAMES) & set(columns):
        raise CommandError(
            f"The first line of {manifest} must name the columns, and one of them must be {', '.join(NAMES[:-1])} or {NAMES[-1]}."
        )


def _entries(manifest: Path, lines: "csv.DictReader[str]") -> Sequence[Entry]:
    entries: list[Entry] = []
    wrong: list[str] = []
    for line in lines:
        try:
            entries.append(_of_line(manifest.parent, line))
        except ValueError as error:
            wrong.append(f"line {lines.line_num}: {error}")
    if wrong:
        more = f"; and {len(wrong) - MISTAKES_SHOWN} more" if len(wrong) > MISTAKES_SHOWN else ""
        raise CommandError(f"{manifest} needs to be corrected: {'; '.join(wrong[:MISTAKES_SHOWN])}{more}.")
    if not entries:
        raise CommandError(f"{manifest} has no line below its heading.")
    return entries


def _of_line(folder: Path, line: Mapping[str, Any]) -> Entry:
    if "" in line:
        raise ValueError("it has more fields than the heading")
    said = {name: value.strip() for name, value in line.items() if value and value.strip()}
    named = {name: said.pop(name) for name in NAMES if name in said}
    if len(named) != 1:
        raise ValueError(f"give exactly one of {', '.join(NAMES)}")
    path = named.pop("path", None)
    priority = said.pop("priority", "").lower()
    if priority and priority not in set(Priority):
        raise ValueError(f"there is no priority {priority!r}; there are: {', '.join(Priority)}")
    return Entry(
        path=folder / path if path else None,
        named=named,
        external_id=said.pop("external_id", None),
        priority=Priority(priority) if priority else None,
        metadata=said,
    )

"""The parts of the docs that the code says better than a person would keep saying: each is written here, and checked."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from app.config import MEBIBYTE
from app.config import Settings as ServiceSettings
from app.errors import QuireError, all_errors
from app.jobs.states import SOURCES, TERMINAL_STATES, JobState
from app.pipeline.stages import STAGES
from app.textract_server.settings import Settings as TextractServerSettings

ROOT = Path(__file__).parents[2]

MARKS = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end of generated -->)", re.DOTALL)


def settings_table(settings: type[BaseSettings]) -> str:
    """Every setting of a class, in its order."""
    rows = (
        (f"`{name.upper()}`", _shown_default(field), field.description or "")
        for name, field in settings.model_fields.items()
    )
    return _table(("setting", "default", "what it is"), rows)


def errors_table() -> str:
    """Every code that is of its own, by its place in the tree."""
    rows = (
        (f"[`{error.code}`](#{error.code})", str(error.status), _retried(error), error.message)
        for error in errors_by_code().values()
    )
    return _table(("code", "status", "tried again", "what it says"), rows)


def stages_table() -> str:
    """The table of stages."""
    rows = ((f"`{row.stage}`", f"`{row.task}`", f"`{row.queue}`", f"`{row.to}`") for row in STAGES)
    return _table(("the job's stage", "what runs from here", "queue", "moves to"), rows)


def state_diagram() -> str:
    """The moves between states, as a Mermaid diagram."""
    arrows = [f"    {source} --> {target}" for source, target in moves()]
    ends = [f"    {state} --> [*]" for state in JobState if state in TERMINAL_STATES]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {JobState.QUEUED}", *arrows, *ends, "```", ""])


def moves() -> list[tuple[str, str]]:
    """Every legal move, from and to."""
    return [(source.value, target.value) for source in JobState for target in JobState if source in SOURCES[target]]


def errors_by_code() -> Mapping[str, type[QuireError]]:
    """The class of each code: where a family and its member share one, the member."""
    return {error.code: error for error in all_errors() if error.__module__ == "app.errors"}


def env_example() -> str:
    """`.env.example`: every setting, commented out, under its description."""
    shown: set[str] = set()
    parts = [
        "# Copy to .env and uncomment what you change; what is set in the environment itself goes before it.",
        "# Written by `python -m tests.docs` from the settings' own definitions.",
    ]
    for title, settings in (("The API and the workers", ServiceSettings), ("quire-textract", TextractServerSettings)):
        parts.append(f"\n# --- {title} ---")
        fields = {name: field for name, field in settings.model_fields.items() if name not in shown}
        parts += [f"\n# {field.description}\n#{name.upper()}={_default(field)}" for name, field in fields.items()]
        shown |= fields.keys()
    return "\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file, and what it should say."""

    path: Path
    write: Callable[[str], str]
    """Its content as it should be, from its content as it is."""

    def is_current(self) -> bool:
        """Say whether the file is what would be written."""
        return self.path.exists() and self.path.read_text() == self.write(self.path.read_text())

    def bring_up_to_date(self) -> None:
        """Write the file."""
        self.path.write_text(self.write(self.path.read_text() if self.path.exists() else ""))


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": lambda: settings_table(ServiceSettings),
    "textract-settings": lambda: settings_table(TextractServerSettings),
    "errors": errors_table,
    "stages": stages_table,
    "states": state_diagram,
}


def fill_in(page: str) -> str:
    """A page with its generated parts as they are now."""
    return MARKS.sub(lambda found: f"{found[1]}\n{PARTS[found['name']]()}\n{found[3]}", page)


FILES = (
    GeneratedFile(ROOT / ".env.example", lambda _: env_example()),
    *(GeneratedFile(ROOT / "docs" / name, fill_in) for name in ("settings.md", "errors.md", "state-machine.md")),
)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    def lines() -> Iterator[str]:
        yield _row(head)
        yield _row(["---"] * len(head))
        yield from map(_row, rows)

    return "".join(lines())


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _shown_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None:
        return "not set"
    note = (
        f" ({value // MEBIBYTE} MiB)" if isinstance(value, int) and value >= MEBIBYTE and not value % MEBIBYTE else ""
    )
    return f"`{_default(field)}`{note}"


def _default(field: FieldInfo) -> str:
    value = None if field.is_required() else field.default
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else f"{value:g}" if isinstance(value, float) and value < MEBIBYTE else str(value)


def _retried(error: type[QuireError]) -> str:
    if not error.retryable:
        return "no"
    return "yes" if error.costs_attempt else "yes, at no cost"

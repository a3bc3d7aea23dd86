"""Whether what is set is what was meant: names that are no setting, and settings that don't go together."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

from app.cli.finding import Finding, Grade, well
from app.config import Settings

ALSO_KNOWN = frozenset({"QUIRE_URL", "QUIRE_PUBLISHED", "QUIRE_CORPUS", "POSTGRES_PASSWORD", "OCR_LANGUAGES"})
"""Read by others: the commands that talk to a server, compose.yaml, the Textract-compatible server."""

OTHERS = ("TEXTRACT_SERVER_", "OCR_", "AWS_", "TESSDATA_", "OTEL_", "PG")
"""What names begin with that may be meant for others, and count as mistakes only where they are almost a setting's."""

LIKENESS = 0.8


def check_names() -> Iterator[Finding]:
    """Variables that are no setting of ours, though they look as if somebody had meant one."""
    settings = {name.upper() for name in Settings.model_fields}
    for where, given in (("the environment", os.environ), (".env", _env_file())):
        for name in sorted(name.upper() for name in given):
            if name in settings or name in ALSO_KNOWN:
                continue
            meant = get_close_matches(name, settings, n=1, cutoff=LIKENESS)
            if meant and (where == ".env" or _is_near(name, meant[0])):
                detail = f"{name}, in {where}, is no setting and counts for nothing."
                yield Finding("settings", Grade.WARNING, detail, f"Did you mean {meant[0]}?")
            elif where == ".env" and not name.startswith(OTHERS):
                yield Finding(
                    "settings", Grade.WARNING, f"{name}, in .env, is no setting.", "Remove it, or correct it."
                )


def check_settings(settings: Settings) -> Iterator[Finding]:
    """What is set, and what of it doesn't go together."""
    given = sorted(name.upper() for name in settings.model_fields_set)
    yield well("settings", f"{len(Settings.model_fields)} settings, of which are set: {', '.join(given) or 'none'}.")
    if settings.engine_nowhere is not None:
        yield Finding("settings", Grade.WRONG, settings.engine_nowhere, "The rest is checked once it is.")
    if bool(settings.aws_access_key_id) != bool(settings.aws_secret_access_key):
        detail = "Of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set."
        yield Finding("settings", Grade.WRONG, detail, "Set both, or neither.")


def _is_near(name: str, meant: str) -> bool:
    """Whether a variable of the whole environment was most likely meant for us: it begins as the setting does."""
    return name.partition("_")[0] == meant.partition("_")[0] and not name.startswith("AWS_")


def _env_file() -> Mapping[str, str | None]:
    return dotenv_values(".env") if Path(".env").is_file() else {}

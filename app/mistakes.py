"""Settings that are wrong, told in a sentence each before anything is started."""

import sys
from typing import NoReturn

from pydantic import ValidationError

from app.config import Settings

WRONG = 2
"""The exit code of a process whose settings can't be used."""


def mistakes(error: ValidationError) -> list[str]:
    """Each setting that is wrong, as a sentence that says what to do."""
    return [
        _mistake(".".join(map(str, each["loc"])).upper(), each["msg"], each["type"])
        for each in error.errors(include_url=False, include_input=False)
    ]


def settings_or_end(*, asks_engines: bool = False) -> Settings:
    """The settings of this process; those that are wrong end it with `WRONG`, also by what engines need where it asks any."""
    try:
        settings = Settings()
    except ValidationError as error:
        _end(mistakes(error))
    if asks_engines and settings.engine_nowhere is not None:
        _end([settings.engine_nowhere])
    return settings


def _end(sentences: list[str]) -> NoReturn:
    sys.stderr.write("".join(f"{sentence}\n" for sentence in sentences))
    sys.exit(WRONG)


def _mistake(name: str, message: str, kind: str) -> str:
    said = message.removeprefix("Value error, ").rstrip(".")
    if not name:
        return f"{said}."
    if kind == "missing":
        return f"{name} is not set."
    return f"{name} can't be used: {said[:1].lower()}{said[1:]}; correct it in the environment or in .env."

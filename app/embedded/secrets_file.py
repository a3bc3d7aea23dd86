"""The passwords and keys of one data directory: made once, at the first start, and readable by its owner only."""

import json
import os
import secrets
import string
from dataclasses import asdict, dataclass, fields
from pathlib import Path

ALPHANUMERIC = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the parts of one stack show to each other, and the first API key."""

    database_password: str
    redis_password: str
    aws_access_key_id: str
    aws_secret_access_key: str
    api_key: str


def load_secrets(path: Path) -> Secrets:
    """Read the secrets of a data directory, and make those that it doesn't have yet."""
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    made = {**asdict(_random_secrets()), **kept}
    if made != kept:
        _write_private(path, json.dumps(made, indent=2) + "\n")
    return Secrets(**{field.name: made[field.name] for field in fields(Secrets)})


def _random_secrets() -> Secrets:
    return Secrets(
        database_password=_random(32),
        redis_password=_random(32),
        aws_access_key_id="QUIRE" + _random(15, string.ascii_uppercase + string.digits),
        aws_secret_access_key=_random(40),
        api_key="qk_" + _random(40),
    )


def _random(length: int, alphabet: str = ALPHANUMERIC) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _write_private(path: Path, text: str) -> None:
    # Written beside it and renamed: a crash leaves the old secrets or the new ones, never half of them.
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)

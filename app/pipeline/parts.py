"""The files that a document is read from: itself or, where it is too large for Textract, the parts it was split into."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from app.documents.intake import EXTENSIONS
from app.documents.models import Document
from app.documents.parts import PartFile
from app.jobs.models import Job
from app.ocr.engine import Source
from app.pipeline.outcome import Tools
from app.storage.upload import store_file


@dataclass(frozen=True, slots=True)
class Part:
    """One file that an OCR job of its own reads; its first page is the document's page of that number."""

    number: int
    source: Source
    first_page: int
    page_count: int


def parts_of(job: Job, document: Document) -> list[Part]:
    """All parts, in order; an unsplit document is its only part."""
    if not job.parts:
        return [Part(1, Source(document.s3_bucket, document.s3_key), 1, job.pages_total or 1)]
    return [
        Part(number, Source(document.s3_bucket, told["key"]), told["first_page"], told["page_count"])
        for number, told in enumerate(job.parts, start=1)
    ]


async def store_parts(job: Job, files: tuple[PartFile, ...], tools: Tools) -> list[dict[str, Any]]:
    """Put the files of a split document into the bucket; returns what the job says of them."""
    stored = []
    for number, file in enumerate(files, start=1):
        key = f"parts/{job.document_id}/{job.id}/{number}{EXTENSIONS[file.media_type]}"
        settings = tools.settings
        await store_file(
            tools.bucket,
            key,
            Path(file.path),
            file.media_type,
            settings.upload_part_bytes,
            settings.upload_parts_in_flight,
        )
        stored.append({"key": key, "first_page": file.first_page, "page_count": file.page_count})
    return stored


async def delete_parts(job: Job, tools: Tools) -> None:
    """Take the parts away, now that they are read; what is out of reach now is taken away later."""
    for told in job.parts:
        await tools.bucket.clean_up(partial(tools.bucket.delete, told["key"]))

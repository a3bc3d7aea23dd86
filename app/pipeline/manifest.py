"""What a finished run leaves in the bucket beside the raw result: the text, and a manifest of all that there is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from app.config import Settings
from app.documents.models import Document, PageStatus
from app.jobs.models import Job
from app.knowledge.pages import page_batches
from app.knowledge.soundness import Figures
from app.pipeline.outcome import Tools
from app.storage.compression import GZIP
from app.storage.upload import Upload

MANIFEST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Artefact:
    """An object of the bucket that belongs to a run."""

    key: str
    media_type: str
    content_encoding: str | None
    """`gzip` where the object is stored compressed."""
    size_bytes: int | None
    sha256: str | None


def folder_of(document_id: object, job_id: object) -> str:
    """Where what a run has made is kept."""
    return f"results/{document_id}/{job_id}"


def text_key(document_id: object, job_id: object) -> str:
    """Where a run's text is kept."""
    return f"{folder_of(document_id, job_id)}/text.txt"


def manifest_key(document_id: object, job_id: object) -> str:
    """Where a run's manifest is kept."""
    return f"{folder_of(document_id, job_id)}/manifest.json"


async def store_text(job: Job, tools: Tools) -> Artefact:
    """Put the document's text into the bucket, as `GET …/text` gives it."""
    key, settings = text_key(job.document_id, job.id), tools.settings
    async with _upload(tools, settings, key, "text/plain; charset=utf-8") as upload:
        separator = ""
        async for batch in page_batches(tools.sessions, job.id, job.pages_done):
            for page in batch.pages:
                await upload.write(f"{separator}{page.text}".encode())
                separator = "\f"
        await upload.write(b"\n")
        await upload.complete()
    return Artefact(key, "text/plain; charset=utf-8", None, upload.size_bytes, upload.sha256)


async def stored_result(job: Job, tools: Tools) -> Artefact:
    """The raw result. One that was taken over may have been stored before such objects were compressed."""
    key = job.result_key or ""
    if job.reused_job_id is None:
        return Artefact(key, "application/json", GZIP, None, None)
    stored = await tools.bucket.head(key)
    return Artefact(key, "application/json", None if stored is None else stored.content_encoding, None, None)


async def store_manifest(job: Job, told: Mapping[str, Any], tools: Tools) -> str:
    """Put the manifest into the bucket; returns its key."""
    key = manifest_key(job.document_id, job.id)
    await tools.bucket.put(key, orjson.dumps(told, option=orjson.OPT_INDENT_2), "application/json")
    return key


def manifest(
    job: Job, document: Document, pages: Mapping[PageStatus, int], figures: Figures, artefacts: list[Artefact]
) -> dict[str, Any]:
    """What a run was of, how it was made, and what came out."""
    return {
        "version": MANIFEST_VERSION,
        "document": {
            "id": str(document.id),
            "project_id": str(document.project_id),
            "filename": document.filename,
            "external_id": document.external_id,
            "media_type": document.media_type,
            "size_bytes": document.size_bytes,
            "sha256": document.sha256,
            "key": document.s3_key,
        },
        "job": {
            "id": str(job.id),
            "created_at": job.created_at,
            "options": job.options,
            "engine": job.engine,
            "operation": job.operation,
            "reused_job_id": None if job.reused_job_id is None else str(job.reused_job_id),
            "cost_microdollars": job.cost_microdollars,
            "stage_timings": job.stage_timings,
        },
        "pages": {str(status): count for status, count in pages.items()},
        "figures": asdict(figures),
        "artefacts": [asdict(artefact) for artefact in artefacts],
    }


def _upload(tools: Tools, settings: Settings, key: str, media_type: str) -> Upload:
    return Upload(tools.bucket, key, media_type, settings.upload_part_bytes, settings.upload_parts_in_flight)

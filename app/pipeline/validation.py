"""`validate_document`: the S3 object is there, its bytes are what they claim, and its pages can be counted."""

import tempfile
from functools import partial
from pathlib import Path

import anyio
import anyio.to_process
import structlog

from app.config import Settings
from app.documents import repository as documents
from app.documents.inspection import Inspection, PageLimits, inspect
from app.documents.models import Document
from app.errors import DocumentCorrupt
from app.jobs.models import Job
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.tokens import textract_token

log = structlog.get_logger(__name__)


async def validate_document(job: Job, tools: Tools) -> Outcome:
    """Fetch a document, open it, and count its pages. Raises a `Refused` for what can't be read."""
    async with tools.sessions() as session:
        document = await documents.get(session, job.document_id)
    page_count = await _count_pages(document, tools)
    async with tools.sessions.begin() as session:
        await documents.set_page_count(session, document.id, page_count)
    return Outcome(
        changes={
            "pages_total": page_count,
            # Committed before the call that it is for: a crash between the two repeats the call with the same token.
            "textract_token": textract_token(document, job.textract_generation),
        },
        details={"pages": page_count},
    )


async def _count_pages(document: Document, tools: Tools) -> int:
    with tempfile.TemporaryDirectory(prefix="quire-") as folder:
        path = Path(folder) / "document"
        try:
            await tools.bucket.download(document.s3_key, path)
        except FileNotFoundError as error:
            raise DocumentCorrupt("The document's bytes are gone from the bucket; submit it again.") from error
        inspection = await _inspect(path, document, tools.settings)
    if inspection.refusal is not None:
        raise inspection.refusal(inspection.detail)
    return inspection.page_count


async def _inspect(path: Path, document: Document, settings: Settings) -> Inspection:
    """Look into a file in a process of its own, which may crash, swell or hang at the document's cost alone."""
    limits = PageLimits(
        pages=settings.max_document_pages,
        image_pixels_per_side=settings.max_image_pixels_per_side,
        page_points_per_side=settings.max_page_points_per_side,
        memory_bytes=settings.validation_memory_bytes,
    )
    look = partial(inspect, str(path), document.media_type, limits)
    try:
        with anyio.fail_after(settings.validation_timeout_seconds):
            return await anyio.to_process.run_sync(look, cancellable=True)
    except TimeoutError:
        detail = f"Counting its pages took longer than {settings.validation_timeout_seconds:.0f} s."
        return Inspection(refusal=DocumentCorrupt, detail=detail)
    except anyio.BrokenWorkerProcess:
        log.warning("inspection_process_died", document_id=str(document.id))
        return Inspection(refusal=DocumentCorrupt, detail="Opening the document crashes its reader; it is damaged.")

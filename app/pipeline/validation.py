"""`validate_document`: the S3 object is there, its bytes are what they claim, and its pages can be counted.

A document that is too large for Textract is split, or scaled, here, where its bytes are at hand.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_process
import structlog

from app.config import Settings
from app.db import one_statement
from app.documents import repository as documents
from app.documents.inspection import Inspection, PageLimits, inspect
from app.documents.models import Document
from app.documents.parts import PartLimits
from app.documents.splitting import SplitResult, split
from app.errors import DocumentCorrupt, PageTooLarge
from app.jobs.models import Job
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.parts import store_parts
from app.pipeline.resuming import take_over_run
from app.pipeline.reuse import reuse
from app.pipeline.tokens import content_key
from app.turns import aside

log = structlog.get_logger(__name__)


async def validate_document(job: Job, tools: Tools) -> Outcome:
    """Fetch a document, open it, and count its pages. Raises a `Refused` for what can't be read.

    What another job of the project has read from the same bytes is taken over, and nothing is fetched. A job that begins
    in the middle takes over what an earlier run of the document has made.
    """
    if job.from_stage is not None:
        return await take_over_run(job, job.from_stage, tools)
    async with one_statement(tools.sessions) as session:
        document = await documents.get(session, job.document_id)
    key = content_key(document, job.options)
    if (reused := await reuse(job, document, key, tools)) is not None:
        return reused
    page_count, parts = await _look_into(job, document, tools)
    async with tools.sessions.begin() as session:
        await documents.set_page_count(session, document.id, page_count)
    details: dict[str, Any] = {"pages": page_count} | ({"parts": len(parts)} if parts else {})
    return Outcome(changes={"pages_total": page_count, "content_key": key, "parts": parts}, details=details)


async def _look_into(job: Job, document: Document, tools: Tools) -> tuple[int, list[dict[str, Any]]]:
    """A document's pages, and the parts that it was split into, if it had to be."""
    with tempfile.TemporaryDirectory(prefix="quire-") as folder:
        path = Path(folder) / "document"
        try:
            await tools.bucket.download(document.s3_key, path)
        except FileNotFoundError as error:
            raise DocumentCorrupt("The document's bytes are gone from the bucket; submit it again.") from error
        inspection = await _inspect(path, document, tools.settings)
        if inspection.refusal is not None:
            raise inspection.refusal(inspection.detail)
        if not inspection.needs_splitting:
            return inspection.page_count, []
        parts = Path(folder) / "parts"
        parts.mkdir()
        result = await _split(path, document, tools.settings, parts)
        if result.refusal is not None:
            raise result.refusal(result.detail)
        return inspection.page_count, await store_parts(job, result.parts, tools)


async def _split(path: Path, document: Document, settings: Settings, folder: Path) -> SplitResult:
    """Split a file in a process of its own, which costs the document alone whatever it costs."""
    call = partial(split, str(path), document.media_type, part_limits(settings), str(folder))
    try:
        async with aside():
            with anyio.fail_after(settings.splitting_timeout_seconds):
                return await anyio.to_process.run_sync(call, cancellable=True)
    except TimeoutError:
        detail = f"Splitting it into parts took longer than {settings.splitting_timeout_seconds:.0f} s."
        return SplitResult(refusal=PageTooLarge, detail=detail)
    except anyio.BrokenWorkerProcess:
        log.warning("splitting_process_died", document_id=str(document.id))
        return SplitResult(refusal=DocumentCorrupt, detail="Splitting the document crashes its reader; it is damaged.")


def part_limits(settings: Settings) -> PartLimits:
    """What a part may be."""
    return PartLimits(
        pages=settings.part_max_pages,
        bytes=settings.part_max_bytes,
        image_bytes=settings.part_max_image_bytes,
        image_pixels_per_side=settings.part_max_image_pixels_per_side,
        memory_bytes=settings.validation_memory_bytes,
    )


async def _inspect(path: Path, document: Document, settings: Settings) -> Inspection:
    """Look into a file in a process of its own, which may crash, swell or hang at the document's cost alone."""
    limits = PageLimits(
        pages=settings.max_document_pages,
        image_pixels_per_side=settings.max_image_pixels_per_side,
        page_points_per_side=settings.max_page_points_per_side,
        memory_bytes=settings.validation_memory_bytes,
    )
    look = partial(inspect, str(path), document.media_type, limits, part_limits(settings))
    try:
        async with aside():
            with anyio.fail_after(settings.validation_timeout_seconds):
                return await anyio.to_process.run_sync(look, cancellable=True)
    except TimeoutError:
        detail = f"Counting its pages took longer than {settings.validation_timeout_seconds:.0f} s."
        return Inspection(refusal=DocumentCorrupt, detail=detail)
    except anyio.BrokenWorkerProcess:
        log.warning("inspection_process_died", document_id=str(document.id))
        return Inspection(refusal=DocumentCorrupt, detail="Opening the document crashes its reader; it is damaged.")

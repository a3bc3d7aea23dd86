"""What a caller can ask of a document beside its text: formats of the result, and pictures of its pages."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from uuid import UUID

import anyio
import anyio.to_process
import structlog

from app.db import Sessions
from app.documents import repository
from app.documents.format_cache import FormatCache, folder_of
from app.documents.format_making import Format, Made, Order, make
from app.documents.models import Document
from app.documents.page_rows import write_pages
from app.documents.service import Documents
from app.errors import DocumentCorrupt, FormatFailed, PageNotFound, ResultUnavailable
from app.formats.page_image import PictureRequest
from app.jobs.models import Job
from app.storage.s3 import Bucket, StoredObject

log = structlog.get_logger(__name__)

VERSION = 2
"""Raised when makers change what they make: what was made before is then made anew, under another name."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What making a format may take."""

    memory_bytes: int
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Rendition:
    """A document, or a page of it, in some format, made or not."""

    document: Document
    job: Job | None
    what: Format | PictureRequest

    @property
    def version(self) -> str:
        """What its ETag says: the same as long as its bytes are."""
        if self.job is None or isinstance(self.what, PictureRequest):
            return f"{self.document.sha256[:16]}-{self._name}"
        return f"{self.job.id.hex}-{self._name}"

    @property
    def key(self) -> str:
        """Where it is kept."""
        run = "" if self.job is None else f"{self.job.id}/"
        return f"{folder_of(self.document.id)}{run}{self._name}"

    @property
    def media_type(self) -> str:
        """Its media type."""
        return self.what.media_type if isinstance(self.what, Format) else self.what.type.media_type

    @property
    def filename(self) -> str:
        """The name under which a caller would keep it."""
        stem = PurePath(self.document.filename or str(self.document.id)).stem
        if isinstance(self.what, Format):
            return f"{stem}.{self.what.value}"
        return f"{stem}-{self.what.page}.{'jpg' if self.what.type == 'jpeg' else 'png'}"

    @property
    def _name(self) -> str:
        if isinstance(self.what, Format):
            # A run that is read anew gives other pages under the same job.
            reading = self.job.textract_generation if self.job else 0
            return f"{VERSION}-{reading}.{self.what.value}"
        size = f"w{self.what.width}" if self.what.width else f"d{self.what.dpi or 0}"
        return f"pages/{VERSION}-{self.what.page}-{size}.{self.what.type.value}"


@dataclass(frozen=True, slots=True)
class Formats:
    """Finds, makes and keeps what documents are turned into."""

    sessions: Sessions
    bucket: Bucket
    documents: Documents
    cache: FormatCache
    limits: Limits
    producer: str

    async def find(self, project_id: UUID, document_id: UUID, what: Format) -> Rendition:
        """A document's newest result in a format. Raises `DocumentNotFound`, `ResultNotReady`, `ResultUnavailable`."""
        job = await self.documents.readable_job(project_id, document_id)
        return Rendition(await self._document(project_id, document_id), job, what)

    async def find_picture(self, project_id: UUID, document_id: UUID, request: PictureRequest) -> Rendition:
        """A page's picture, whether the page was read or not. Raises `DocumentNotFound` and `PageNotFound`."""
        document = await self._document(project_id, document_id)
        if document.page_count is not None and request.page > document.page_count:
            raise PageNotFound
        return Rendition(document, None, request)

    async def stored(self, rendition: Rendition) -> StoredObject:
        """The object, made where it isn't there yet.

        Raises `FormatNotReady`, `FormatFailed`, `ResultUnavailable`, `PageNotFound`, `DocumentEncrypted` and `DocumentCorrupt`.
        """
        return await self.cache.get(rendition.key, rendition.media_type, partial(self._make, rendition))

    async def _document(self, project_id: UUID, document_id: UUID) -> Document:
        async with self.sessions() as session:
            return await repository.find(session, project_id, document_id)

    async def _make(self, rendition: Rendition, folder: Path) -> Path:
        document, original, target = rendition.document, folder / "document", folder / "made"
        try:
            await self.bucket.download(document.s3_key, original)
        except FileNotFoundError as error:
            raise ResultUnavailable("The document's bytes are gone from the bucket; submit it again.") from error
        pages = folder / "pages"
        if rendition.job is not None:
            await write_pages(self.sessions, rendition.job.id, pages)
        order = Order(
            document=str(original),
            media_type=document.media_type,
            target=str(target),
            memory_bytes=self.limits.memory_bytes,
            what=rendition.what,
            title=document.filename or str(document.id),
            producer=self.producer,
            page_count=document.page_count or 1,
            pages=str(pages),
        )
        made = await self._in_process(order)
        if made.error is not None:
            raise made.error(made.detail)
        return target

    async def _in_process(self, order: Order) -> Made:
        try:
            with anyio.fail_after(self.limits.timeout_seconds):
                return await anyio.to_process.run_sync(partial(make, order), cancellable=True)
        except TimeoutError:
            return Made(FormatFailed, f"Making it took longer than {self.limits.timeout_seconds:.0f} s.")
        except anyio.BrokenWorkerProcess:
            log.warning("format_process_died", document=order.document, what=str(order.what))
            return Made(DocumentCorrupt, "Opening the document crashes its reader; it is damaged.")

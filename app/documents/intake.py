"""What may come in: decided by the bytes, never by the name, and as early as the bytes allow."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

from app.errors import DocumentEmpty, DocumentTooLarge, UnsupportedMediaType


class MediaType(StrEnum):
    """What may come in, decided by the bytes."""

    PDF = "application/pdf"
    PNG = "image/png"
    JPEG = "image/jpeg"
    TIFF = "image/tiff"


SNIFF_BYTES = 1024
"""A PDF's header may stand anywhere in its first 1,024 bytes (ISO 32000-1, implementation note 13)."""

EXTENSIONS = {MediaType.PDF: ".pdf", MediaType.PNG: ".png", MediaType.JPEG: ".jpg", MediaType.TIFF: ".tiff"}

SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", MediaType.PNG),
    (b"\xff\xd8\xff", MediaType.JPEG),
    (b"II*\x00", MediaType.TIFF),
    (b"MM\x00*", MediaType.TIFF),
    (b"II+\x00", MediaType.TIFF),
    (b"MM\x00+", MediaType.TIFF),
)
"""How files begin; the last two are BigTIFF."""


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """The most bytes that a document may have."""

    document_bytes: int
    image_bytes: int

    def of(self, media_type: MediaType) -> int:
        """The limit of a type: images that aren't paged have their own."""
        return self.image_bytes if media_type in {MediaType.PNG, MediaType.JPEG} else self.document_bytes

    def check(self, size_bytes: int, media_type: MediaType | None = None) -> None:
        """Raise `DocumentTooLarge` for more bytes than may be."""
        limit = self.document_bytes if media_type is None else self.of(media_type)
        if size_bytes > limit:
            kind = "A document" if media_type is None else f"A document of type {media_type}"
            raise DocumentTooLarge(f"{kind} may have at most {limit:,} bytes.")


def sniff(head: bytes) -> MediaType:
    """The type that a file's first bytes say it is. Raises `DocumentEmpty` or `UnsupportedMediaType`."""
    if not head:
        raise DocumentEmpty
    for signature, media_type in SIGNATURES:
        if head.startswith(signature):
            return media_type
    if b"%PDF-" in head[:SNIFF_BYTES]:
        return MediaType.PDF
    raise UnsupportedMediaType


async def read_head(chunks: AsyncIterator[bytes]) -> bytes:
    """As many bytes as it takes to tell a type, or all where there are fewer."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= SNIFF_BYTES:
            break
    return head


def clean_filename(name: str | None) -> str | None:
    """A filename as a label: no folders, no control characters, at most 255 characters. It never names a file of ours."""
    if not name:
        return None
    label = "".join(char for char in PurePath(name.replace("\\", "/")).name if char.isprintable())
    return label[:255] or None

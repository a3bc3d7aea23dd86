"""The parts that a document is read in where it is larger than an OCR engine takes: what they may be, and what they are."""

import resource
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.documents.intake import MediaType
from app.errors import PageTooLarge

MOST_GROWTH = 3
"""How many times a document's bytes its parts may have together."""


@dataclass(frozen=True, slots=True)
class PartLimits:
    """How large a part may be: bytes and pages of a PDF or TIFF, bytes of a PNG or JPEG, pixels of any image's sides."""

    pages: int
    bytes: int
    image_bytes: int
    image_pixels_per_side: int
    memory_bytes: int

    def most_bytes(self, size_bytes: int) -> int:
        """What a document's parts may have together: what its pages share is copied into every part."""
        return max(self.bytes, MOST_GROWTH * size_bytes)

    def exceeded(self, media_type: MediaType, size_bytes: int, page_count: int, longest_side: int) -> bool:
        """Whether a document is larger than a part may be; `longest_side` is that of its images, in pixels."""
        if media_type in {MediaType.PNG, MediaType.JPEG}:
            return size_bytes > self.image_bytes or longest_side > self.image_pixels_per_side
        return size_bytes > self.bytes or page_count > self.pages or longest_side > self.image_pixels_per_side


@dataclass(frozen=True, slots=True)
class PartFile:
    """A part as a file: `page_count` pages of the document, from `first_page` on, counted from 1."""

    path: str
    media_type: MediaType
    first_page: int
    page_count: int


def bound_memory(memory_bytes: int) -> None:
    """Bound this process's address space; the next call may raise the bound again."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))


def bounded(written: Iterable[tuple[PartFile, int]], most_bytes: int) -> Iterator[PartFile]:
    """Parts as they are written, each with its bytes. Raises `PageTooLarge` once they have too many together."""
    total = 0
    for part, part_bytes in written:
        total += part_bytes
        if total > most_bytes:
            raise PageTooLarge("The pages share so much that the document can't be read in parts; split it by hand.")
        yield part

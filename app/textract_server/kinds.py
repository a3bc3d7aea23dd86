"""Which kind of document some bytes are, told from their first ones and never from a name."""

from enum import StrEnum

HEAD_BYTES = 1024
"""How many of a document's first bytes `sniff` needs: a PDF's header may stand anywhere in them."""


class DocumentKind(StrEnum):
    """The formats that Textract reads."""

    PDF = "pdf"
    TIFF = "tiff"
    JPEG = "jpeg"
    PNG = "png"


PAGED_KINDS = frozenset({DocumentKind.PDF, DocumentKind.TIFF})
"""Kinds with more than one page: Textract has a larger size limit for them."""

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", DocumentKind.PNG),
    (b"\xff\xd8\xff", DocumentKind.JPEG),
    (b"II*\x00", DocumentKind.TIFF),
    (b"MM\x00*", DocumentKind.TIFF),
    (b"II+\x00", DocumentKind.TIFF),
    (b"MM\x00+", DocumentKind.TIFF),
)


def sniff(head: bytes) -> DocumentKind | None:
    """Tell the kind of the document that begins with `head`; None where it is none of Textract's."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    return DocumentKind.PDF if b"%PDF-" in head[:HEAD_BYTES] else None

"""Why a document or a page couldn't be read.

These errors cross the process boundary, so they carry a code and a sentence and nothing else.

ReadingError
├── DocumentError   the whole document is refused
└── PageError       one page is lost, the others are read
"""

from enum import StrEnum


class FailureCode(StrEnum):
    """Names that Comprehend documents for Textract's page errors, and three of this server's own for whole documents."""

    BAD_PAGE = "TEXTRACT_BAD_PAGE"
    PAGE_TOO_LARGE = "PAGE_SIZE_EXCEEDED"
    INTERNAL = "INTERNAL_SERVER_ERROR"
    BAD_DOCUMENT = "BAD_DOCUMENT"
    ENCRYPTED = "ENCRYPTED_DOCUMENT"
    TOO_MANY_PAGES = "PAGE_LIMIT_EXCEEDED"


class ReadingError(Exception):
    """Reading failed, for a reason that a caller can be told."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class DocumentError(ReadingError):
    """The document as a whole can't be read."""


class PageError(ReadingError):
    """One page can't be read."""

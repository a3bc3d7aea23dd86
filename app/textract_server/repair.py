"""Repairing PDFs whose cross-reference table or trailer is broken, with qpdf."""

from pathlib import Path

import pikepdf

from app.textract_server.failures import DocumentError, FailureCode


def repaired_copy(path: Path) -> Path:
    """Write a repaired copy beside a damaged PDF and return its path; DocumentError where qpdf gives up too."""
    copy = path.with_suffix(".repaired.pdf")
    try:
        with pikepdf.open(path, suppress_warnings=True) as pdf:
            if not len(pdf.pages):
                raise DocumentError(FailureCode.BAD_DOCUMENT, "The document has no pages.")
            pdf.save(copy)
    except pikepdf.PasswordError as error:
        raise DocumentError(FailureCode.ENCRYPTED, "The document is protected by a password.") from error
    except pikepdf.PdfError as error:
        raise DocumentError(FailureCode.BAD_DOCUMENT, "The PDF is damaged beyond repair.") from error
    return copy

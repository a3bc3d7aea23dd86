"""The operations this server answers: a row each. What is added later is a row, a shape and a method."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.textract_server import shapes
from app.textract_server.constraints import Structure
from app.textract_server.detection import JSON, TextDetection
from app.textract_server.errors import InvalidParameterError, UnknownOperationError


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request must look like, and what answers it."""

    shape: Structure
    answer: Callable[[TextDetection, JSON], Awaitable[JSON]]


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "StartDocumentTextDetection": Operation(shapes.START_TEXT_DETECTION, TextDetection.start),
        "GetDocumentTextDetection": Operation(shapes.GET_TEXT_DETECTION, TextDetection.get),
        "DetectDocumentText": Operation(shapes.DETECT_TEXT, TextDetection.detect),
    }
)
UNSERVED = frozenset(
    {
        "AnalyzeDocument",
        "AnalyzeExpense",
        "AnalyzeID",
        "CreateAdapter",
        "CreateAdapterVersion",
        "DeleteAdapter",
        "DeleteAdapterVersion",
        "GetAdapter",
        "GetAdapterVersion",
        "GetDocumentAnalysis",
        "GetExpenseAnalysis",
        "GetLendingAnalysis",
        "GetLendingAnalysisSummary",
        "ListAdapterVersions",
        "ListAdapters",
        "ListTagsForResource",
        "StartDocumentAnalysis",
        "StartExpenseAnalysis",
        "StartLendingAnalysis",
        "TagResource",
        "UntagResource",
        "UpdateAdapter",
    }
)
"""Operations of the real service that this server doesn't have."""


def find_operation(name: str) -> Operation:
    """Find an operation; the error says whether it is unknown or only not served here."""
    if name in OPERATIONS:
        return OPERATIONS[name]
    if name in UNSERVED:
        raise InvalidParameterError(f"{name} isn't served by this server; it has {', '.join(OPERATIONS)}")
    raise UnknownOperationError(name)

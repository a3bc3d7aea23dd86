"""The operations this server answers: a row each. What is added later is a row, a shape and a method."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.textract_server import shapes
from app.textract_server.constraints import Structure
from app.textract_server.errors import InvalidParameterError, UnknownOperationError
from app.textract_server.families import ANALYSIS, DETECTION, Family
from app.textract_server.orders import JSON
from app.textract_server.quotas import CallKind
from app.textract_server.service import Service


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request must look like, what answers it, and which quota it counts against."""

    family: Family
    shape: Structure
    kind: CallKind
    answer: Callable[[Service, Family, JSON], Awaitable[JSON]]


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        DETECTION.start: Operation(DETECTION, shapes.START_TEXT_DETECTION, CallKind.START, Service.start),
        DETECTION.get: Operation(DETECTION, shapes.GET_RESULT, CallKind.GET, Service.get),
        DETECTION.at_once: Operation(DETECTION, shapes.DETECT_TEXT, CallKind.AT_ONCE, Service.read),
        ANALYSIS.start: Operation(ANALYSIS, shapes.START_ANALYSIS, CallKind.START, Service.start),
        ANALYSIS.get: Operation(ANALYSIS, shapes.GET_RESULT, CallKind.GET, Service.get),
        ANALYSIS.at_once: Operation(ANALYSIS, shapes.ANALYZE, CallKind.AT_ONCE, Service.read),
    }
)
UNSERVED = frozenset(
    {
        "AnalyzeExpense",
        "AnalyzeID",
        "CreateAdapter",
        "CreateAdapterVersion",
        "DeleteAdapter",
        "DeleteAdapterVersion",
        "GetAdapter",
        "GetAdapterVersion",
        "GetExpenseAnalysis",
        "GetLendingAnalysis",
        "GetLendingAnalysisSummary",
        "ListAdapterVersions",
        "ListAdapters",
        "ListTagsForResource",
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

"""Query parameters that an operation doesn't have are refused, as fields of JSON are: one may well be a filter, misspelt."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel


def refuse_unknown_parameters(request: Request) -> None:
    """Refuse a request whose query has parameters that the operation doesn't have. Raises `RequestValidationError`."""
    if not request.query_params:
        return
    known = set(_names(request.scope["route"].dependant))
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        detail = f"There is no such parameter here; those that there are: {', '.join(sorted(known)) or 'none'}."
        raise RequestValidationError(
            [{"type": "extra_forbidden", "loc": ("query", name), "msg": detail} for name in unknown]
        )


def _names(dependant: Dependant) -> Iterator[str]:
    """What an operation and all that it depends on read from the query."""
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (each.alias or name for name, each in kind.model_fields.items())
        else:
            yield field.alias
    for needed in dependant.dependencies:
        yield from _names(needed)

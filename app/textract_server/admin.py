"""The admin endpoint, off by default: faults to be set and taken back, and counters to be read. Its requests aren't signed."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import orjson
from pydantic import BeforeValidator, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.textract_server.faults import ActiveRule, FaultRule, Faults
from app.textract_server.operations import OPERATIONS
from app.textract_server.statistics import Statistics

_RULES = TypeAdapter(
    Annotated[list[FaultRule], BeforeValidator(lambda asked: asked if isinstance(asked, list) else [asked])]
)


@dataclass(frozen=True, slots=True)
class Admin:
    """Answers requests to `/admin`."""

    faults: Faults
    statistics: Statistics
    open_jobs: Callable[[], Counter[str]]

    async def set_faults(self, request: Request) -> Response:
        """Add one rule or several; 400 with reasons where one makes no sense."""
        try:
            rules = _RULES.validate_json(await request.body())
        except ValidationError as error:
            return _json({"errors": error.errors(include_url=False, include_context=False)}, 400)
        if unknown := {name for rule in rules for name in rule.operations} - OPERATIONS.keys():
            return _json({"errors": [f"no such operation: {', '.join(sorted(unknown))}"]}, 400)
        return _faults(self.faults.add(rules), 201)

    async def show_faults(self, _request: Request) -> Response:
        """Show the rules that hold, and how often each has struck."""
        return _faults(self.faults.rules)

    async def clear_faults(self, _request: Request) -> Response:
        """Take all rules back."""
        self.faults.rules.clear()
        return Response(status_code=204)

    async def show_statistics(self, _request: Request) -> Response:
        """Show what was counted."""
        return _json(self.statistics.report(self.open_jobs()))

    async def reset_statistics(self, _request: Request) -> Response:
        """Begin to count again."""
        self.statistics.reset()
        return Response(status_code=204)


Method = Callable[[Admin, Request], Awaitable[Response]]


def admin_routes() -> list[Route]:
    """The routes to the admin endpoint that the application's state holds."""
    table: list[tuple[str, str, Method]] = [
        ("/admin/faults", "POST", Admin.set_faults),
        ("/admin/faults", "GET", Admin.show_faults),
        ("/admin/faults", "DELETE", Admin.clear_faults),
        ("/admin/stats", "GET", Admin.show_statistics),
        ("/admin/stats", "DELETE", Admin.reset_statistics),
    ]
    return [Route(path, _calling(method), methods=[verb]) for path, verb, method in table]


def _calling(method: Method) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await method(request.state.admin, request)

    return answer


def _faults(rules: Sequence[ActiveRule], status: int = 200) -> Response:
    return _json({"faults": [each.shown() for each in rules]}, status)


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")

"""What every request passes: an id that its logs, events and answer share, one log line, and an answer to a defect."""

import re
import time

import structlog
from prometheus_client import Histogram
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import defect_response
from app.db import new_id

log = structlog.get_logger(__name__)

WELL_FORMED = re.compile(rb"[A-Za-z0-9._:-]{1,128}")

QUIET_PATHS = frozenset({"/health/live", "/health/ready", "/metrics"})

CLIENT_LEFT = 499
"""What is noted where the client went away before there was an answer; nobody is sent it."""

REQUESTS = Histogram(
    "quire_http_request_seconds",
    "Time to the end of an answer.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)


class RequestContext:
    """Gives each request an id, taken over from `X-Request-ID` when that is well-formed, and logs how it ended.

    Defects are answered here rather than by Starlette, which would do it outside, where the id is unknown.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _given_id(scope) or str(new_id())
        began, status = time.perf_counter(), 0
        state = scope.setdefault("state", {})

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers.update(state.get("rate_limit", {}))
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            except ClientDisconnect:
                status = CLIENT_LEFT
            except Exception as error:
                if status:
                    raise  # half an answer is out: all that is left is to cut the connection
                await defect_response(Request(scope), error)(scope, receive, send_with_id)
            finally:
                _note(scope, status or CLIENT_LEFT, time.perf_counter() - began)


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and WELL_FORMED.fullmatch(value):
            return str(value, "ascii")
    return None


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    REQUESTS.labels(scope["method"], route, str(status)).observe(seconds)
    if scope["path"] not in QUIET_PATHS:
        log.info("request", method=scope["method"], path=scope["path"], status=status, seconds=round(seconds, 4))

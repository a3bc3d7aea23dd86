"""Storing small objects by bare requests, for as long as the store takes them."""

import base64
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

import structlog
from aiohttp import ClientError as HttpError  # what aiobotocore speaks HTTP with, and lets through while a body is read
from botocore.exceptions import BotoCoreError

from app.aws import SignedRequests

log = structlog.get_logger(__name__)

MOST_IN_VAIN = 3
"""As many bare requests in a row may fail for what the client then stores, before they are left out."""
LEFT_OUT_SECONDS = 600.0
"""For how long."""


@dataclass(slots=True)
class BarePuts:
    """Bare requests that store objects in a bucket (decision 0029), left out for a while where they do not.

    That is so where the client sends them elsewhere by rules of its own (FIPS, access points, another region), and in
    a store that is busy, which is not to be asked twice for each object.
    """

    requests: SignedRequests
    bucket: str
    clock: Callable[[], float] = time.monotonic
    _in_vain: int = 0
    _left_out_until: float = float("-inf")
    _said: str = ""

    async def put(self, path: str, body: bytes, content_type: str, content_encoding: str | None) -> bool:
        """Whether a bare request stored the object, at a path that is encoded already. Else the client is to."""
        if self.clock() < self._left_out_until:
            return False
        self._said = "no answer"
        with suppress(BotoCoreError, HttpError, OSError):
            answer = await self.requests.send(
                "PUT", f"{self.bucket}/{path}", self._headers(body, content_type, content_encoding), body
            )
            if answer.status == HTTPStatus.OK and not answer.was_redirected:
                self._in_vain = 0
                return True
            self._said = f"HTTP {answer.status}"
        self._in_vain += 1
        return False

    def client_did(self) -> None:
        """Note that the client has stored what was to be stored."""
        if self._in_vain >= MOST_IN_VAIN:
            self._in_vain, self._left_out_until = 0, self.clock() + LEFT_OUT_SECONDS
            log.info("bare_puts_left_out", said=self._said, seconds=LEFT_OUT_SECONDS)

    def _headers(self, body: bytes, content_type: str, content_encoding: str | None) -> dict[str, str]:
        headers = {"Content-Type": content_type}
        if content_encoding:
            headers["Content-Encoding"] = content_encoding
        if self.requests.client.meta.config.request_checksum_calculation != "when_required":
            crc = zlib.crc32(body).to_bytes(4, "big")
            headers["x-amz-checksum-crc32"] = base64.b64encode(crc).decode()
        return headers

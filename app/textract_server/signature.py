"""Verifying AWS Signature Version 4: the same sum over the request that the client's SDK has made, with the same secret.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, reduce

from app.textract_server.errors import (
    IncompleteSignatureError,
    InvalidSignatureError,
    MissingAuthenticationTokenError,
    UnrecognizedClientError,
)

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "textract"
SESSION_TOKEN = "x-amz-security-token"  # noqa: S105 - the name of a header
LONGEST_SKEW = timedelta(minutes=15)
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=(?P<key>[^/\s]+)/(?P<scope>[^,\s]+),\s*"
    r"SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts of a request that its signature covers. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class SignatureVerifier:
    """Knows the one key pair that requests must be signed with."""

    access_key_id: str
    secret_access_key: str

    def verify(self, request: SignedRequest, now: datetime) -> None:
        """Raise the error that AWS would answer with, unless the request was signed with our key a short while ago."""
        authorization = request.headers.get("authorization")
        if not authorization:
            raise MissingAuthenticationTokenError
        parts = _AUTHORIZATION.fullmatch(authorization.strip())
        if parts is None:
            raise IncompleteSignatureError
        if parts["key"] != self.access_key_id:
            raise UnrecognizedClientError
        signed_at = _signing_time(request.headers.get("x-amz-date", ""), now)
        signed_headers = parts["headers"].split(";")
        _check_scope(parts["scope"], signed_at)
        _check_signed(request, signed_headers)
        _check_stated_hash(request)
        expected = self._signature(request, parts["scope"], signed_at, signed_headers)
        if not hmac.compare_digest(expected, parts["signature"]):
            raise InvalidSignatureError("check the secret access key")

    def _signature(self, request: SignedRequest, scope: str, signed_at: datetime, signed_headers: list[str]) -> str:
        canonical = "\n".join(
            [
                request.method,
                request.path,
                "",  # The protocol has no query.
                *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in signed_headers),
                "",
                ";".join(signed_headers),
                hashlib.sha256(request.body).hexdigest(),
            ]
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = "\n".join([ALGORITHM, _stamp(signed_at), scope, digest])
        return _hmac(_signing_key(self.secret_access_key, scope), to_sign).hex()


@lru_cache(maxsize=64)
def _signing_key(secret_access_key: str, scope: str) -> bytes:
    """A scope's key: the same for a whole day."""
    return reduce(_hmac, scope.split("/"), f"AWS4{secret_access_key}".encode())


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


def _signing_time(stated: str, now: datetime) -> datetime:
    try:
        signed_at = datetime.strptime(stated, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise IncompleteSignatureError("X-Amz-Date is missing or malformed") from error
    if abs(now - signed_at) > LONGEST_SKEW:
        raise InvalidSignatureError(f"signed at {stated}, but the time here is {_stamp(now)}")
    return signed_at


def _check_scope(scope: str, signed_at: datetime) -> None:
    """Check what the key was derived for. The region may be any: this server stands in for all of them."""
    parts = scope.split("/")
    if len(parts) != 4 or parts[2:] != [SERVICE, "aws4_request"]:  # noqa: PLR2004 - date, region, service, terminator
        raise InvalidSignatureError(f"Credential should be scoped to DATE/REGION/{SERVICE}/aws4_request")
    if parts[0] != f"{signed_at:%Y%m%d}":
        raise InvalidSignatureError("the date in Credential is not that of X-Amz-Date")


def _check_signed(request: SignedRequest, signed_headers: list[str]) -> None:
    """Check that nothing that matters was left unsigned. A session token may be any, as long as it is signed too."""
    needed = {"host", "x-amz-date", "x-amz-target"} | ({SESSION_TOKEN} & request.headers.keys())
    if missing := needed - set(signed_headers):
        raise InvalidSignatureError(f"{', '.join(sorted(missing))} must be signed")


def _check_stated_hash(request: SignedRequest) -> None:
    stated = request.headers.get("x-amz-content-sha256")
    if stated is not None and stated != hashlib.sha256(request.body).hexdigest():
        raise InvalidSignatureError("X-Amz-Content-SHA256 is not the body's hash")

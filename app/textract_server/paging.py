"""NextToken: where the next page of results begins, sealed so that it fits one job only."""

import base64
import binascii
import hmac
from dataclasses import dataclass

from app.textract_server.errors import InvalidParameterError

SEAL_BYTES = 16
OFFSET_BYTES = 8


@dataclass(frozen=True, slots=True)
class ResultTokens:
    """Makes and reads tokens with a secret, so that they survive a restart without being kept."""

    secret: bytes

    def token(self, job_id: str, offset: int) -> str:
        """Seal an offset into a job's blocks."""
        place = offset.to_bytes(OFFSET_BYTES, "big")
        return base64.b64encode(place + self._seal(job_id, place)).decode()

    def offset(self, job_id: str, token: str) -> int:
        """Return a token's offset; InvalidParameterError where it isn't one of this job's."""
        try:
            content = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidParameterError("NextToken is not one of this job's") from error
        place, seal = content[:OFFSET_BYTES], content[OFFSET_BYTES:]
        if not hmac.compare_digest(seal, self._seal(job_id, place)):
            raise InvalidParameterError("NextToken is not one of this job's")
        return int.from_bytes(place, "big")

    def _seal(self, job_id: str, place: bytes) -> bytes:
        return hmac.digest(self.secret, job_id.encode() + b"\0" + place, "sha256")[:SEAL_BYTES]

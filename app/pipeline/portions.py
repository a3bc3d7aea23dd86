"""First portions of results, which come with the news of an OCR job's end, on their way to whoever collects the result.

A cache: where one is lost, it is asked for once more.
"""

import zlib
from dataclasses import dataclass, field

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.ocr.engine import OcrStatus, PageWarning, ResultPart

log = structlog.get_logger(__name__)

KEPT_SECONDS = 900
LARGEST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Portions:
    """What this process collects next, in its memory, and all else in Redis for whichever process collects it."""

    redis: Redis
    _here: dict[str, ResultPart] = field(default_factory=dict)

    async def keep(self, textract_job_id: str, portion: ResultPart, *, here: bool) -> None:
        """Keep a portion: in memory where it is a whole result that is collected `here` next."""
        if here and portion.next_token is None:
            self._here[textract_job_id] = portion
            return
        packed = _packed(portion)
        if len(packed) > LARGEST_BYTES:
            return
        try:
            await self.redis.set(_key(textract_job_id), packed, ex=KEPT_SECONDS)
        except (RedisError, OSError) as error:
            log.info("portion_not_kept", error=str(error))

    def has(self, textract_job_id: str) -> bool:
        """Whether a portion is in this process' memory."""
        return textract_job_id in self._here

    def forget(self, textract_job_id: str) -> None:
        """Let go of one that is in memory, whether it was taken or not."""
        self._here.pop(textract_job_id, None)

    async def take(self, textract_job_id: str) -> ResultPart | None:
        """A portion, once, where it was kept."""
        if (portion := self._here.pop(textract_job_id, None)) is not None:
            return portion
        try:
            packed = await self.redis.getdel(_key(textract_job_id))
            return None if packed is None else _unpacked(packed)
        except (RedisError, OSError, zlib.error, orjson.JSONDecodeError) as error:
            log.info("portion_not_kept", error=str(error))
            return None


def _key(textract_job_id: str) -> str:
    return f"job:textract:result:{textract_job_id}"


def _packed(portion: ResultPart) -> bytes:
    told = {
        "status": portion.status,
        "blocks": portion.blocks if portion.raw_blocks is None else orjson.Fragment(portion.raw_blocks),
        "page_count": portion.page_count,
        "model_version": portion.model_version,
        "message": portion.message,
        "warnings": [[warning.code, list(warning.pages)] for warning in portion.warnings],
        "next_token": portion.next_token,
    }
    return zlib.compress(orjson.dumps(told), 1)


def _unpacked(packed: bytes) -> ResultPart:
    told = orjson.loads(zlib.decompress(packed))
    warnings = tuple(PageWarning(code, tuple(pages)) for code, pages in told.pop("warnings"))
    return ResultPart(**{**told, "status": OcrStatus(told["status"]), "warnings": warnings})

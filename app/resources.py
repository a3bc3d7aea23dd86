"""The one place that opens what a process works with, and closes it again; both doors use it."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import aioboto3
import structlog
from arq.connections import ArqRedis
from botocore.auth import S3SigV4Auth
from botocore.handlers import add_expect_header
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app import events
from app.aws import SignedRequests, lean_session
from app.config import Settings
from app.db import Sessions, open_engine, open_sessions
from app.embeddings.models import Embedders, open_embedders
from app.entities.extractors import open_extractor
from app.entities.mentions import EntityExtractor
from app.events import EventDraft, EventType, Severity
from app.jobs.presence import FleetSize
from app.knowledge.embedding import Embedding
from app.ocr.breaker import Breaker
from app.ocr.calls import Ocr
from app.ocr.circuit import Change, Position
from app.ocr.engine import EngineName
from app.ocr.output import OutputStore
from app.ocr.pacing import Pacer, lanes_of
from app.ocr.pricing import Prices
from app.ocr.router import Router
from app.ocr.telemetry import Telemetry
from app.ocr.textract import TextractEngine
from app.ocr.textract import open_engine as open_textract
from app.queue import open_redis
from app.ringing import finish_ringing
from app.storage import s3
from app.storage.bare_puts import BarePuts

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything outside that a process works with."""

    settings: Settings
    engine: AsyncEngine
    sessions: Sessions
    redis: ArqRedis
    bucket: s3.Bucket
    ocr: Ocr
    aws: Any
    """An AWS session, for what only some processes need."""
    embedders: Embedders
    embedding: Embedding
    """What writes the vectors of chunks."""
    extractor: EntityExtractor
    fleet: FleetSize = field(default_factory=FleetSize)


@asynccontextmanager
async def open_resources(
    settings: Settings, *, redis_retries: int = 3, extractor: EntityExtractor | None = None
) -> AsyncIterator[Resources]:
    """Open them all; nothing is connected before it is used, so a part that is down doesn't keep us from starting.

    Raises `OcrEnginesAway` for an engine of which no setting says where it is.
    An extractor that is given stays open: its models are shared with whoever else was given it.
    """
    async with AsyncExitStack() as stack:
        engine = open_engine(settings)
        stack.push_async_callback(engine.dispose)
        sessions = open_sessions(engine)
        redis = open_redis(settings.redis_url, retries=redis_retries)
        stack.push_async_callback(redis.aclose, close_connection_pool=True)
        stack.push_async_callback(finish_ringing, redis)
        session, fleet = aws_session(settings), FleetSize()
        bucket = await stack.enter_async_context(open_bucket(session, settings))
        engines = {
            name: await stack.enter_async_context(
                open_textract(session, settings, name, _output(settings, bucket.client, name))
            )
            for name in engine_names(settings)
        }
        embedders = await stack.enter_async_context(open_embedders(settings))
        embedding = Embedding(sessions, embedders, settings.database_url)
        stack.push_async_callback(embedding.aclose)
        if extractor is None:
            extractor = await stack.enter_async_context(open_extractor(settings))
        yield Resources(
            settings=settings,
            engine=engine,
            sessions=sessions,
            redis=redis,
            bucket=bucket,
            ocr=_ocr(settings, engines, redis, sessions, fleet),
            aws=session,
            embedders=embedders,
            embedding=embedding,
            extractor=extractor,
            fleet=fleet,
        )


@asynccontextmanager
async def open_bucket(session: Any, settings: Settings) -> AsyncIterator[s3.Bucket]:
    """The bucket that documents and results are kept in; `session` is an AWS session."""
    async with _open_s3(session, settings) as client, _public_s3(session, settings) as public:
        bare_puts = BarePuts(await SignedRequests.of(session, client, S3SigV4Auth), settings.s3_bucket)
        yield s3.Bucket(client, settings.s3_bucket, public=public, bare_puts=bare_puts)


@asynccontextmanager
async def _open_s3(session: Any, settings: Settings) -> AsyncIterator["S3Client"]:
    async with session.client("s3", endpoint_url=settings.aws_endpoint_url_s3, config=s3.CONFIG) as client:
        # The store would have to say "100 Continue" before it gets a byte: a trip for every document.
        client.meta.events.unregister("before-call.s3", add_expect_header)
        yield client


@asynccontextmanager
async def _public_s3(session: Any, settings: Settings) -> "AsyncIterator[S3Client | None]":
    """What presigns URLs for clients that reach the bucket's server by another address; it never connects."""
    if settings.s3_public_endpoint_url is None:
        yield None
        return
    async with session.client("s3", endpoint_url=settings.s3_public_endpoint_url, config=s3.CONFIG) as client:
        yield client


def engine_names(settings: Settings) -> list[EngineName]:
    """The engines to read with, the preferred one first."""
    return [EngineName(name) for name in settings.ocr_engines.split(",")]


def _ocr(
    settings: Settings,
    engines: dict[EngineName, TextractEngine],
    redis: ArqRedis,
    sessions: Sessions,
    fleet: FleetSize,
) -> Ocr:
    breakers = {name: Breaker(redis, name, settings) for name in engines}
    return Ocr(
        engines=engines,
        router=Router(engines, list(engines), breakers),
        pacer=Pacer(redis, lanes_of(settings, engines), account=_account(settings), workers=lambda: fleet.workers),
        prices=Prices.from_setting(settings.textract_prices),
        telemetry=Telemetry(settings.emf_namespace),
        on_change=_noted(sessions),
    )


def _account(settings: Settings) -> str:
    """Whose quotas are counted: an account in a region, by the key that it is asked with."""
    key = hashlib.sha256((settings.aws_access_key_id or "").encode()).hexdigest()[:12]
    return f"{settings.aws_region}:{key}"


def _output(settings: Settings, client: "S3Client", name: EngineName) -> OutputStore | None:
    """Where Textract writes results; an engine of one's own hands them out faster than a bucket."""
    if settings.textract_output_bucket is None or name is not EngineName.TEXTRACT:
        return None
    return OutputStore(
        client, settings.textract_output_bucket, settings.textract_output_prefix, settings.textract_kms_key_id
    )


def _noted(sessions: Sessions) -> Callable[[Change], Awaitable[None]]:
    async def note(change: Change) -> None:
        """An engine that is away, or back, is an event of the whole service."""
        opened = change.to_state is Position.OPEN
        draft = EventDraft(
            EventType.WARNING if opened else EventType.PROGRESS,
            {"engine": change.engine, "from": change.from_state, "to": change.to_state, "reason": change.reason},
            Severity.WARNING if opened else Severity.INFO,
            "ocr_engine_away"
            if opened
            else "ocr_engine_probed"
            if change.to_state is Position.HALF_OPEN
            else "ocr_engine_back",
        )
        try:
            async with sessions.begin() as session:
                await events.note(session, draft)
        except (SQLAlchemyError, OSError) as error:
            log.warning("engine_change_not_noted", error=str(error))

    return note


def aws_session(settings: Settings) -> Any:
    """An AWS session: with the settings' credentials, or by the SDK's own chain where there are none."""
    secret, token = settings.aws_secret_access_key, settings.aws_session_token
    return _aws_session(
        settings.aws_access_key_id,
        secret.get_secret_value() if secret else None,
        token.get_secret_value() if token else None,
        settings.aws_region,
    )


# A session reads the SDK's descriptions of services, which takes a quarter of a second: one serves all that ask for it.
@lru_cache(maxsize=4)
def _aws_session(key_id: str | None, secret: str | None, token: str | None, region: str) -> Any:
    return aioboto3.Session(
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        region_name=region,
        botocore_session=lean_session(),
    )

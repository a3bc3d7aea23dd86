"""The preferred engine reads, or the next one says why it does; real breakers, on Redis."""

from collections.abc import AsyncIterator, Sequence

import pytest
from arq.connections import ArqRedis

from app import errors
from app.config import Settings
from app.errors import OcrEnginesAway, OcrRequestInvalid, OcrUnavailable, QuireError
from app.ocr.breaker import Breaker, Change, Position
from app.ocr.engine import Engine, EngineName, Feature, Operation, ReadRequest, ResultPart, Source
from app.ocr.router import FOUND_BY, Router
from app.queue import open_redis
from tests.bench import eventually

TEXTRACT, LOCAL = EngineName.TEXTRACT, EngineName.LOCAL
TEXT = ReadRequest()
QUERIES = ReadRequest(frozenset({Feature.TEXT, Feature.QUERIES, Feature.TABLES}))
TABLES = ReadRequest(frozenset({Feature.TEXT, Feature.TABLES, Feature.FORMS}))


class NamedEngine:
    """An engine that is only ever chosen."""

    stores_results = False
    parameters_fingerprint = ""

    def __init__(self, name: EngineName) -> None:
        self.name = name

    async def start(self, source: Source, request: ReadRequest, *, token: str, tag: str) -> str:
        raise NotImplementedError

    async def get(self, engine_job_id: str, operation: Operation, next_token: str | None = None) -> ResultPart:
        raise NotImplementedError

    def stored_results(self, engine_job_id: str, operation: Operation) -> AsyncIterator[ResultPart]:
        raise NotImplementedError

    async def read(self, document: Source | bytes, request: ReadRequest) -> ResultPart:
        raise NotImplementedError


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    redis = open_redis(settings.redis_url, retries=1)
    yield redis
    await redis.aclose(close_connection_pool=True)


@pytest.fixture
def router(redis: ArqRedis, settings: Settings) -> Router:
    return router_of(redis, settings, (TEXTRACT, LOCAL))


def router_of(
    redis: ArqRedis, settings: Settings, order: Sequence[EngineName], *, open_seconds: float = 300.0
) -> Router:
    told = settings.model_copy(update={"ocr_breaker_failures": 2, "ocr_breaker_open_seconds": open_seconds})
    engines: dict[EngineName, Engine] = {name: NamedEngine(name) for name in order}
    return Router(engines, order, {name: Breaker(redis, name, told, look_holds_seconds=0) for name in order})


async def send_away(router: Router, engine: EngineName) -> None:
    await router.report(engine, OcrUnavailable())
    change = await router.report(engine, OcrUnavailable())
    assert change == Change(engine, Position.CLOSED, Position.OPEN, "ocr_unavailable")


async def test_the_preferred_engine_reads(router: Router) -> None:
    """And nothing is said of a fallback."""
    choice = await router.choose(None, TEXT)
    assert (choice.engine.name, choice.probe, choice.fallback_reason) == (TEXTRACT, False, None)


async def test_the_next_one_reads_while_it_is_away(router: Router) -> None:
    """And says why."""
    await send_away(router, TEXTRACT)
    choice = await router.choose(None, TABLES)
    assert (choice.engine.name, choice.fallback_reason) == (LOCAL, "textract is away: ocr_unavailable")


async def test_a_wanted_engine_is_not_replaced(router: Router) -> None:
    """A request that names one waits for it, and it alone."""
    assert (await router.choose(LOCAL, TEXT)).engine.name is LOCAL
    assert (await router.choose(LOCAL, TEXT)).fallback_reason is None
    await send_away(router, TEXTRACT)
    with pytest.raises(OcrEnginesAway) as raised:
        await router.choose(TEXTRACT, TEXT)
    assert raised.value.retry_in_seconds is not None
    assert 290 < raised.value.retry_in_seconds <= 300


async def test_when_all_are_away_the_document_waits_for_the_first_to_be_back(
    redis: ArqRedis, settings: Settings
) -> None:
    """The shortest of the waits."""
    router = router_of(redis, settings, (TEXTRACT, LOCAL))
    await send_away(router, TEXTRACT)
    await send_away(router_of(redis, settings, (TEXTRACT, LOCAL), open_seconds=100.0), LOCAL)
    with pytest.raises(OcrEnginesAway) as raised:
        await router.choose(None, TEXT)
    assert raised.value.retry_in_seconds is not None
    assert 90 < raised.value.retry_in_seconds <= 100


async def test_an_engine_that_cannot_find_it_is_passed_over(redis: ArqRedis, settings: Settings) -> None:
    """Tesseract answers no questions."""
    router = router_of(redis, settings, (LOCAL, TEXTRACT))
    choice = await router.choose(None, QUERIES)
    assert (choice.engine.name, choice.fallback_reason) == (TEXTRACT, "local doesn't find QUERIES")
    assert (await router.choose(None, TABLES)).engine.name is LOCAL


async def test_one_that_cannot_find_it_is_no_fallback(router: Router) -> None:
    """The document waits for the one that can."""
    await send_away(router, TEXTRACT)
    with pytest.raises(OcrEnginesAway):
        await router.choose(None, QUERIES)


async def test_what_no_engine_finds_is_refused_with_a_sentence(redis: ArqRedis, settings: Settings) -> None:
    """Also where the engine that could is not the one that is wanted, or not set up."""
    both, local = router_of(redis, settings, (TEXTRACT, LOCAL)), router_of(redis, settings, (LOCAL,))
    with pytest.raises(OcrRequestInvalid, match="No engine can do this: local doesn't find QUERIES"):
        await both.choose(LOCAL, QUERIES)
    with pytest.raises(OcrRequestInvalid, match="local doesn't find QUERIES"):
        await local.choose(None, QUERIES)
    with pytest.raises(OcrRequestInvalid, match="textract is not set up here; OCR_ENGINES has local"):
        await local.choose(TEXTRACT, TEXT)


async def test_an_engine_that_was_tried_is_left_out(router: Router) -> None:
    """For this document, whatever its breaker says; with none left, it waits."""
    choice = await router.choose(None, TEXT, without=frozenset({TEXTRACT}))
    assert (choice.engine.name, choice.fallback_reason) == (LOCAL, "textract was tried before")
    with pytest.raises(OcrEnginesAway):
        await router.choose(None, TEXT, without=frozenset({TEXTRACT, LOCAL}))


async def test_one_document_probes_and_brings_the_engine_back(redis: ArqRedis, settings: Settings) -> None:
    """The others go on with the next engine until the probe has reported."""
    router = router_of(redis, settings, (TEXTRACT, LOCAL), open_seconds=0.2)
    await send_away(router, TEXTRACT)

    async def probe() -> bool:
        choice = await router.choose(None, TEXT)
        return choice.probe and choice.engine.name is TEXTRACT and choice.change is not None

    await eventually(probe)
    assert (await router.choose(None, TEXT)).engine.name is LOCAL
    change = await router.report(TEXTRACT, None, probe=True)
    assert change == Change(TEXTRACT, Position.HALF_OPEN, Position.CLOSED, "ocr_unavailable")
    assert (await router.choose(None, TEXT)).fallback_reason is None


AGAINST = {"ocr_unavailable", "ocr_access_denied", "ocr_timeout"}
NO_NEWS = {"ocr_unknown_error", "ocr_engines_away", "storage_unavailable", "database_unavailable", "internal_error"}


@pytest.mark.parametrize("error", errors.all_errors(), ids=lambda error: error.__name__)
async def test_what_an_error_says_of_the_engine(router: Router, error: type[QuireError]) -> None:
    """For every error there is: it counts against the engine, clears what counted, or is no news."""
    await router.report(TEXTRACT, OcrUnavailable())
    await router.report(TEXTRACT, error())
    failures = (await router.states())[TEXTRACT].failures
    if error.code in AGAINST:
        assert failures == 2
    elif error.code in NO_NEWS or not issubclass(error, (errors.OcrError, errors.Refused, errors.OcrThrottled)):
        assert failures == 1
    else:
        assert failures == 0


def test_every_engine_says_what_it_finds() -> None:
    """A new engine can't be forgotten, and each finds text."""
    assert set(FOUND_BY) == set(EngineName)
    assert all(Feature.TEXT in found for found in FOUND_BY.values())


async def test_the_states_of_all_are_there_to_see(router: Router) -> None:
    """In order of preference."""
    await send_away(router, LOCAL)
    states = await router.states()
    assert [(name, told.state) for name, told in states.items()] == [
        (TEXTRACT, Position.CLOSED),
        (LOCAL, Position.OPEN),
    ]

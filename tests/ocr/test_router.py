"""The preferred engine reads, or the next one says why it does; real breakers, on Redis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pytest
from arq.connections import ArqRedis

from app import errors
from app.config import Settings
from app.errors import OcrEnginesAway, OcrRequestInvalid, OcrUnavailable
from app.ocr.breaker import Breaker
from app.ocr.circuit import Change, Position
from app.ocr.engine import Engine, EngineName, Feature, ReadRequest
from app.ocr.router import FOUND_BY, Choice, Router
from tests.bench import eventually

TEXTRACT, LOCAL = EngineName.TEXTRACT, EngineName.LOCAL
TEXT = ReadRequest()
QUERIES = ReadRequest(frozenset({Feature.TEXT, Feature.QUERIES, Feature.TABLES}))
TABLES = ReadRequest(frozenset({Feature.TEXT, Feature.TABLES, Feature.FORMS}))


@dataclass(frozen=True)
class NamedEngine:
    """As much of an engine as choosing it takes."""

    name: EngineName


@pytest.fixture
def router(redis: ArqRedis, settings: Settings) -> Router:
    return router_of(redis, settings, (TEXTRACT, LOCAL))


def router_of(
    redis: ArqRedis, settings: Settings, order: Sequence[EngineName], *, open_seconds: float = 300.0
) -> Router:
    told = settings.model_copy(update={"ocr_breaker_failures": 2, "ocr_breaker_open_seconds": open_seconds})
    engines = {name: cast("Engine", NamedEngine(name)) for name in order}
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


async def test_what_the_next_ones_cannot_find_is_no_reason(router: Router) -> None:
    """The preferred engine reads, so nothing is said of a fallback."""
    choice = await router.choose(None, QUERIES)
    assert (choice.engine.name, choice.fallback_reason) == (TEXTRACT, None)


async def test_a_probe_that_nothing_came_of_is_given_back(redis: ArqRedis, settings: Settings) -> None:
    """There was no slot for it: the next document may be the probe at once."""
    router = router_of(redis, settings, (TEXTRACT,), open_seconds=0.2)
    await send_away(router, TEXTRACT)
    choice = await eventually(lambda: chosen(router))
    assert choice is not None
    assert choice.probe
    assert await chosen(router) is None
    await router.give_back(choice)
    again = await chosen(router)
    assert again is not None
    assert again.probe
    await router.report(TEXTRACT, None)
    await router.give_back(again)
    assert (await router.states())[TEXTRACT].state is Position.CLOSED


async def chosen(router: Router) -> Choice | None:
    try:
        return await router.choose(None, TEXT)
    except OcrEnginesAway:
        return None


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
    assert (await router.choose(None, TEXT)).fallback_reason == "textract is away: ocr_unavailable"
    change = await router.report(TEXTRACT, None, probe=True)
    assert change == Change(TEXTRACT, Position.HALF_OPEN, Position.CLOSED, "ocr_unavailable")
    assert (await router.choose(None, TEXT)).fallback_reason is None


AGAINST = {"ocr_unavailable", "ocr_access_denied", "ocr_timeout"}
NO_NEWS = {"ocr_unknown_error", "ocr_engines_away"}
SAID_BY_ENGINES = (errors.OcrError, errors.Refused, errors.OcrThrottled)


async def test_what_an_error_says_of_the_engine(redis: ArqRedis, router: Router) -> None:
    """For every error there is: it counts against the engine, is no news, or clears what counted."""
    failures = {}
    for error in errors.all_errors():
        await redis.delete("quire:breaker:textract")
        await router.report(TEXTRACT, OcrUnavailable())
        await router.report(TEXTRACT, error())
        failures[error] = (await router.states())[TEXTRACT].failures
    for error, count in failures.items():
        news = error.code not in NO_NEWS and issubclass(error, SAID_BY_ENGINES)
        expected = 2 if error.code in AGAINST else 0 if news else 1
        assert (error.code, count) == (error.code, expected)


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

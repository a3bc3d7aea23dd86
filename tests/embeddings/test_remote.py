"""An endpoint that is slow, full, wrong or gone: what is tried again, what is given up, and what it is called."""

import asyncio
from typing import Any

import httpx
import pytest
from aiohttp import web

from app.embeddings.answers import retry_after
from app.embeddings.batches import batches
from app.embeddings.pace import Pace
from app.errors import (
    EmbeddingAccessDenied,
    EmbeddingCountWrong,
    EmbeddingDimensionsWrong,
    EmbeddingError,
    EmbeddingRequestInvalid,
    EmbeddingResultInvalid,
    EmbeddingThrottled,
    EmbeddingUnavailable,
)
from tests.embeddings.endpoint import Endpoint, embedder_of, good, vector_of


async def test_texts_are_sent_in_batches(endpoint: Endpoint, http: httpx.AsyncClient) -> None:
    """No request has more texts than it may, and all texts are sent once."""
    texts = [f"text {number}" for number in range(10)]
    made = await embedder_of(endpoint, http, batch_items=4).embed(texts)
    assert sorted(len(asked["input"]) for asked in endpoint.asked) == [2, 4, 4]
    assert made == [vector_of(text) for text in texts]


def test_batches_have_no_more_tokens_than_they_may() -> None:
    """A batch ends before its tokens run out; a text that alone has too many goes alone."""
    parts = list(batches(["a" * 300, "b" * 300, "c" * 3000, "d" * 30], items=100, tokens=250, text_tokens=8000))
    assert [[text[0] for text in part.texts] for part in parts] == [["a", "b"], ["c"], ["d"]]
    assert parts[0].tokens <= 250


def test_what_is_too_long_is_cut_between_characters() -> None:
    """A text is cut to the tokens that it may have, never within a character."""
    (part,) = batches(["é" * 1000], items=1, tokens=1000, text_tokens=100)
    assert part.texts == ["é" * 150]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 408])
async def test_what_may_pass_is_tried_again(endpoint: Endpoint, http: httpx.AsyncClient, status: int) -> None:
    """A refusal that may pass costs another request, and nothing else."""
    endpoint.refuse(status, times=2, Retry_After="0")
    assert await embedder_of(endpoint, http).embed(["one"]) == [vector_of("one")]
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize(("status", "error"), [(429, EmbeddingThrottled), (500, EmbeddingUnavailable)])
async def test_what_does_not_pass_is_left_to_the_job(
    endpoint: Endpoint, http: httpx.AsyncClient, status: int, error: type[EmbeddingError]
) -> None:
    """After so many tries the error comes out as one that may pass later."""
    endpoint.refuse(status, times=5, Retry_After="0")
    with pytest.raises(error) as raised:
        await embedder_of(endpoint, http, tries=2).embed(["one"])
    assert raised.value.retryable
    assert len(endpoint.asked) == 2


async def test_a_long_wait_is_not_spent_in_a_worker(endpoint: Endpoint, http: httpx.AsyncClient) -> None:
    """Whoever asks for a minute gets it: the job is told when to come back, at no cost."""
    endpoint.refuse(429, Retry_After="60")
    with pytest.raises(EmbeddingThrottled) as raised:
        await embedder_of(endpoint, http).embed(["one"])
    assert (raised.value.retry_in_seconds, raised.value.costs_attempt) == (60.0, False)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, "", EmbeddingAccessDenied),
        (403, "", EmbeddingAccessDenied),
        (429, "insufficient_quota", EmbeddingAccessDenied),
        (400, "", EmbeddingRequestInvalid),
        (404, "model_not_found", EmbeddingRequestInvalid),
        (302, "", EmbeddingRequestInvalid),
    ],
)
async def test_what_can_not_pass_is_given_up_at_once(
    endpoint: Endpoint, http: httpx.AsyncClient, status: int, code: str, error: type[EmbeddingError]
) -> None:
    """A key or a request that is refused is refused the next time too; the error quotes the endpoint."""
    endpoint.refuse(status, code=code, times=5)
    with pytest.raises(error) as raised:
        await embedder_of(endpoint, http).embed(["one"])
    assert not raised.value.retryable
    assert "said the endpoint" in raised.value.detail
    assert len(endpoint.asked) == 1


GOOD = good({"input": ["one", "two"]})
FIRST, SECOND = GOOD["data"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"data": [FIRST]}, EmbeddingCountWrong),
        ({"data": [FIRST, SECOND, SECOND]}, EmbeddingCountWrong),
        ({"data": [FIRST, FIRST]}, EmbeddingCountWrong),
        ({"data": [FIRST, SECOND | {"index": 2}]}, EmbeddingCountWrong),
        ({"data": [FIRST, SECOND | {"index": None}]}, EmbeddingCountWrong),
        ({"data": [FIRST, SECOND | {"index": [0]}]}, EmbeddingCountWrong),
        ({"data": [FIRST, SECOND | {"embedding": [0.1] * 17}]}, EmbeddingDimensionsWrong),
        ({"data": [FIRST, SECOND | {"embedding": []}]}, EmbeddingDimensionsWrong),
        ({"data": [FIRST, SECOND | {"embedding": [None] * 16}]}, EmbeddingResultInvalid),
        ({"data": [FIRST, SECOND | {"embedding": ["0.1"] * 16}]}, EmbeddingResultInvalid),
        ({"data": [FIRST, SECOND | {"embedding": [1e300] * 16}]}, EmbeddingResultInvalid),
        ({"data": [FIRST, SECOND | {"embedding": "AAAA"}]}, EmbeddingResultInvalid),
        ({"data": [FIRST, 2]}, EmbeddingResultInvalid),
        ({"data": "none"}, EmbeddingResultInvalid),
        ({"error": "no"}, EmbeddingResultInvalid),
        ([1, 2], EmbeddingResultInvalid),
        (b"<html>", EmbeddingResultInvalid),
        (b'{"data": [NaN]}', EmbeddingResultInvalid),
        (b"", EmbeddingResultInvalid),
        (b" " * 200_000, EmbeddingResultInvalid),
    ],
)
async def test_an_answer_that_is_not_sound_is_refused(
    endpoint: Endpoint, http: httpx.AsyncClient, body: Any, error: type[EmbeddingError]
) -> None:
    """Nothing of it is kept, and its code says what is wrong with it."""
    endpoint.say(body)
    with pytest.raises(EmbeddingError) as raised:
        await embedder_of(endpoint, http).embed(["one", "two"])
    assert type(raised.value) is error
    assert not raised.value.retryable


async def test_an_endpoint_that_is_gone_is_unavailable(endpoint: Endpoint, http: httpx.AsyncClient) -> None:
    """Nobody listens: that may pass."""
    embedder = embedder_of(endpoint, http, tries=1)
    embedder.url = "http://127.0.0.1:1/v1/embeddings"
    with pytest.raises(EmbeddingUnavailable):
        await embedder.embed(["one"])


async def test_an_endpoint_that_hangs_is_unavailable(endpoint: Endpoint, http: httpx.AsyncClient) -> None:
    """An answer that doesn't come in its time is waited for no longer."""

    async def hang(asked: dict[str, Any]) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    endpoint.faults.append(hang)
    with pytest.raises(EmbeddingUnavailable):
        await embedder_of(endpoint, http, tries=1, timeout_seconds=0.2).embed(["one"])


async def test_what_can_not_pass_goes_before_what_may(endpoint: Endpoint, http: httpx.AsyncClient) -> None:
    """Of several requests that fail, the one that says that trying again is of no use counts."""
    both = asyncio.Barrier(2)

    async def refuse(status: int) -> web.Response:
        await both.wait()
        return web.Response(status=status, text="{}")

    endpoint.faults += [lambda asked: refuse(503), lambda asked: refuse(401)]
    with pytest.raises(EmbeddingAccessDenied):
        await embedder_of(endpoint, http, batch_items=1).embed(["one", "two"])


async def test_no_more_requests_are_out_than_may_be(endpoint: Endpoint, http: httpx.AsyncClient) -> None:
    """The endpoint never has more of them at once."""
    out, most = 0, 0

    async def count(asked: dict[str, Any]) -> web.Response:
        nonlocal out, most
        out += 1
        most = max(most, out)
        await asyncio.sleep(0.02)
        out -= 1
        return web.json_response(good(asked))

    endpoint.faults += [count] * 9
    await embedder_of(endpoint, http, batch_items=1, concurrent_requests=3).embed(["text"] * 9)
    assert most == 3


async def test_a_pace_spreads_what_is_taken() -> None:
    """Sixty a minute is one a second; a hold and a correction make the next ones wait longer."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))

    pace = Pace(60, clock=lambda: 100.0, sleep=sleep)
    for amount in (1, 2, 1):
        await pace.take(amount)
    pace.correct(2)
    await pace.take(1)
    pace.hold(60)
    await pace.take(1)
    assert slept == [0.0, 1.0, 3.0, 6.0, 60.0]


async def test_without_a_pace_only_holds_are_waited_for() -> None:
    """Who may ask as fast as it likes still waits when it is told to."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    pace = Pace(None, clock=lambda: 100.0, sleep=sleep)
    await pace.take(1000)
    await pace.take(1000)
    pace.hold(3)
    await pace.take(1)
    assert slept == [0.0, 0.0, 3.0]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("2", 2.0), ("0.5", 0.5), ("-3", 0.0), ("soon", None), ("nan", None), ("inf", None)],
)
def test_retry_after_as_seconds(header: str | None, seconds: float | None) -> None:
    """A number is seconds; what is none says nothing."""
    assert retry_after(header) == seconds


def test_retry_after_as_a_date() -> None:
    """A date that is past asks for no wait; one far ahead asks for a long one."""
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert (retry_after("Wed, 21 Oct 2099 07:28:00 GMT") or 0) > 3600

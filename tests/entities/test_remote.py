"""Names by a model elsewhere: trusted with nothing, asked again as it asks, and its errors told apart."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.config import Settings
from app.entities.extractors import open_extractor
from app.entities.mentions import EntityType, Passage
from app.entities.remote import Limits, RemoteExtractor
from app.errors import (
    EntityModelAccessDenied,
    EntityModelError,
    EntityModelRequestInvalid,
    EntityModelResultInvalid,
    EntityModelThrottled,
    EntityModelUnavailable,
)
from tests.entities.endpoint import ChatEndpoint, answer, running_endpoint

TEXT = Passage("Ann\nRoe of Acme Freight wrote to Ann Roe’s brother.", 500, 2)


@pytest.fixture
async def endpoint() -> AsyncIterator[ChatEndpoint]:
    async with running_endpoint() as running:
        running.knows = {"Ann Roe": "person", "Acme Freight": "organization"}
        yield running


@pytest.fixture
async def extractor(endpoint: ChatEndpoint) -> AsyncIterator[RemoteExtractor]:
    limits = Limits(request_characters=1000, tries=3, timeout_seconds=5)
    opened = RemoteExtractor(httpx.AsyncClient(), endpoint.address, "a-model", limits)
    yield opened
    await opened.aclose()


async def test_every_place_where_a_name_stands_is_a_mention(extractor: RemoteExtractor) -> None:
    [mentions] = await extractor.extract([TEXT])
    assert [(each.type, each.normal, each.source) for each in mentions] == [
        (EntityType.PERSON, "ann roe", "a-model"),
        (EntityType.ORGANIZATION, "acme freight", "a-model"),
        (EntityType.PERSON, "ann roe", "a-model"),
    ]
    assert [TEXT.text[each.start - 500 : each.end - 500] for each in mentions] == [
        "Ann\nRoe",
        "Acme Freight",
        "Ann Roe",
    ]


async def test_what_is_not_in_the_text_is_no_mention(endpoint: ChatEndpoint, extractor: RemoteExtractor) -> None:
    """A model may make names up, claim parts of words, or be talked into anything by the text."""
    endpoint.knows = {
        "Bob Doe": "person",
        "cme Freigh": "organization",
        "wrote": "person",
        "": "person",
        "the": "place",
    }
    [mentions] = await extractor.extract([TEXT])
    assert [each.text for each in mentions] == ["wrote"]


async def test_passages_are_answered_in_their_order(extractor: RemoteExtractor) -> None:
    by_passage = await extractor.extract(
        [Passage("Nobody.", 0, 1), TEXT, Passage("", 600, 3), Passage("Ann Roe", 700, 3)]
    )
    assert [len(each) for each in by_passage] == [0, 3, 0, 1]


async def test_a_long_passage_is_asked_about_in_pieces(endpoint: ChatEndpoint, extractor: RemoteExtractor) -> None:
    long = "word " * 198 + "of Ann Roe " + "word " * 198
    [mentions] = await extractor.extract([Passage(long, 0, 1)])
    assert [each.normal for each in mentions] == ["ann roe"]
    assert len(endpoint.asked) == 2
    assert max(len(text) for text in endpoint.texts()) < 1300


async def test_the_key_and_the_schema_are_sent(endpoint: ChatEndpoint) -> None:
    settings = Settings(entity_url=endpoint.address, entity_api_key="sesame", entity_model="big-one")
    async with open_extractor(settings) as extractor:
        [mentions] = await extractor.extract([Passage("Ann Roe paid $5.", 0, 1)])
    assert endpoint.keys == ["Bearer sesame"]
    assert endpoint.asked[0]["model"] == "big-one"
    assert endpoint.asked[0]["response_format"]["json_schema"]["strict"] is True
    assert [(each.type, each.source) for each in mentions] == [
        (EntityType.PERSON, "big-one"),
        (EntityType.MONEY, "patterns"),
    ]


async def test_it_is_asked_again_when_it_says(endpoint: ChatEndpoint, extractor: RemoteExtractor) -> None:
    endpoint.refuse(429, Retry_After="0")
    endpoint.refuse(503, Retry_After="0")
    [mentions] = await extractor.extract([TEXT])
    assert len(mentions) == 3
    assert len(endpoint.asked) == 3


async def test_a_long_wait_is_left_to_the_job(endpoint: ChatEndpoint, extractor: RemoteExtractor) -> None:
    endpoint.refuse(429, Retry_After="120")
    with pytest.raises(EntityModelThrottled) as caught:
        await extractor.extract([TEXT])
    assert caught.value.retry_in_seconds == 120
    assert not caught.value.costs_attempt
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    ("status", "code", "error", "asked"),
    [
        (401, "", EntityModelAccessDenied, 1),
        (429, "insufficient_quota", EntityModelAccessDenied, 1),
        (404, "", EntityModelRequestInvalid, 1),
        (400, "", EntityModelRequestInvalid, 1),
        (500, "", EntityModelUnavailable, 3),
        (429, "", EntityModelThrottled, 3),
    ],
)
async def test_errors_are_told_apart(
    endpoint: ChatEndpoint,
    extractor: RemoteExtractor,
    status: int,
    code: str,
    error: type[EntityModelError],
    asked: int,
) -> None:
    endpoint.refuse(status, times=5, code=code, Retry_After="0")
    with pytest.raises(error, match="said the endpoint"):
        await extractor.extract([TEXT])
    assert len(endpoint.asked) == asked


BROKEN = [
    b"not json",
    b"",
    {"choices": []},
    {"choices": [{"message": {"content": None}}]},
    {"choices": [{"message": {"content": "{}"}}]},
    {"choices": [{"message": {"content": '{"names": [{"type": "unicorn", "text": "Ann Roe"}]}'}}]},
    {"choices": [{"message": {"content": '{"names": [{"type": "person", "text": 7}]}'}}]},
    {"choices": [{"message": {"content": '{"names": {"type": "person"}}'}}]},
    answer([], finish_reason="length"),
]


@pytest.mark.parametrize("body", BROKEN)
async def test_an_answer_of_another_form_is_asked_for_again(
    endpoint: ChatEndpoint, extractor: RemoteExtractor, body: object
) -> None:
    endpoint.say(body)
    [mentions] = await extractor.extract([TEXT])
    assert len(mentions) == 3
    assert len(endpoint.asked) == 2
    endpoint.say(body)
    once = RemoteExtractor(httpx.AsyncClient(), endpoint.address, "a-model", Limits(tries=1))
    with pytest.raises(EntityModelResultInvalid):
        await once.extract([TEXT])
    await once.aclose()


async def test_no_endpoint_is_an_error_that_may_pass() -> None:
    extractor = RemoteExtractor(httpx.AsyncClient(), "http://127.0.0.1:9/v1/chat/completions", "m", Limits(tries=1))
    with pytest.raises(EntityModelUnavailable) as caught:
        await extractor.extract([TEXT])
    assert caught.value.retryable
    await extractor.aclose()

"""What every model must do, on every model that there is."""

import asyncio
import math
from collections.abc import AsyncIterator

import httpx
import pytest

from app.config import Settings
from app.embeddings.embedder import Embedder
from app.embeddings.models import address, open_embedders
from app.embeddings.wordllama_embedder import WordLlamaEmbedder
from tests.embeddings.endpoint import Endpoint, embedder_of

TEXTS = ["The court grants the motion", "Quarterly revenue grew", "The court denies the motion", "", "日本語", "\ud800"]


@pytest.fixture(params=["wordllama", "remote"])
async def embedder(
    request: pytest.FixtureRequest, endpoint: Endpoint, http: httpx.AsyncClient
) -> AsyncIterator[Embedder]:
    """Each of them."""
    opened: Embedder = (
        WordLlamaEmbedder() if request.param == "wordllama" else embedder_of(endpoint, http, batch_items=2)
    )
    yield opened
    await opened.aclose()


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


async def test_vectors_come_in_the_order_of_the_texts(embedder: Embedder) -> None:
    """Each text has the vector that it has alone, of finite numbers, whatever it stands beside."""
    together = await embedder.embed(TEXTS)
    assert len(together) == len(TEXTS)
    assert {len(vector) for vector in together} == {embedder.dimensions}
    assert all(math.isfinite(number) for vector in together for number in vector)
    for text, vector in zip(TEXTS, together, strict=True):
        assert (await embedder.embed([text]))[0] == pytest.approx(vector, abs=1e-5)


async def test_texts_of_one_matter_are_near(embedder: Embedder) -> None:
    """Two rulings on a motion are nearer to each other than to a report on revenue."""
    granted, revenue, denied = (await embedder.embed(TEXTS))[:3]
    assert cosine(granted, denied) > cosine(granted, revenue) + 0.2


async def test_no_texts_have_no_vectors(embedder: Embedder) -> None:
    """Nothing asked, nothing answered."""
    assert await embedder.embed([]) == []


async def test_many_at_once_do_not_mix(embedder: Embedder) -> None:
    """Calls that overlap each get their own vectors."""
    alone = await embedder.embed(TEXTS[:3])
    made = await asyncio.gather(*(embedder.embed([TEXTS[number % 3]]) for number in range(12)))
    for number, vectors in enumerate(made):
        assert vectors[0] == pytest.approx(alone[number % 3], abs=1e-5)


async def test_a_long_text_is_read_from_its_beginning(embedder: Embedder) -> None:
    """A text of a megabyte has a vector, and so have those beside it."""
    long, short = await embedder.embed(["motion " * 150_000, "motion"])
    assert len(long) == len(short) == embedder.dimensions


def test_the_url_may_end_before_its_last_part() -> None:
    """Both forms lead to the same place: other clients are given the shorter one."""
    for url in ("http://a/v1", "http://a/v1/", "http://a/v1/embeddings", "http://a/v1/embeddings/"):
        assert address(url) == "http://a/v1/embeddings"


async def test_settings_name_the_models(endpoint: Endpoint) -> None:
    """Without a URL there is the offline model; with both URLs new chunks get vectors of both."""
    async with open_embedders(Settings(_env_file=None)) as models:
        assert [each.name for each in models.written] == ["wordllama-l2-supercat/256"]
    settings = Settings(
        _env_file=None,
        embedding_url=endpoint.address,
        embedding_model="one",
        embedding_dimensions=16,
        embedding_next_url=endpoint.address,
        embedding_next_model="two",
        embedding_next_dimensions=8,
    )
    async with open_embedders(settings) as models:
        assert [each.name for each in models.written] == ["one/16", "two/8"]
        assert models.named("two/8") is models.coming
        assert models.named("wordllama-l2-supercat/256") is models.offline
        assert models.named("three/8") is None


async def test_the_key_goes_where_it_belongs(endpoint: Endpoint) -> None:
    """The key is sent to its endpoint, and settings don't show it."""
    settings = Settings(
        _env_file=None,
        embedding_url=endpoint.address,
        embedding_dimensions=16,
        embedding_api_key="sk-of-the-test",
        embedding_shorten=True,
    )
    async with open_embedders(settings) as models:
        await models.current.embed(["hello"])
    assert endpoint.headers[0]["Authorization"] == "Bearer sk-of-the-test"
    assert endpoint.asked[0] == {
        "model": "text-embedding-3-small",
        "input": ["hello"],
        "encoding_format": "float",
        "dimensions": 16,
    }
    assert "sk-of-the-test" not in repr(settings)

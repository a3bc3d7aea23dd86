"""Vectors on a real Postgres: each chunk gets one, once, and each model its index."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.embeddings.models import Embedders
from app.embeddings.wordllama_embedder import WordLlamaEmbedder
from app.errors import EmbeddingUnavailable
from app.knowledge import search_sql, vectors
from app.knowledge.embedding import CHUNKS_AT_ONCE, Embedding
from app.knowledge.search_sql import Shape
from app.knowledge.vector_index import drop_index, ensure_index, index_name, quoted
from tests.bench import Bench, eventually
from tests.knowledge.filed import Filed, file_document

MODEL, DIMENSIONS = WordLlamaEmbedder.name, WordLlamaEmbedder.dimensions


class Flaky:
    """A model that is away after some calls, and counts the texts that it was given."""

    name, dimensions = "flaky/2", 2

    def __init__(self, calls: int) -> None:
        self.calls, self.texts = calls, 0

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Ones and zeros."""
        if self.calls == 0:
            raise EmbeddingUnavailable
        self.calls -= 1
        self.texts += len(texts)
        return [[1.0, 0.0] for _ in texts]

    async def aclose(self) -> None:
        """Nothing to let go of."""


def embedding_of(bench: Bench, embedder: Flaky) -> Embedding:
    """What writes the vectors of a model of the test's own."""
    models = Embedders(embedder, None, WordLlamaEmbedder())
    return Embedding(bench.tools.sessions, models, bench.settings.database_url)


async def made(embedding: Embedding, filed: Filed) -> int:
    """How many vectors were made of a run."""
    return sum([count async for count in embedding.embed_run(filed.job.id)])


async def test_each_chunk_gets_a_vector_once(bench: Bench) -> None:
    """All chunks of a run get one; asked again, there is nothing left to do."""
    filed = await file_document(bench, ["one motion", "two motions", ""], embedded=False)
    assert await made(bench.tools.embedding, filed) == 3
    assert await made(bench.tools.embedding, filed) == 0
    async with bench.tools.sessions() as session:
        assert await vectors.counts_of_job(session, filed.job.id, MODEL) == (3, 3)
        assert await vectors.counts_of_job(session, filed.job.id, "another/2") == (3, 0)


async def test_a_second_try_goes_on_where_the_first_one_ended(bench: Bench) -> None:
    """What was made before the model went away is kept, and not made again."""
    filed = await file_document(bench, ["text"] * (CHUNKS_AT_ONCE + 10), embedded=False)
    first, second = Flaky(calls=1), Flaky(calls=5)
    with pytest.raises(EmbeddingUnavailable):
        await made(embedding_of(bench, first), filed)
    assert first.texts == CHUNKS_AT_ONCE
    assert await made(embedding_of(bench, second), filed) == second.texts == 10


async def test_new_chunks_get_vectors_of_both_models_while_they_change(bench: Bench) -> None:
    """The one that is searched and the one that is to take over."""
    filed = await file_document(bench, ["text"], embedded=False)
    models = Embedders(WordLlamaEmbedder(), Flaky(calls=1), WordLlamaEmbedder())
    assert await made(Embedding(bench.tools.sessions, models, bench.settings.database_url), filed) == 2
    async with bench.tools.sessions() as session:
        assert await vectors.counts_of_job(session, filed.job.id, "flaky/2") == (1, 1)
        assert await session.scalar(text("SELECT name FROM embedding_models WHERE searched")) == MODEL


async def test_vectors_go_with_their_chunks(bench: Bench) -> None:
    """Deleting a document leaves none; a chunk that is gone when its vector comes is passed over."""
    filed = await file_document(bench, ["one", "two"])
    async with bench.tools.sessions.begin() as session:
        left = await vectors.without_vector_of_job(session, filed.job.id, "flaky/2", after=0, most=9)
        await session.execute(text("DELETE FROM documents WHERE id = :id"), {"id": filed.document_id})
    async with bench.tools.sessions.begin() as session:
        assert await session.scalar(text("SELECT count(*) FROM chunk_vectors")) == 0
        await vectors.know_model(session, Flaky(0))
        await vectors.save_vectors(session, Flaky(0), [each.chunk_id for each in left], [[1.0, 0.0]] * 2)
        assert await session.scalar(text("SELECT count(*) FROM chunk_vectors")) == 0


async def test_dimensions_must_match(bench: Bench) -> None:
    """The database itself refuses a vector of another length than it says."""
    await file_document(bench, ["one"])
    async with bench.tools.sessions() as session:
        with pytest.raises(IntegrityError, match="dimensions_match"):
            await session.execute(text("UPDATE chunk_vectors SET vector_dim = 255"))


async def is_valid(bench: Bench, model: str = MODEL) -> bool:
    """Whether a model's index is there, and can be used."""
    query = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    async with bench.tools.sessions() as session:
        return bool(await session.scalar(query, {"name": index_name(model)}))


async def test_the_first_vectors_of_a_model_make_its_index(bench: Bench) -> None:
    """Nobody has to think of it, and searches by vector use it."""
    filed = await file_document(bench, ["one motion", "two motions"])
    await eventually(lambda: is_valid(bench))
    statement = search_sql.by_vector(Shape(), MODEL, DIMENSIONS)
    told = {"project": filed.job.project_id, "vector": vectors.as_text([0.5] * DIMENSIONS), "most": 10}
    async with bench.tools.sessions.begin() as session:
        await session.execute(search_sql.SETTINGS)
        plan = await session.execute(text(f"EXPLAIN {statement.text}").bindparams(**told))
        assert index_name(MODEL) in "\n".join(line for (line,) in plan)


async def test_an_index_is_made_by_one_process(bench: Bench) -> None:
    """Several that come to it at once leave one index, and none of them fails."""
    url = bench.settings.database_url
    await asyncio.gather(*(ensure_index(url, MODEL, DIMENSIONS) for _ in range(4)))
    assert await is_valid(bench)
    await drop_index(url, MODEL)
    assert not await is_valid(bench)


async def test_indexes_of_several_models_are_made_one_after_the_other(bench: Bench) -> None:
    """Made at once, they would wait for each other for ever, which Postgres ends by undoing one; the same goes for dropping."""
    url = bench.settings.database_url
    models = [f"{MODEL}-{number}" for number in range(6)]
    await asyncio.gather(*(ensure_index(url, model, DIMENSIONS) for model in models))
    assert [await is_valid(bench, model) for model in models] == [True] * 6
    await asyncio.gather(ensure_index(url, MODEL, DIMENSIONS), *(drop_index(url, model) for model in models))
    assert [await is_valid(bench, model) for model in (MODEL, *models)] == [True] + [False] * 6


async def test_an_index_that_was_left_unfinished_is_made_anew(bench: Bench) -> None:
    """A process that died in the middle leaves one that nobody may use."""
    await ensure_index(bench.settings.database_url, MODEL, DIMENSIONS)
    spoil = text("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(:name)")
    async with bench.tools.sessions.begin() as session:
        await session.execute(spoil, {"name": index_name(MODEL)})
    assert not await is_valid(bench)
    await ensure_index(bench.settings.database_url, MODEL, DIMENSIONS)
    assert await is_valid(bench)


@pytest.mark.parametrize("name", ["a'b", "", "a b", "a;b", "ü", "a" * 200])
def test_a_name_that_settings_would_refuse_gets_into_no_statement(name: str) -> None:
    """Names of models stand in SQL as they are."""
    with pytest.raises(ValueError, match="not a model's name"):
        quoted(name)

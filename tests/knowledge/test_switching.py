"""Changing models while searches go on."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from app.config import Settings
from app.documents.models import Document
from app.embeddings.models import Embedders, open_embedders
from app.embeddings.wordllama_embedder import WordLlamaEmbedder
from app.errors import EmbeddingModelAway, EmbeddingModelNotFound, EmbeddingUnavailable, StateConflict
from app.knowledge.embedding import CHUNKS_AT_ONCE, Embedding
from app.knowledge.search import Mode, Query, Search
from app.knowledge.searched_model import SearchedModel
from app.knowledge.switching import ModelRead, Switching
from tests.bench import Bench
from tests.embeddings.endpoint import DIMENSIONS, Endpoint
from tests.knowledge.filed import file_document

OLD, NEW = "wordllama-l2-supercat/256", f"new/{DIMENSIONS}"


def with_next(settings: Settings, endpoint: Endpoint) -> Settings:
    """Settings that name a model that is to take over."""
    changes = {
        "embedding_next_url": endpoint.address,
        "embedding_next_model": "new",
        "embedding_next_dimensions": DIMENSIONS,
        "embedding_tries": 1,
    }
    return settings.model_copy(update=changes)


def search_with(bench: Bench, models: Embedders) -> Search:
    """A process that searches, and asks each time which model is searched."""
    searched = SearchedModel(bench.tools.sessions, models, clock=iter(range(0, 10**6, 10)).__next__)
    return Search(bench.tools.sessions, searched, embedding_seconds=5)


def switching_with(bench: Bench, models: Embedders) -> Switching:
    """An operator's process."""
    embedding = Embedding(bench.tools.sessions, models, bench.settings.database_url)
    return Switching(bench.tools.sessions, embedding, bench.settings.database_url)


async def by_vector(search: Search, bench: Bench, words: str) -> list[str]:
    """The texts that are nearest to words, by vectors alone."""
    found = await search.find(await bench.rows.project(), Query(words, Mode.VECTOR))
    return [hit.row.text for hit in found.hits]


async def test_models_change_without_a_search_that_finds_nothing(bench: Bench, endpoint: Endpoint) -> None:
    """Searches go by the old model until the last vector is there, and by the new one from then on."""
    await file_document(bench, ["the dog barked"] * 3 + ["a hound was heard"])
    made: list[int] = []
    async with open_embedders(with_next(bench.settings, endpoint)) as models:
        assert models.coming is not None
        search = search_with(bench, models)
        assert len(await by_vector(search, bench, "dog")) == 4
        assert endpoint.asked == []
        await switching_with(bench, models).switch(models.coming, made.append)
        assert made == [4]
        endpoint.asked.clear()
        assert (await by_vector(search, bench, "a hound was heard"))[0] == "a hound was heard"
        assert [asked["input"] for asked in endpoint.asked] == [["a hound was heard"]]


async def test_a_switch_that_was_cut_off_goes_on(bench: Bench, endpoint: Endpoint) -> None:
    """Vectors that were made are not made again, and nothing changes before all are there."""
    await file_document(bench, ["text"] * (CHUNKS_AT_ONCE + 5))
    settings = with_next(bench.settings, endpoint).model_copy(update={"embedding_batch_items": CHUNKS_AT_ONCE})
    async with open_embedders(settings) as models:
        assert models.coming is not None
        made: list[int] = []
        switching = switching_with(bench, models)

        def told(count: int) -> None:
            made.append(count)
            endpoint.refuse(500)

        with pytest.raises(EmbeddingUnavailable):
            await switching.switch(models.coming, told)
        assert made == [CHUNKS_AT_ONCE]
        _, known = await switching.models()
        assert {model.name: (model.searched, model.vectors) for model in known} == {
            OLD: (True, CHUNKS_AT_ONCE + 5),
            NEW: (False, CHUNKS_AT_ONCE),
        }
        await switching.switch(models.coming, made.append)
        assert made == [CHUNKS_AT_ONCE, 5]
        assert (await switching.models())[1][1] == ModelRead(NEW, DIMENSIONS, searched=True, vectors=CHUNKS_AT_ONCE + 5)


async def test_what_a_run_has_not_embedded_yet_keeps_nobody_waiting(bench: Bench, endpoint: Endpoint) -> None:
    """A document that is being processed gets its vectors from its own run."""
    await file_document(bench, ["done"])
    await file_document(bench, ["under way"], published=False, embedded=False)
    async with open_embedders(with_next(bench.settings, endpoint)) as models:
        assert models.coming is not None
        await switching_with(bench, models).switch(models.coming, lambda _: None)
        assert await _searched(bench) == NEW


NO_VECTORS = {"stages": ["ocr", "chunking"]}


async def test_what_leaves_vectors_out_gets_none(bench: Bench, endpoint: Endpoint) -> None:
    """Nothing is paid for a document that was submitted without; once it is run again with them, its chunks are no exception."""
    await file_document(bench, ["said nothing"])
    await file_document(bench, ["said all"], options={"stages": ["ocr", "chunking", "embedding", "entities"]})
    plain = await file_document(bench, ["without vectors"], embedded=False, options=NO_VECTORS)
    async with open_embedders(with_next(bench.settings, endpoint)) as models:
        assert models.coming is not None
        switching = switching_with(bench, models)
        await switching.switch(models.coming, lambda _: None)
        assert sorted(text for asked in endpoint.asked for text in asked["input"]) == ["said all", "said nothing"]
        assert await switching.models() == (
            2,
            [ModelRead(OLD, 256, searched=False, vectors=2), ModelRead(NEW, DIMENSIONS, searched=True, vectors=2)],
        )
        async with bench.tools.sessions() as session:
            document = await session.get(Document, plain.document_id)
        await file_document(bench, ["with vectors"], embedded=False, document=document)
        made: list[int] = []
        await switching.switch(models.coming, made.append)
        assert made == [1]
        assert endpoint.asked[-1]["input"] == ["with vectors"]


async def test_a_model_of_no_name_that_there_is_is_not_forgotten(bench: Bench, endpoint: Endpoint) -> None:
    """The error says which there are; the one that is meant has its vectors still."""
    async with open_embedders(with_next(bench.settings, endpoint)) as models:
        switching = switching_with(bench, models)
        with pytest.raises(EmbeddingModelNotFound, match="there are none"):
            await switching.forget(OLD)
        await file_document(bench, ["one"])
        with pytest.raises(EmbeddingModelNotFound, match=f"'wordllama'; those that there are: {OLD}"):
            await switching.forget("wordllama")
        assert (await switching.models())[1] == [ModelRead(OLD, 256, searched=True, vectors=1)]


async def test_the_old_model_is_forgotten_when_it_is_no_longer_searched(bench: Bench, endpoint: Endpoint) -> None:
    """Its vectors and index go; before the switch that is refused."""
    await file_document(bench, ["one", "two"])
    async with open_embedders(with_next(bench.settings, endpoint)) as models:
        assert models.coming is not None
        switching = switching_with(bench, models)
        with pytest.raises(StateConflict):
            await switching.forget(OLD)
        await switching.switch(models.coming, lambda _: None)
        assert await switching.forget(OLD) == 2
        assert await switching.models() == (2, [ModelRead(NEW, DIMENSIONS, searched=True, vectors=2)])
        assert len(await by_vector(search_with(bench, models), bench, "one")) == 2


async def test_a_process_without_the_searched_model_compares_no_other_vectors(bench: Bench, endpoint: Endpoint) -> None:
    """Its hybrid searches are answered by words, and say so; those by vector alone are refused."""
    await file_document(bench, ["the dog barked", "a hound was heard"])
    async with open_embedders(with_next(bench.settings, endpoint)) as models:
        assert models.coming is not None
        await switching_with(bench, models).switch(models.coming, lambda _: None)
    search = search_with(bench, replace(models, coming=None, offline=WordLlamaEmbedder()))
    found = await search.find(await bench.rows.project(), Query("dog"))
    assert [hit.row.text for hit in found.hits] == ["the dog barked"]
    assert [note.code for note in found.notes] == ["embedding_model_away"]
    with pytest.raises(EmbeddingModelAway):
        await by_vector(search, bench, "dog")


async def _searched(bench: Bench) -> str | None:
    async with bench.tools.sessions() as session:
        name: str | None = await session.scalar(text("SELECT name FROM embedding_models WHERE searched"))
        return name

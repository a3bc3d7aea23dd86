"""What a search is asked with, and what it answers."""

import html
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.api.schemas import DOCUMENT_ID, example
from app.knowledge.search import Filters, Found, Hit, Mode, Query
from app.knowledge.search_sql import HIGHLIGHT_BEGINS, HIGHLIGHT_ENDS

CHUNK_ID = "019aa6c1-9a10-7d2e-8c31-4b7f0e2d9c55"
ENTITY_ID = "019aa6c1-9b44-7a0f-9e1d-2c6b8f3a7d10"
BOX = {"page": 3, "left": 0.12, "top": 0.31, "width": 0.76, "height": 0.02}

HIT_EXAMPLE: dict[str, Any] = {
    "chunk_id": CHUNK_ID,
    "document_id": DOCUMENT_ID,
    "filename": "filing.pdf",
    "external_id": "case-1234/17",
    "number": 14,
    "heading": "II. Jurisdiction",
    "edges": None,
    "text": "The district court dismissed the complaint for lack of subject-matter jurisdiction.",
    "highlight": "The district court <mark>dismissed</mark> the complaint for lack of subject-matter <mark>jurisdiction</mark>.",
    "first_page": 3,
    "last_page": 3,
    "start": 8120,
    "end": 8203,
    "boxes": [BOX],
    "score": 0.0325,
    "text_rank": 1,
    "vector_rank": 2,
    "similarity": 0.71,
}
FILTERS_EXAMPLE: dict[str, Any] = {"document_ids": [DOCUMENT_ID], "created_after": "2026-01-01T00:00:00Z"}
REQUEST_EXAMPLE: dict[str, Any] = {
    "query": 'dismissed "subject-matter jurisdiction" -bankruptcy',
    "mode": "hybrid",
    "filters": FILTERS_EXAMPLE,
    "limit": 10,
}
NOTE_EXAMPLE = {
    "code": "embedding_unavailable",
    "detail": "Searched by words alone. The embedding model doesn't answer (ConnectError).",
}

# Postgres has no NUL in its text.
SearchText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=r"^[^\x00]*$")
]


class SearchFilters(BaseModel):
    """Which chunks are searched. Each filter narrows what the others leave; those that are left out don't."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [FILTERS_EXAMPLE]})

    document_ids: list[UUID] | None = Field(
        None, min_length=1, max_length=1000, description="Chunks of one of these documents."
    )
    batch_ids: list[UUID] | None = Field(
        None, min_length=1, max_length=100, description="Chunks of documents that were taken with one of these batches."
    )
    entity_ids: list[UUID] | None = Field(
        None, min_length=1, max_length=100, description="Chunks in which one of these entities is named."
    )
    created_after: AwareDatetime | None = Field(None, description="Of documents that came in at this time or later.")
    created_before: AwareDatetime | None = Field(None, description="Of documents that came in before this time.")

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        after, before = self.created_after, self.created_before
        if after is not None and before is not None and after >= before:
            raise ValueError("'created_after' has to be earlier than 'created_before'")
        return self


class SearchRequest(BaseModel):
    """What is searched for, and where."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [REQUEST_EXAMPLE]})

    query: SearchText = Field(
        description='Words that are all to be there; `"a phrase"`, `one or other`, `-not` as search engines have them. In every mode '
        "`-not` leaves out what has the word; phrases, `or` and that all are there go by words alone, which meaning doesn't know."
    )
    mode: Mode = Field(
        Mode.HYBRID, description="By words (`text`), by meaning (`vector`), or by both, fused by rank (`hybrid`)."
    )
    filters: SearchFilters = Field(default_factory=SearchFilters)
    min_similarity: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="What is found by meaning alone has at least this `similarity`; what the words find stays. Left out, the nearest are "
        "found however far they are, for no bound fits all queries; 0.3 keeps out most of what is far by the model that comes with Quire.",
    )
    limit: int = Field(10, ge=1, le=100, description="How many hits at most.")
    cursor: str | None = Field(None, max_length=200, description="`next` of the answer before, with the same search.")

    def query_from(self, offset: int) -> Query:
        """The search from a place in its ranking on."""
        filters = self.filters
        return Query(
            text=self.query,
            mode=self.mode,
            filters=Filters(
                document_ids=filters.document_ids,
                batch_ids=filters.batch_ids,
                entity_ids=filters.entity_ids,
                created_after=filters.created_after,
                created_before=filters.created_before,
            ),
            min_similarity=self.min_similarity,
            limit=self.limit,
            offset=offset,
        )


class ChunkBox(BaseModel):
    """Where a line of a chunk stands, in shares (0 to 1) of its page."""

    model_config = example(BOX)

    page: int
    left: float
    top: float
    width: float
    height: float


class SearchHit(BaseModel):
    """A chunk that was found."""

    model_config = example(HIT_EXAMPLE)

    chunk_id: UUID
    document_id: UUID
    filename: str | None
    external_id: str | None
    number: int = Field(description="Its place among the document's chunks, from 1.")
    heading: str | None = Field(description="The headings that most of it stands under, the outermost first.")
    edges: str | None = Field(
        description="Headers and footers of its pages that no chunk before it has, such as a court's stamp, a line each; the words find "
        "them, though `text` and its vector are without."
    )
    text: str
    highlight: str = Field(
        description="The parts of the text and edges that match, as HTML: escaped, with `<mark>` around the words searched for."
    )
    first_page: int
    last_page: int
    start: int = Field(description="Where it begins in the document's text (`…/text`), in characters from 0.")
    end: int = Field(description="Where it ends: the first character after it.")
    boxes: list[ChunkBox] = Field(description="Where its lines stand on the pages.")
    score: float = Field(description="By reciprocal rank; good for ordering, and for nothing else.")
    text_rank: int | None = Field(
        description="Its place among what the words find, from 1; null where they don't find it."
    )
    vector_rank: int | None = Field(description="Its place among what is near in meaning, from 1; null where it isn't.")
    similarity: float | None = Field(description="The cosine between its vector and the query's, where it was near.")

    @classmethod
    def of(cls, hit: Hit) -> Self:
        """A hit as it is shown."""
        row = hit.row
        return cls(
            chunk_id=row.id,
            document_id=row.document_id,
            filename=row.filename,
            external_id=row.external_id,
            number=row.number,
            heading=row.heading,
            edges=row.edges,
            text=row.text,
            highlight=marked(row.highlight),
            first_page=row.first_page,
            last_page=row.last_page,
            start=row.start_char,
            end=row.end_char,
            boxes=row.boxes,
            score=hit.fused.score,
            text_rank=hit.fused.places.get("text"),
            vector_rank=hit.fused.places.get("vector"),
            similarity=hit.similarity,
        )


class SearchNote(BaseModel):
    """Something about a search that its hits don't show."""

    model_config = example(NOTE_EXAMPLE)

    code: str = Field(
        description="`matches_not_all_ranked`, `words_not_found`, `stop_words_alone`, `negations_alone`, or the code of the error that "
        "kept vectors from being searched."
    )
    detail: str


class SearchResult(BaseModel):
    """What a search found, the best first."""

    model_config = example({"items": [HIT_EXAMPLE], "next": "bjEw", "notes": []})

    items: list[SearchHit]
    next: str | None = Field(
        description="The cursor of the next hits; null at the end, which comes after 500 at the latest."
    )
    notes: list[SearchNote]

    @classmethod
    def of(cls, found: Found, following: str | None) -> Self:
        """What was found as it is shown."""
        return cls(
            items=[SearchHit.of(hit) for hit in found.hits],
            next=following,
            notes=[SearchNote(code=note.code, detail=note.detail) for note in found.notes],
        )


def marked(highlight: str) -> str:
    """A highlight as HTML that is safe to show: all is escaped but the marks. The hyphen before a number is none of it."""
    escaped = html.escape(highlight.replace(f"{HIGHLIGHT_BEGINS}-", f"-{HIGHLIGHT_BEGINS}"), quote=False)
    return escaped.replace(HIGHLIGHT_BEGINS, "<mark>").replace(HIGHLIGHT_ENDS, "</mark>")

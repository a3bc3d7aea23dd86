# ruff: noqa: S608 (the statements are put together of parts of ours alone)
"""The statements of a search, built once for each shape that a search can have.

Two ways lead to the chunks that filters leave over. In a *narrow* search these are few: Postgres goes from the filters to the chunks
as it sees fit, and vectors are compared one by one. In a *wide* one they are many: the index of words or of vectors
yields chunks in its order, and each is looked at for the filters, until there are enough.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, DateTime, Integer, Text, TextClause, Uuid, bindparam, text

from app.knowledge.vector_index import half, quoted

NARROW_CHUNKS = 10_000
"""So many vectors are compared one by one, which misses none, at about 1 µs each (measured, 256 dimensions)."""

RARE_MENTIONS = 3000
"""So many ways from a mention to its chunks are gone in a search, each a lookup in an index."""

LEEWAY = 3
"""So many times as many of the nearest are taken from an index where some may have words that are not to be there."""

LOOKED_AT = 800
"""Vectors that the index weighs for one search. Of the ten nearest, 200 find 88 % among chunks of real texts, which lie close
together, 600 find 94 % and 800 find 96 %, for 7, 11 and 20 ms of 100,000."""

RANKED_MATCHES = 1000
"""Of words that are nearly everywhere, so many matches are ranked, at about 9 µs each (measured)."""

_TYPES: dict[str, Any] = {
    "project": Uuid(),
    "documents": ARRAY(Uuid()),
    "entities": ARRAY(Uuid()),
    "batches": ARRAY(Uuid()),
    "after": DateTime(timezone=True),
    "before": DateTime(timezone=True),
    "query": Text(),
    "unwanted": Text(),
    "vector": Text(),
    "ids": ARRAY(Uuid()),
    "most": Integer(),
}

_DATES = "d.created_at >= COALESCE(:after, '-infinity') AND d.created_at < COALESCE(:before, 'infinity')"


@dataclass(frozen=True, slots=True)
class Shape:
    """Which filters a search has, and whether they leave few chunks over."""

    documents: bool = False
    batches: bool = False
    dates: bool = False
    entities: bool = False
    unwanted: bool = False
    """Whether a search by vectors leaves out chunks that have certain words."""
    narrow: bool = False
    named_rarely: bool = False
    """Whether the entities are named so rarely that a search may begin with the places where they are."""


def _narrow(shape: Shape) -> list[str]:
    """Conditions on a row `c` of `document_chunks`, from which Postgres begins: what they name is looked up first."""
    conditions = ["c.project_id = :project"]
    if shape.documents:
        conditions.append("c.document_id = ANY(:documents)")
    if shape.batches:
        conditions.append("""c.document_id = ANY(ARRAY(
            SELECT i.document_id FROM batch_items AS i WHERE i.batch_id = ANY(:batches) AND i.status = 'taken'))""")
    if shape.dates:
        conditions.append(f"""c.document_id = ANY(ARRAY(
            SELECT d.id FROM documents AS d WHERE d.project_id = :project AND {_DATES}))""")
    if shape.entities and shape.named_rarely:
        # Chunks overlap, so that a mention stands in two at most; three leaves room for the edges.
        conditions.append("""c.id = ANY(ARRAY(
            SELECT around.id FROM entity_mentions AS m, LATERAL (
                SELECT n.id, n.end_char FROM document_chunks AS n
                WHERE n.job_id = m.job_id AND n.start_char <= m.start_char
                ORDER BY n.start_char DESC LIMIT 3
            ) AS around
            WHERE m.entity_id = ANY(:entities) AND around.end_char > m.start_char))""")
    elif shape.entities:
        conditions.append(_NAMED_IN_CHUNK)
    return conditions


def _wide(shape: Shape, row: str) -> list[str]:
    """Conditions on a row that an index yields.

    Each is a subquery that Postgres can only ask row by row: it would otherwise go through all that they leave over,
    however many, before it looks at the index.
    """
    conditions = [f"{row}.project_id = :project", f"(SELECT j.published FROM jobs AS j WHERE j.id = {row}.job_id)"]
    if shape.documents:
        conditions.append(f"{row}.document_id = ANY(:documents)")
    if shape.batches:
        conditions.append(f"""(
            SELECT true FROM batch_items AS i
            WHERE i.document_id = {row}.document_id AND i.batch_id = ANY(:batches) AND i.status = 'taken' LIMIT 1)""")
    if shape.dates:
        conditions.append(f"(SELECT {_DATES} FROM documents AS d WHERE d.id = {row}.document_id)")
    if shape.entities:
        conditions.append(_NAMED_IN_CHUNK if row == "c" else _NAMED_IN_CHUNK_OF_VECTOR)
    return conditions


# Each is asked of one chunk at a time, by the index of an entity's mentions.
_NAMED = """m.entity_id = ANY(:entities) AND m.document_id = c.document_id
            AND m.job_id = c.job_id AND m.start_char >= c.start_char AND m.start_char < c.end_char"""
_NAMED_IN_CHUNK = f"(SELECT true FROM entity_mentions AS m WHERE {_NAMED} LIMIT 1)"
_NAMED_IN_CHUNK_OF_VECTOR = f"""(
        SELECT true FROM document_chunks AS c, LATERAL (SELECT FROM entity_mentions AS m WHERE {_NAMED} LIMIT 1) AS named
        WHERE c.id = v.chunk_id)"""


@cache
def scope(shape: Shape) -> TextClause:
    """How many chunks the filters but that by entities leave over, counted to one beyond `NARROW_CHUNKS`."""
    where = " AND ".join(_narrow(replace(shape, entities=False)))
    return _text(
        f"SELECT count(*) FROM (SELECT FROM document_chunks AS c WHERE {where} LIMIT {NARROW_CHUNKS + 1}) AS found"
    )


@cache
def by_text(shape: Shape) -> TextClause:
    """Chunks that match a query of Postgres: `id` and `rank`, the best first, and `matches`, how many were ranked."""
    published = "(SELECT j.published FROM jobs AS j WHERE j.id = c.job_id)"
    conditions = [*_narrow(shape), published] if shape.narrow else _wide(shape, "c")
    return _text(f"""
        WITH asked AS (SELECT CAST(:query AS tsquery) AS query),
        matched AS MATERIALIZED (
            SELECT c.id, c.search FROM document_chunks AS c
            WHERE c.search @@ CAST(:query AS tsquery) AND {" AND ".join(conditions)}
            LIMIT {RANKED_MATCHES}
        )
        SELECT id, ts_rank_cd(search, query) AS rank, count(*) OVER () AS matches FROM matched, asked
        ORDER BY rank DESC, id LIMIT :most
    """)


@cache
def by_vector(shape: Shape, model: str, dimensions: int) -> TextClause:
    """Chunks by how near their vectors are to a query's: `id` and `distance` (0 to 2, by cosine), the nearest first."""
    return _by_each_vector(shape, model) if shape.narrow else _by_index(shape, model, dimensions)


def _by_each_vector(shape: Shape, model: str) -> TextClause:
    most = f"{LOOKED_AT}" if shape.unwanted else ":most"
    return _nearest(
        shape,
        f"""
        SELECT v.chunk_id AS id, v.embedding <=> CAST(:vector AS vector) AS distance
        FROM document_chunks AS c
        JOIN jobs AS j ON j.id = c.job_id AND j.published
        JOIN chunk_vectors AS v ON v.chunk_id = c.id AND v.model = {_literal(model)}
        WHERE {" AND ".join(_narrow(shape))}
        ORDER BY distance, v.chunk_id LIMIT {most}""",
    )


def _by_index(shape: Shape, model: str, dimensions: int) -> TextClause:
    """In an order that is nearly right (pgvector calls it relaxed), and put right in the end.

    Postgres takes it to be right: only another expression than the one it was asked for makes it sort.
    """
    most = f"least({LEEWAY} * :most, {LOOKED_AT})" if shape.unwanted else ":most"
    near = f"(v.embedding::{half(dimensions)}) <=> CAST(:vector AS {half(dimensions)})"
    return _nearest(
        shape,
        f"""
        SELECT v.chunk_id AS id, {near} AS distance FROM chunk_vectors AS v
        WHERE v.model = {_literal(model)} AND {" AND ".join(_wide(shape, "v"))}
        ORDER BY {near} LIMIT {most}""",
    )


def _nearest(shape: Shape, nearest: str) -> TextClause:
    """What is nearest, without what has unwanted words.

    These are looked for in what is nearest alone: a chunk's words take longer to look at than its vector, and were they in
    most chunks, a search would go through all of them.
    """
    clear = ""
    if shape.unwanted:
        clear = """WHERE (
            SELECT NOT c.search @@ CAST(:unwanted AS tsquery) FROM document_chunks AS c WHERE c.id = nearest.id)"""
    return _text(f"""
        WITH nearest AS MATERIALIZED ({nearest}
        )
        SELECT id, distance FROM nearest {clear} ORDER BY distance + 0, id LIMIT :most
    """)


HIGHLIGHT_BEGINS, HIGHLIGHT_ENDS = "\ue000", "\ue001"
"""Private characters of Unicode: no text means one, and whoever shows a hit can tell them from markup in the text."""

_OPTIONS = (
    f"StartSel={HIGHLIGHT_BEGINS}, StopSel={HIGHLIGHT_ENDS}, "
    'MaxFragments=2, MaxWords=40, MinWords=15, FragmentDelimiter=" … "'
)


def _literal(model: str) -> str:
    """A model's name in SQL; a colon in it begins no parameter."""
    return quoted(model).replace(":", r"\:")


def _text(statement: str) -> TextClause:
    names = {name for name in _TYPES if f":{name}" in statement}
    return text(statement).bindparams(*(bindparam(name, type_=_TYPES[name]) for name in names))


HITS = _text(f"""
    SELECT c.id, c.document_id, c.job_id, c.number, c.text, c.heading, c.edges, c.first_page, c.last_page, c.start_char,
        c.end_char, c.boxes, d.filename, d.external_id,
        ts_headline('english', translate(concat_ws(E'\n', c.text, c.edges), '{HIGHLIGHT_BEGINS}{HIGHLIGHT_ENDS}', ''),
            CAST(:query AS tsquery), '{_OPTIONS}') AS highlight
    FROM unnest(:ids) WITH ORDINALITY AS hit (id, place)
    JOIN document_chunks AS c ON c.id = hit.id
    JOIN documents AS d ON d.id = c.document_id
    ORDER BY hit.place
""")
"""What is shown of hits, in their order; highlights are made of these alone, for they are dear."""

RANKS = _text("""
    SELECT c.id, ts_rank_cd(c.search, CAST(:query AS tsquery)) AS rank FROM document_chunks AS c
    WHERE c.id = ANY(:ids) AND c.search @@ CAST(:query AS tsquery)
""")
"""How well those of some chunks that match a query do, as `by_text` says it."""

AS_POSTGRES = _text("""
    SELECT websearch_to_tsquery('english', :query)::text AS query, websearch_to_tsquery('english', :unwanted)::text AS unwanted
""")
"""What is asked for and what is not to be there, in websearch syntax, as the other statements have to be told it: as Postgres
writes queries. One without a word that is searched for is empty."""

FAMILY = _text("SELECT e.id FROM entities AS e WHERE e.id = ANY(:entities) OR e.merged_into = ANY(:entities)")
"""Entities and what was merged into them: what the other statements have to be told as `entities`."""

MENTIONS = _text(f"""
    SELECT count(*) FROM (
        SELECT FROM entity_mentions AS m WHERE m.entity_id = ANY(:entities) LIMIT {RARE_MENTIONS + 1}) AS found
""")
"""How often entities are named, counted to one beyond `RARE_MENTIONS`."""

SETTINGS = text(f"""
    SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', '{LOOKED_AT}', true),
        set_config('enable_sort', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true),
        set_config('statement_timeout', '10s', true)
""")
"""For a transaction of searches: a query by index never becomes one that sorts all vectors, and plans know the filters."""

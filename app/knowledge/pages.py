"""The pages of a run as they are read on: their text, their lines and what analysis found, a batch at a time."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from app import at_hand
from app.db import Sessions, one_statement, table_of
from app.documents.models import Page
from app.documents.page_writing import stored
from app.ocr.blocks import PageText
from app.text.lines import PageContent

pages = table_of(Page)

PAGES_AT_ONCE = 25
"""A page of lines and words takes about 0.2 MB of memory, a dense one 1 MB."""

KEPT_PAGES = 5
"""All pages of a document that has no more stay at hand, while the stages that read them run in one task."""

CONSIDERED = ("tables", "layout")
"""What analysis has found that says something of a text's structure."""


@dataclass(frozen=True, slots=True)
class PageBatch:
    """Pages in a row."""

    pages: list[PageContent]
    is_last: bool
    """Whether no page follows; such a batch may have no pages itself."""

    def is_all(self, page_count: int) -> bool:
        """Whether these are all pages of a document that has so many."""
        return self.is_last and len(self.pages) == page_count


def keep(job_id: UUID, texts: Sequence[PageText]) -> None:
    """Have all pages of a run at hand as they were just written, where they are few."""
    if len(texts) <= KEPT_PAGES:
        in_order = sorted(texts, key=lambda page: page.number)
        at_hand.keep(job_id, PageBatch([_of_text(page) for page in in_order], is_last=True))


async def page_batches(sessions: Sessions, job_id: UUID, page_count: int) -> AsyncIterator[PageBatch]:
    """All pages of a run, in order; the last batch says so. `page_count` is how many there should be."""
    if (all_of_them := at_hand.find(job_id, PageBatch)) is not None:
        yield all_of_them
        return
    after, is_last = 0, False
    while not is_last:
        async with one_statement(sessions) as session:
            rows = (await session.execute(_NEXT, {"job": job_id, "after": after, "most": PAGES_AT_ONCE})).all()
        after = rows[-1].number if rows else after
        is_last = len(rows) < PAGES_AT_ONCE or after >= page_count
        batch = PageBatch([_content(*row) for row in rows], is_last)
        if is_last and len(rows) == after <= KEPT_PAGES:
            at_hand.keep(job_id, batch)
        yield batch


def _of_text(page: PageText) -> PageContent:
    considered = {name: found for name in CONSIDERED if (found := getattr(page, name))}
    return PageContent(page.number, stored(page.text), page.lines, considered, page.rotation_degrees)


def _content(
    number: int, text: str, lines: list[dict[str, Any]], analysis: Mapping[str, object], turned: int
) -> PageContent:
    return PageContent(number, text, lines, {name: analysis[name] for name in CONSIDERED if name in analysis}, turned)


_NEXT = (
    select(pages.c.number, pages.c.text, pages.c.lines, pages.c.analysis, pages.c.rotation_degrees)
    .where(pages.c.job_id == bindparam("job"), pages.c.number > bindparam("after"))
    .order_by(pages.c.number)
    .limit(bindparam("most"))
)

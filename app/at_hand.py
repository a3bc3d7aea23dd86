"""What one stage of a short document has read, at hand for the next one in the same task.

It lasts as long as the claim that the stages run under: nobody else changes the document's pages meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar
from uuid import UUID

Kept = TypeVar("Kept")

_AT_HAND: ContextVar[dict[tuple[type, UUID], object] | None] = ContextVar("at_hand", default=None)


@contextmanager
def at_hand() -> Iterator[None]:
    """Keep things at hand while this lasts; without it, nothing is kept."""
    token = _AT_HAND.set({})
    try:
        yield
    finally:
        _AT_HAND.reset(token)


def keep(job_id: UUID, thing: object) -> None:
    """Have something of a job at hand, in place of another of its type."""
    kept = _AT_HAND.get()
    if kept is not None:
        kept[type(thing), job_id] = thing


def find(job_id: UUID, kind: type[Kept]) -> Kept | None:
    """What is at hand of a job, of some type."""
    thing = (_AT_HAND.get() or {}).get((kind, job_id))
    return thing if isinstance(thing, kind) else None

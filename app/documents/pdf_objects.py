"""Following the references of a PDF's objects."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pikepdf


def reached(values: Iterable[Any], seen: set[tuple[int, int]], within: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
    """Some values and all that they refer to, in no order, without the indirect objects that are `seen` already.

    `within` says what is followed of a dictionary or a stream.
    """
    waiting = [*values]
    while waiting:
        value = waiting.pop()
        if is_indirect(value):
            if value.objgen in seen:
                continue
            seen.add(value.objgen)
        yield value
        if isinstance(value, pikepdf.Array):
            waiting.extend(value)
        elif isinstance(value, pikepdf.Dictionary | pikepdf.Stream):
            waiting.extend(within(value))


def is_indirect(value: Any) -> bool:
    """Whether a value is an object of its own in the file, and not a plain one."""
    return isinstance(value, pikepdf.Dictionary | pikepdf.Array | pikepdf.Stream) and value.is_indirect

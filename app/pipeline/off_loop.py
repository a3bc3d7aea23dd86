"""Work that would keep the event loop from its leases, done in a process of its own."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_process

from app.errors import WorkerLost
from app.text.lines import PageContent
from app.turns import aside

FEW_LINES, FEW_CHARACTERS = 200, 12_000
"""So little, some three pages, is read within milliseconds: handing it to another process and back takes longer, of both."""

Given = ParamSpec("Given")
Result = TypeVar("Result")


async def off_loop(function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """What a function of a module returns; what it is given and gives back is pickled. Raises `WorkerLost`.

    There are as many processes as the machine has cores at most; they stay for the next call.
    """
    try:
        async with aside():
            return await anyio.to_process.run_sync(partial(function, *args, **kwargs), cancellable=True)
    except anyio.BrokenWorkerProcess as error:
        raise WorkerLost("The process that was working on the document died.") from error


async def off_loop_if_long(
    pages: Sequence[PageContent], function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result:
    """The same for what is done with some pages; where they are short, it is done here. Raises `WorkerLost`."""
    return function(*args, **kwargs) if are_short(pages) else await off_loop(function, *args, **kwargs)


def are_short(pages: Sequence[PageContent]) -> bool:
    """Whether pages are read within milliseconds. Those with tables are not: a table may have any number of empty cells."""
    lines, characters = sum(len(page.lines) for page in pages), sum(len(page.text) for page in pages)
    return (
        lines <= FEW_LINES and characters <= FEW_CHARACTERS and not any(page.analysis.get("tables") for page in pages)
    )

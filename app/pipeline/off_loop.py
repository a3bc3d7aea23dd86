"""Work that would keep the event loop from its leases, done in a process of its own."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_process

from app.errors import WorkerLost
from app.turns import aside

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

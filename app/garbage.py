"""Python's search for garbage, as seldom as suits processes that hold many small objects without cycles."""

import gc

THRESHOLDS = (50_000, 20, 20)
"""By Python's own, a tenth of the time goes into looking, and a process with thousands of open streams stops for
hundreds of milliseconds each time."""


def look_seldom() -> None:
    """Look only after very many new objects. For the start of a process: it is the whole process's setting."""
    gc.set_threshold(*THRESHOLDS)


def keep_what_is_there() -> None:
    """Never look again among what there is now: modules, models, and what a process has opened for its whole life."""
    gc.collect()
    gc.freeze()

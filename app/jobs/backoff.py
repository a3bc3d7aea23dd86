"""How long to wait before trying again."""

import random
from datetime import timedelta


def full_jitter(attempt: int, *, base_seconds: float, max_seconds: float) -> timedelta:
    """A random delay between nothing and `base * 2^attempt`, capped; the first attempt is number 0.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("full jitter").
    """
    ceiling = min(max_seconds, base_seconds * 2 ** min(attempt, 30))
    return timedelta(seconds=random.uniform(0, ceiling))  # noqa: S311 (spreads load, guards nothing)

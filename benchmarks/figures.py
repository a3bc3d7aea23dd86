"""Figures out of runs: medians, percentiles and ratios, as lines of a table."""

import statistics
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of the values doesn't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def milliseconds(values: Sequence[float]) -> str:
    """A sample of seconds as its median, 95th and 99th percentile in milliseconds."""
    shares = (0.5, 0.95, 0.99)
    p50, p95, p99 = (percentile(values, share) * 1000 for share in shares)
    return f"p50 {p50:7.1f} ms   p95 {p95:7.1f} ms   p99 {p99:7.1f} ms   (n={len(values)})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of pairs of runs that were made in turn, ours over theirs."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def verdict(figure: float, most: float, unit: str = "") -> str:
    """A figure beside its target, and whether it holds."""
    return f"{figure:.2f}{unit} (target: at most {most:g}{unit}) {'holds' if figure <= most else 'FALLS SHORT'}"

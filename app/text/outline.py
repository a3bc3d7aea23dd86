"""How deep headings and items are: each style nests in the one that it first came under."""

from dataclasses import dataclass, field

MOST_LEVELS = 6

RANKS = {"part": 1, "title": 1, "chapter": 1, "article": 1}
UNRANKED = 4
"""A style is never under one of a higher rank; those of one rank nest as they first come."""


@dataclass(slots=True)
class Items:
    """The styles of the items of lists that are open, from the outermost in, each with where its marker stands."""

    open: list[tuple[str, float]] = field(default_factory=list)

    def level(self, style: str, left: float, slack: float) -> int:
        """The level of an item, from 1; it closes what is deeper, and what stands further right by more than the slack."""
        styles = [each for each, _ in self.open]
        if style in styles:
            del self.open[styles.index(style) :]
        else:
            self.open = [each for each in self.open if each[1] <= left + slack][: MOST_LEVELS - 1]
        self.open.append((style, left))
        return len(self.open)

    def close(self) -> None:
        """Forget all that is open."""
        self.open.clear()


@dataclass(slots=True)
class Outline:
    """The styles that are open, from the outermost in, each with its rank."""

    open: list[tuple[str, int]] = field(default_factory=list)

    def level(self, style: str, rank: int = UNRANKED) -> int:
        """The level of what comes now, from 1; it closes what is deeper."""
        styles = [each for each, _ in self.open]
        if style in styles:
            del self.open[styles.index(style) + 1 :]
            return len(self.open)
        self.open = [each for each in self.open if each[1] <= rank][: MOST_LEVELS - 1]
        self.open.append((style, rank))
        return len(self.open)

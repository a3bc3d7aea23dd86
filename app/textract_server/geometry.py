"""Places on a page: boxes and polygons from 0 to 1, and what turning a page does to them."""

import math
from dataclasses import dataclass
from enum import IntEnum

Point = tuple[float, float]
Polygon = tuple[Point, Point, Point, Point]


class QuarterTurns(IntEnum):
    """How often a page must be turned by 90 degrees, clockwise, to stand upright."""

    NONE = 0
    ONE = 1
    TWO = 2
    THREE = 3

    @classmethod
    def from_degrees(cls, degrees: int) -> "QuarterTurns":
        """Quarter turns from clockwise degrees, which may be negative or more than a whole turn."""
        return cls(round(degrees / 90) % 4)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle along the axes."""

    left: float
    top: float
    right: float
    bottom: float

    def polygon(self) -> Polygon:
        """Corners from the top left, clockwise."""
        return (self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)

    def sides(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        return self.left, self.top, self.right, self.bottom


WHOLE_PAGE = Box(0.0, 0.0, 1.0, 1.0)


def bounds(polygon: Polygon) -> Box:
    """Return the smallest box around a polygon."""
    across, down = zip(*polygon, strict=True)
    return Box(min(across), min(down), max(across), max(down))


def union(boxes: list[Box]) -> Box:
    """Return the smallest box around boxes."""
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


def in_input_frame(box: Box, turns: QuarterTurns) -> Polygon:
    """Map a box of the upright page to the page as it was given.

    The polygon still starts at the text's own top left: on a page that stands on its head this is the bottom right.
    """
    first, second, third, fourth = (_turned_back(point, turns) for point in box.polygon())
    return first, second, third, fourth


def turned(box: Box, turns: QuarterTurns) -> Box:
    """Turn a box with its page, clockwise."""
    back = QuarterTurns(-turns % 4)
    first, second, third, fourth = (_turned_back(point, back) for point in box.polygon())
    return bounds((first, second, third, fourth))


@dataclass(frozen=True, slots=True)
class Tilt:
    """How a levelled picture of a page stands on the tilted one: degrees, and the sizes of both in pixels."""

    degrees: float
    level_size: tuple[int, int]
    tilted_size: tuple[int, int]

    def box(self, box: Box) -> Box:
        """Map a box of the levelled picture to the smallest one around it on the tilted picture."""
        first, second, third, fourth = (self._point(point) for point in box.polygon())
        around = bounds((first, second, third, fourth))
        left, top, right, bottom = (min(1.0, max(0.0, each)) for each in around.sides())
        return Box(left, top, right, bottom)

    def _point(self, point: Point) -> Point:
        across = (point[0] - 0.5) * self.level_size[0]
        down = (point[1] - 0.5) * self.level_size[1]
        sine, cosine = math.sin(math.radians(self.degrees)), math.cos(math.radians(self.degrees))
        width, height = self.tilted_size
        return 0.5 + (across * cosine - down * sine) / width, 0.5 + (across * sine + down * cosine) / height


def _turned_back(point: Point, turns: QuarterTurns) -> Point:
    across, down = point
    match turns:
        case QuarterTurns.ONE:
            return down, 1.0 - across
        case QuarterTurns.TWO:
            return 1.0 - across, 1.0 - down
        case QuarterTurns.THREE:
            return 1.0 - down, across
        case _:
            return across, down

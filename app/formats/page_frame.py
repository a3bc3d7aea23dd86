"""Where a PDF page's places are: from shares of the page as it is shown to the page's own coordinates, as PDFium has it.

Crop boxes, `/Rotate` and boxes that are missing or wrong are PDFium's matter: engines see the page as it renders it.
"""

import ctypes
from dataclasses import dataclass

import pypdfium2  # type: ignore[import-untyped]  # it ships no types
from pypdfium2 import raw as pdfium

Point = tuple[float, float]

_STEPS = 1 << 20
"""What a page's sides are counted in where PDFium is asked: it takes whole numbers only."""


@dataclass(frozen=True, slots=True)
class PageFrame:
    """The page's top left corner in its own coordinates, and what its whole width and height are there."""

    origin: Point
    across: Point
    down: Point

    @classmethod
    def of(cls, sheet: pypdfium2.PdfPage) -> "PageFrame":
        """The frame of an open page."""
        (x, y), (ax, ay), (dx, dy) = (_own(sheet, *point) for point in ((0, 0), (_STEPS, 0), (0, _STEPS)))
        return cls((x, y), (ax - x, ay - y), (dx - x, dy - y))

    def point(self, left: float, top: float) -> Point:
        """A place, in points of the page's own coordinates."""
        x, y = self.vector(left, top)
        return self.origin[0] + x, self.origin[1] + y

    def vector(self, left: float, top: float) -> Point:
        """A way to go, in points of the page's own coordinates."""
        return left * self.across[0] + top * self.down[0], left * self.across[1] + top * self.down[1]

    def share(self, x: float, y: float) -> Point:
        """The way back: a place of the page's own coordinates, as shares of the page as it is shown."""
        (ax, ay), (dx, dy) = self.across, self.down
        x, y, area = x - self.origin[0], y - self.origin[1], ax * dy - ay * dx
        return (x * dy - y * dx) / area, (ax * y - ay * x) / area

    @property
    def is_flat(self) -> bool:
        """Whether the page has no area, and so no places."""
        return abs(self.across[0] * self.down[1] - self.across[1] * self.down[0]) < 1e-6  # noqa: PLR2004 (points²)


def _own(sheet: pypdfium2.PdfPage, across: int, down: int) -> Point:
    x, y = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDF_DeviceToPage(sheet.raw, 0, 0, _STEPS, _STEPS, 0, across, down, x, y)
    return x.value, y.value

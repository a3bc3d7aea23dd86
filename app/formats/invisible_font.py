"""A font without ink for a PDF's text layer: every character has an empty glyph, and says which character it is.

A simple TrueType font (ISO 32000-1, 9.6.3); ToUnicode says what its codes mean. One has room for 223 characters, so a
document with more has several, which differ in meanings alone. Letters are about as wide as those of print, by few widths:
words then stand where they should with few changes of stretch, and a part of one is selected where it is seen. Glyphs are
strokes without area: nothing to see, but a box for readers that highlight what is selected by glyphs' boxes.
"""

import io
import zlib
from dataclasses import dataclass, field
from itertools import groupby

import pikepdf
from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]  # it ships no types
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]  # it ships no types
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable  # type: ignore[import-untyped]  # it ships no types
from fontTools.ttLib.tables._g_l_y_f import Glyph  # type: ignore[import-untyped]  # it ships no types
from pikepdf import Array, Dictionary, Name, Stream

NAME = "QuireInvisible"
UNITS = 1000
DESCENT = -1
"""Readers take a descent of nothing for one that isn't stated, and suppose their own."""
MOST_FACES = 200

_FIRST, _LAST = 0x20, 0xFF
_ASCII = range(0x20, 0x7F)
"""Plain letters are their own codes: streams of words are then as small as words are."""
_FREE = range(0x80, 0x100)
_MAPPINGS_AT_ONCE = 100
_SYMBOLIC = 4
_USUAL, _WIDEST = 530, 980
_WIDTHS = {
    code: width
    for width, letters in {
        220: "!'.,:|",
        280: " ;ijl",
        330: "t()/[]\\`",
        370: "frI-{}*^",
        400: 's"',
        470: "aceJz?134689_",
        600: "SFPZ&",
        650: "BLT$<>+=~#",
        720: "ACERVYw",
        780: "DGHKNOQUX",
        840: "m%",
        _WIDEST: "MW@",
    }.items()
    for code in letters.encode("ascii")
}
"""Of plain letters that are not of the usual width, in thousandths of the font's size: as measured on scanned court filings
in common faces, where half of all words are within 1.5 per cent of what their letters add up to."""
_ESCAPED = {ord(char): f"\\{char}".encode() for char in "()\\"}

_MAP_HEAD = """\
/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<00> <FF>
endcodespacerange
"""
_MAP_FOOT = "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"


@dataclass(slots=True)
class InvisibleFont:
    """The faces of one document's font. They can be referred to from the beginning, and are whole once it is finished."""

    document: pikepdf.Pdf
    faces: list[Dictionary] = field(default_factory=list)
    _places: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Which face, and which code, each character has."""
    _free: list[int] = field(default_factory=list)

    @property
    def is_unused(self) -> bool:
        """Whether no text was written with it."""
        return not self.faces

    def encoded(self, text: str) -> list[tuple[int, bytes]]:
        """A text as strings of codes, each in a face; characters beyond the font's room are left out."""
        places = [place for character in text if (place := self._place(character)) is not None]
        return [
            (face, b"".join(_ESCAPED.get(code, bytes([code])) for _, code in run))
            for face, run in groupby(places, key=lambda place: place[0])
        ]

    def width(self, text: str) -> float:
        """How far a text moves the pen, by the font's size."""
        places = [place for character in text if (place := self._place(character)) is not None]
        return sum(_width(code) for _, code in places) / UNITS

    def finish(self) -> None:
        """Write what the faces are made of."""
        program = _program()
        descriptor = self.document.make_indirect(
            Dictionary(
                Type=Name.FontDescriptor,
                FontName=Name(f"/{NAME}"),
                Flags=_SYMBOLIC,
                FontBBox=Array([0, DESCENT, _WIDEST, UNITS]),
                ItalicAngle=0,
                Ascent=UNITS,
                Descent=DESCENT,
                CapHeight=UNITS,
                StemV=80,
                MissingWidth=_USUAL,
                FontFile2=self._stream(program, Length1=len(program)),
            )
        )
        widths = self.document.make_indirect(Array([_width(code) for code in range(_FIRST, _LAST + 1)]))
        for number, face in enumerate(self.faces):
            face.FontDescriptor, face.Widths = descriptor, widths
            face.ToUnicode = self._stream(self._meanings(number).encode("ascii"))

    def _place(self, character: str) -> tuple[int, int] | None:
        if character not in self._places:
            if not self.faces:
                self._begin_face()
            if ord(character) in _ASCII:
                self._places[character] = (0, ord(character))
            else:
                if not self._free:
                    if len(self.faces) == MOST_FACES:
                        return None
                    self._begin_face()
                self._places[character] = (len(self.faces) - 1, self._free.pop(0))
        return self._places[character]

    def _begin_face(self) -> None:
        face = Dictionary(
            Type=Name.Font, Subtype=Name.TrueType, BaseFont=Name(f"/{NAME}"), FirstChar=_FIRST, LastChar=_LAST
        )
        self._free = [*_FREE] if not self.faces else [*_ASCII[1:], *_FREE]
        self.faces.append(self.document.make_indirect(face))

    def _meanings(self, face: int) -> str:
        pairs = [
            f"<{code:02X}> <{_utf16(character)}>\n" for character, (of, code) in self._places.items() if of == face
        ]
        groups = [pairs[start : start + _MAPPINGS_AT_ONCE] for start in range(0, len(pairs), _MAPPINGS_AT_ONCE)]
        body = "".join(f"{len(group)} beginbfchar\n{''.join(group)}endbfchar\n" for group in groups)
        return _MAP_HEAD + body + _MAP_FOOT

    def _stream(self, content: bytes, **entries: int) -> Stream:
        return self.document.make_stream(compressed(content), Filter=Name.FlateDecode, **entries)


def compressed(content: bytes) -> bytes:
    """A stream's bytes, as small as Flate makes them."""
    return zlib.compress(content, 9)


def _utf16(character: str) -> str:
    return character.encode("utf-16-be", "surrogatepass").hex().upper()


def _width(code: int) -> int:
    return _WIDTHS.get(code, _USUAL)


def _program() -> bytes:
    """A TrueType font of a glyph for each width, which all codes of that width lead to; the same bytes every time."""
    widths = [_USUAL, *sorted({_USUAL, *_WIDTHS.values()})]
    glyphs = [".notdef", *map(_glyph_name, widths[1:])]
    builder = FontBuilder(UNITS, isTTF=True)
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap({})
    builder.font["cmap"].tables = [_codes()]
    builder.setupGlyf({glyph: _glyph(width) for glyph, width in zip(glyphs, widths, strict=True)})
    builder.setupHorizontalMetrics({glyph: (width, 0) for glyph, width in zip(glyphs, widths, strict=True)})
    builder.setupHorizontalHeader(ascent=UNITS, descent=DESCENT)
    builder.setupNameTable({"familyName": NAME, "styleName": "Regular", "psName": NAME})
    builder.setupOS2(sTypoAscender=UNITS, sTypoDescender=DESCENT, usWinAscent=UNITS, usWinDescent=-DESCENT)
    builder.setupPost(keepGlyphNames=False)
    builder.updateHead(created=0, modified=0)  # else it says when it was made
    file = io.BytesIO()
    builder.save(file)
    return file.getvalue()


def _glyph(width: int) -> Glyph:
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((width, UNITS))
    pen.closePath()
    return pen.glyph()


def _glyph_name(width: int) -> str:
    return f"width{width}"


def _codes() -> CmapSubtable:
    """The table of a symbolic font's codes (ISO 32000-1, 9.6.6.4): the one for Macintosh, as they are."""
    table = CmapSubtable.newSubtable(0)
    table.platformID, table.platEncID, table.language = 1, 0, 0
    table.cmap = {code: _glyph_name(_width(code)) for code in range(_FIRST, _LAST + 1)}
    return table

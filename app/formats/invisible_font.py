"""A font without ink for a PDF's text layer: every character has an empty glyph, and says which character it is.

A composite font with a TrueType program of two glyphs (ISO 32000-1, 9.7): characters get codes in the order in which
they come up, all codes lead to one glyph of half the font's size, and ToUnicode says what they mean. The glyph is a
stroke without area: nothing to see, but a box for readers that highlight what is selected by the boxes of glyphs.
"""

import io
import zlib
from dataclasses import dataclass, field

import pikepdf
from fontTools.fontBuilder import FontBuilder  # type: ignore[import-untyped]  # it ships no types
from fontTools.pens.ttGlyphPen import TTGlyphPen  # type: ignore[import-untyped]  # it ships no types
from pikepdf import Array, Dictionary, Name, Stream

NAME = "QuireInvisible"
UNITS = 1000
ADVANCE = 0.5
"""How far each character moves the pen, by the font's size."""
MOST_CODES = 65_535
DESCENT = -1
"""Readers take a descent of nothing for one that isn't stated, and suppose their own."""
_MAPPINGS_AT_ONCE = 100
_SYMBOLIC_FIXED_PITCH = 5

_MAP_HEAD = """\
/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
"""
_MAP_FOOT = "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"


@dataclass(slots=True)
class InvisibleFont:
    """The font of one document, made when all its text is known; `reference` stands for it until then."""

    reference: Dictionary
    _codes: dict[str, int] = field(default_factory=dict)

    def encoded(self, text: str) -> str:
        """A text as a hexadecimal string of the font's codes; what is beyond the font's room means nothing."""
        for character in text:
            if character not in self._codes and len(self._codes) < MOST_CODES:
                self._codes[character] = len(self._codes) + 1
        return "".join(f"{self._codes.get(character, 0):04X}" for character in text)

    @property
    def is_unused(self) -> bool:
        """Whether no text was written with it."""
        return not self._codes

    def finish(self, document: pikepdf.Pdf) -> None:
        """Write the font into the document."""
        program = _program()
        font_file = _compressed(document, program, Length1=len(program))
        descriptor = Dictionary(
            Type=Name.FontDescriptor,
            FontName=Name(f"/{NAME}"),
            Flags=_SYMBOLIC_FIXED_PITCH,
            FontBBox=Array([0, DESCENT, int(UNITS * ADVANCE), UNITS]),
            ItalicAngle=0,
            Ascent=UNITS,
            Descent=DESCENT,
            CapHeight=UNITS,
            StemV=80,
            FontFile2=font_file,
        )
        descendant = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=Name(f"/{NAME}"),
            CIDSystemInfo=Dictionary(
                Registry=pikepdf.String("Adobe"), Ordering=pikepdf.String("Identity"), Supplement=0
            ),
            FontDescriptor=document.make_indirect(descriptor),
            DW=int(UNITS * ADVANCE),
            CIDToGIDMap=_compressed(document, b"\0\0" + b"\0\1" * len(self._codes)),
        )
        self.reference.DescendantFonts = Array([document.make_indirect(descendant)])
        self.reference.ToUnicode = _compressed(document, self._meanings().encode("ascii"))

    def _meanings(self) -> str:
        pairs = [f"<{code:04X}> <{_utf16(character)}>\n" for character, code in self._codes.items()]
        groups = [pairs[start : start + _MAPPINGS_AT_ONCE] for start in range(0, len(pairs), _MAPPINGS_AT_ONCE)]
        body = "".join(f"{len(group)} beginbfchar\n{''.join(group)}endbfchar\n" for group in groups)
        return _MAP_HEAD + body + _MAP_FOOT


def invisible_font(document: pikepdf.Pdf) -> InvisibleFont:
    """A font that pages of the document can refer to from now on."""
    font = Dictionary(
        Type=Name.Font, Subtype=Name.Type0, BaseFont=Name(f"/{NAME}"), Encoding=Name("/Identity-H")
    )  # its other members follow
    return InvisibleFont(document.make_indirect(font))


def compressed(content: bytes) -> bytes:
    """A stream's bytes, as small as Flate makes them."""
    return zlib.compress(content, 9)


def _compressed(document: pikepdf.Pdf, content: bytes, **entries: int) -> Stream:
    return document.make_stream(compressed(content), Filter=Name.FlateDecode, **entries)


def _utf16(character: str) -> str:
    return character.encode("utf-16-be", "surrogatepass").hex().upper()


def _program() -> bytes:
    """A TrueType font of two glyphs; the same bytes every time."""
    glyphs = [".notdef", "any"]
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((int(UNITS * ADVANCE), UNITS))
    pen.closePath()
    glyph = pen.glyph()
    builder = FontBuilder(UNITS, isTTF=True)
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap({})
    builder.setupGlyf(dict.fromkeys(glyphs, glyph))
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (int(UNITS * ADVANCE), 0)))
    builder.setupHorizontalHeader(ascent=UNITS, descent=DESCENT)
    builder.setupNameTable({"familyName": NAME, "styleName": "Regular", "psName": NAME})
    builder.setupOS2(sTypoAscender=UNITS, sTypoDescender=DESCENT, usWinAscent=UNITS, usWinDescent=-DESCENT)
    builder.setupPost(keepGlyphNames=False)
    file = io.BytesIO()
    builder.save(file)
    return file.getvalue()

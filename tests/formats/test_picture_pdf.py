"""Images as PDFs: the same bytes where that can be, the same pixels everywhere, and no larger than they were."""

import io
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Name
from PIL import ExifTags, Image, ImageChops, ImageOps, ImageStat

from app.formats.picture_pdf import picture_pdf
from tests.formats.sheets import shown

SIZE = (340, 440)
CMYK_TONES = 25
"""How far PDFium's printing inks are from Pillow's; an inverted image would be 100 tones off."""


def sheet(mode: str = "RGB") -> Image.Image:
    """A page whose corners differ, so that no turn of it is another's."""
    picture = Image.linear_gradient("L").resize(SIZE).convert("RGB")
    picture.paste((200, 30, 30), (0, 0, 120, 60))
    picture.paste((255, 255, 255), (200, 300, 340, 440))
    picture.paste((0, 0, 0), (20, 360, 60, 430))
    if mode in {"1", "P"}:
        # Without dithering, whose pixels no two ways of drawing show alike.
        grey = picture.convert("L").point(lambda value: 255 * (value > 127))
        return grey.convert("1") if mode == "1" else picture.quantize(64, dither=Image.Dither.NONE)
    return picture.convert(mode)


def made(folder: Path, content: bytes) -> Path:
    """The PDF of an image file."""
    (folder / "picture").write_bytes(content)
    picture_pdf(folder / "picture", folder / "picture.pdf")
    return folder / "picture.pdf"


def saved(picture: Image.Image, kind: str, **saving: object) -> bytes:
    """An image as a file."""
    file = io.BytesIO()
    picture.save(file, kind, **saving)
    return file.getvalue()


def difference(expected: Image.Image, path: Path, number: int = 1) -> float:
    """The mean difference of grey levels between an image and a page as it is drawn."""
    drawn = shown(path, number, width=expected.width)
    found = ImageChops.difference(expected.convert("RGB"), drawn.resize(expected.size))
    return max(ImageStat.Stat(found).mean)


def stream(path: Path) -> tuple[bytes, object]:
    """The raw bytes and the filter of the first page's image."""
    with pikepdf.open(path) as pdf:
        image = pdf.pages[0].Resources.XObject.Image
        return image.read_raw_bytes(), str(image.Filter)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_goes_in_as_it_is(tmp_path: Path, mode: str) -> None:
    """Its file is the stream, byte for byte, and it looks as Pillow shows it."""
    content = saved(sheet(mode), "JPEG", quality=90)
    path = made(tmp_path, content)
    assert stream(path) == (content, "/DCTDecode")
    assert difference(Image.open(io.BytesIO(content)), path) < (CMYK_TONES if mode == "CMYK" else 6)
    assert path.stat().st_size < 1.2 * len(content) + 1000


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_a_png_goes_in_as_it_is(tmp_path: Path, mode: str) -> None:
    """Its image data is the stream, byte for byte."""
    content = saved(sheet(mode), "PNG")
    data, how = stream(made(tmp_path, content))
    assert how == "/FlateDecode"
    assert data in content.replace(content[content.index(b"IDAT") - 4 : content.index(b"IDAT")], b"") or data in content
    assert difference(sheet(mode), tmp_path / "picture.pdf") < 3


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_shows_white_paper(tmp_path: Path, mode: str) -> None:
    """As engines see it."""
    picture = sheet("RGB").convert(mode)
    picture.putalpha(Image.linear_gradient("L").resize(SIZE))
    paper = Image.new("RGBA", SIZE, "white")
    paper.alpha_composite(picture.convert("RGBA"))
    assert difference(paper, made(tmp_path, saved(picture, "PNG"))) < 3


@pytest.mark.parametrize("saving", [{}, {"strip_size": 2000}])
def test_fax_stays_fax(tmp_path: Path, saving: dict[str, int]) -> None:
    """A CCITT strip goes in as it is, and several become one; either way the pixels are the same, and the file no larger."""
    content = saved(sheet("1"), "TIFF", compression="group4", **saving)
    data, how = stream(made(tmp_path, content))
    assert how == "/CCITTFaxDecode"
    assert bool(saving) or data in content
    assert difference(sheet("1"), tmp_path / "picture.pdf") < 3
    assert (tmp_path / "picture.pdf").stat().st_size < len(content) + 1500


@pytest.mark.parametrize(
    ("mode", "compression"),
    [
        ("L", "tiff_lzw"),
        ("RGB", "tiff_adobe_deflate"),
        ("P", None),
        ("CMYK", "tiff_lzw"),
        ("I;16", None),
        ("1", "packbits"),
    ],
)
def test_other_tiffs_lose_nothing(tmp_path: Path, mode: str, compression: str | None) -> None:
    """Encoded anew, in as little room."""
    picture = sheet("L").convert("I;16").point(lambda value: value * 256) if mode == "I;16" else sheet(mode)
    content = saved(picture, "TIFF", compression=compression)
    path = made(tmp_path, content)
    assert difference(sheet("L") if mode == "I;16" else picture, path) < (CMYK_TONES if mode == "CMYK" else 6)
    assert path.stat().st_size < 1.2 * len(content) + 1500


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG"])
def test_it_stands_upright(tmp_path: Path, orientation: int, kind: str) -> None:
    """However the image lies in its file, the page shows it as EXIF says it should be."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = saved(sheet(), kind, exif=exif)
    path = made(tmp_path, content)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    with pikepdf.open(path) as pdf:
        width, height = (float(side) for side in pdf.pages[0].mediabox[2:])
    assert (width > height) == (upright.width > upright.height)
    assert difference(upright, path) < 4


def test_each_frame_is_a_page_of_its_size(tmp_path: Path) -> None:
    """Frames of different sizes and resolutions, in order; one without a resolution is a sheet of letter paper."""
    first, second = sheet("1"), sheet("L").resize((680, 880))
    content = saved(first, "TIFF", save_all=True, append_images=[second], dpi=(40, 40))
    path = made(tmp_path, content)
    with pikepdf.open(path) as pdf:
        sizes = [[round(float(side)) for side in each.mediabox[2:]] for each in pdf.pages]
        assert [each.Resources.XObject.Image.Filter for each in pdf.pages][1] == Name.FlateDecode
    assert sizes[0] == [612, 792]
    assert difference(second, path, 2) < 4
    with pikepdf.open(made(tmp_path, saved(sheet(), "PNG"))) as pdf:
        assert [round(float(side)) for side in pdf.pages[0].mediabox[2:]] == [612, 792]


def test_many_frames_are_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held in memory one at a time, they come out as one document all the same."""
    monkeypatch.setattr("app.formats.picture_pdf.BYTES_AT_ONCE", 1)
    frames = [sheet("L").rotate(number) for number in range(5)]
    path = made(tmp_path, saved(frames[0], "TIFF", save_all=True, append_images=frames[1:]))
    for number, frame in enumerate(frames, 1):
        assert difference(frame, path, number) < 4

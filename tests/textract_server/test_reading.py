"""Pages are read by their looks at the size of their print, levelled and upright, and the same however they come."""

import io
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]  # it ships no types
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]  # it ships no types

from app.textract_server.formats import PdfDocument, Raster
from app.textract_server.geometry import Box, Tilt
from app.textract_server.languages import language_data, packaged_data
from app.textract_server.limits import ReadingLimits
from app.textract_server.page_image import (
    cells_across,
    is_blank,
    levelled,
    lies_on_its_side,
    print_height,
    sized,
    tilt,
)
from app.textract_server.reader import MANY_CELLS, PageReader
from app.textract_server.readings import PageReading
from tests.textract_server import sheets
from tests.textract_server.running import TextractServer, text_of

TEXT = "\n".join(sheets.SENTENCES)
READINGS = {"text_layer", "tesseract", "second_opinion"}
MORE_THAN_ONE = {"bombs", "large", "malformed", "multipage_tiff", "rotated", "truncated"}
"""The folders of documents whose pages differ in what it takes to read them."""


@pytest.fixture(scope="module")
def reader() -> Iterator[PageReader]:
    with PageReader(ReadingLimits()) as reader:
        yield reader


def text(reading: PageReading) -> str:
    return "\n".join(" ".join(word.text for word in line) for line in reading.lines)


def scan(scale: float = 1.0) -> Image.Image:
    image = sheets.picture(sheets.SENTENCES * 2)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("scale", [0.3, 0.5, 1.0, 2.0])
def test_print_of_any_size_is_brought_to_the_size_that_reads_best(reader: PageReader, scale: float) -> None:
    page = Raster(scan(scale), round(200 * scale))
    height = print_height(sized(page, 12_000_000).image)
    assert height is not None
    assert 13 <= height <= 26
    assert text(reader.read(page)) == "\n".join(sheets.SENTENCES * 2)


def test_a_page_is_never_enlarged_beyond_what_it_may_have() -> None:
    small = Raster(scan(0.3), 60)
    assert sized(small, 100_000).image.size == small.image.size
    enlarged = sized(small, 400_000).image
    assert small.image.width < enlarged.width
    assert enlarged.width * enlarged.height <= 401_000


@pytest.mark.parametrize("degrees", [-4.0, 2.5])
def test_tilted_lines_are_levelled_and_their_places_told_on_the_page_as_it_came(
    reader: PageReader, degrees: float
) -> None:
    level = scan()
    tilted = level.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=255)
    assert tilt(tilted) == pytest.approx(degrees, abs=0.3)
    read, straight = reader.read(Raster(tilted, 200)), reader.read(Raster(level, 200))
    assert text(read) == text(straight)
    frame = Tilt(degrees, level.size, level.size)
    for ours, theirs in zip(centres(read), (moved(frame, box) for box in boxes(straight)), strict=True):
        assert ours == pytest.approx(theirs, abs=0.01)


def boxes(reading: PageReading) -> list[Box]:
    return [word.box for line in reading.lines for word in line]


def centres(reading: PageReading) -> list[tuple[float, float]]:
    return [((box.left + box.right) / 2, (box.top + box.bottom) / 2) for box in boxes(reading)]


def moved(frame: Tilt, box: Box) -> tuple[float, float]:
    around = frame.box(box)
    return (around.left + around.right) / 2, (around.top + around.bottom) / 2


def test_level_pages_and_pictures_without_lines_are_left_alone() -> None:
    assert tilt(scan()) == 0.0
    assert tilt(Image.new("L", (800, 800), 255)) == 0.0
    assert print_height(Image.new("L", (800, 800), 255)) is None
    assert is_blank(Image.new("L", (800, 800), 255))
    assert not lies_on_its_side(Image.new("L", (800, 800), 255))


def test_a_page_on_its_side_is_told_from_one_that_stands() -> None:
    assert not lies_on_its_side(scan())
    assert lies_on_its_side(sheets.turned(scan(), 90))


def wide_table(rows: int, columns: int) -> tuple[Image.Image, list[str]]:
    """Draw a table of figures, and tell its rows."""
    image = Image.new("L", (140 * columns + 200, 60 * rows + 200), 255)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(28)
    cells = [[str(1000 + 37 * row + 411 * column) for column in range(columns)] for row in range(rows)]
    for row, column in ((row, column) for row in range(rows) for column in range(columns)):
        draw.text((100 + 140 * column, 100 + 60 * row), cells[row][column], fill=0, font=font)
    return image, [" ".join(row) for row in cells]


def test_a_table_of_many_columns_is_told_from_text_and_read_row_by_row(reader: PageReader) -> None:
    image, rows = wide_table(12, 16)
    assert cells_across(image) == 16
    assert cells_across(scan()) < MANY_CELLS
    assert cells_across(Image.new("L", (800, 800), 255)) == 1
    read = text(reader.read(Raster(image, 200))).split()
    assert read == " ".join(rows).split()
    # The pages after it are read as pages are.
    assert text(reader.read(Raster(scan(), 200))) == "\n".join(sheets.SENTENCES * 2)


def test_levelling_keeps_the_whole_page() -> None:
    assert levelled(scan(), 5.0).width > scan().width


def test_a_page_reads_the_same_whatever_was_read_before_it(reader: PageReader) -> None:
    """Tesseract remembers words of earlier pages unless told not to."""
    page = Raster(scan(0.5), 100)
    alone = reader.read(page)
    for line in sheets.SENTENCES:
        reader.read(Raster(sheets.picture([line.replace("the", "tne")] * 5), 200))
    assert reader.read(page) == alone


def test_a_language_that_is_not_there_is_named_with_the_place_where_it_was_looked_for(tmp_path: Path) -> None:
    assert language_data("eng+deu", None) == packaged_data()
    with pytest.raises(ValueError, match=r"fra.*TESSDATA_PREFIX") as refusal:
        language_data("eng+fra", None)
    assert str(packaged_data()) in str(refusal.value)
    with pytest.raises(ValueError, match="nothing") as refusal:
        language_data("eng", tmp_path)
    assert str(tmp_path) in str(refusal.value)


def test_a_folder_of_language_data_serves(tmp_path: Path) -> None:
    for name in ("eng", "osd"):
        (tmp_path / f"{name}.traineddata").symlink_to(packaged_data() / f"{name}.traineddata")
    with PageReader(ReadingLimits(language_data=tmp_path)) as reader:
        assert text(reader.read(Raster(scan(), 200))).startswith(sheets.SENTENCES[0])


def test_the_server_refuses_to_start_without_a_language(tmp_path: Path) -> None:
    server = TextractServer("http://127.0.0.1:9", tmp_path, {"OCR_LANGUAGES": "eng+xyz"})
    command = [sys.executable, "-m", "app.textract_server.main"]
    ended = subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "xyz.traineddata is not in" in ended.stderr


def test_two_processes_read_what_one_reads_and_every_page_leaves_a_trace(
    own_server: Callable[..., TextractServer], tmp_path: Path
) -> None:
    """Text, places and confidence are those of a sequential run; the trace has every page once, its times in order."""
    content = sheets.dense_pdf(4)
    trace = tmp_path / "trace.jsonl"
    server = own_server(OCR_WORKERS="2", TEXTRACT_SERVER_TRACE_FILE=str(trace))
    parallel = server.read(content, seconds=110)
    server.stop()
    server.settings |= {"OCR_PARALLEL_DISABLED": "true"}
    server.start()
    assert without_ids(server.read(content, seconds=110)) == without_ids(parallel)
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert sorted(event["page"] for event in events) == sorted([*range(1, 5), *range(1, 5)])
    assert all(event["queued_at"] <= event["started_at"] <= event["ended_at"] for event in events)
    assert [event["ended_at"] for event in events] == sorted(event["ended_at"] for event in events)
    assert {event["read_by"] for event in events} <= READINGS
    assert len({event["pid"] for event in events[4:]}) == 1
    assert all(event["confidence"] > 80 for event in events)


def without_ids(result: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (block["BlockType"], block.get("Text"), block.get("Confidence"), block["Geometry"], block["Page"])
        for block in result["Blocks"]
    ]


@pytest.mark.parametrize(("opinions", "workers", "documents"), [("off", "2", 12), ("on", "1", 2)])
def test_no_more_pages_are_in_hand_than_may_be_however_many_documents(
    own_server: Callable[..., TextractServer], tmp_path: Path, opinions: str, workers: str, documents: int
) -> None:
    """Two, by the trace: one with each of two page processes, or one with the only one, and one that gets a second opinion."""
    trace = tmp_path / "trace.jsonl"
    told = {"OCR_SECOND_OPINION": opinions, "OCR_SECOND_OPINION_CONFIDENCE": "100"}
    server = own_server(OCR_WORKERS=workers, TEXTRACT_SERVER_TRACE_FILE=str(trace), **told)
    jobs = [server.start_job(sheets.pdf(sheets.SENTENCES, [f"Document {number}"])) for number in range(documents)]
    for job in jobs:
        assert server.finished(job, seconds=110)["JobStatus"] == "SUCCEEDED"
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert len(events) == 2 * documents
    moments = sorted(
        (moment, step) for each in events for moment, step in ((each["started_at"], 1), (each["ended_at"], -1))
    )
    running = most = 0
    for _, step in moments:
        running += step
        most = max(most, running)
    assert most <= 2


def test_nothing_is_left_behind(own_server: Callable[..., TextractServer]) -> None:
    """Documents, repaired copies and open files are gone when their jobs have ended, well or badly."""
    server = own_server(OCR_TEXT_LAYER="auto")
    server.read(sheets.pdf(sheets.SENTENCES))
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    before = process.num_fds()
    for content in (sheets.pdf(sheets.SENTENCES), b"%PDF-1.4 broken", sheets.pdf(sheets.SENTENCES)[:-300]):
        server.read(content)
    assert not list((server.data_dir / "documents").iterdir())
    assert process.num_fds() <= before + 4


@pytest.mark.corpus
@pytest.mark.timeout(600)
def test_every_public_document_is_read_in_less_than_a_gigabyte(corpus: Path, tmp_path: Path) -> None:
    """The largest and oddest documents, a page of each, or two, in a process of their own whose memory is counted."""
    code = "import sys; from tests.textract_server.test_reading import read_all; read_all(sys.argv[1], sys.argv[2])"
    ended = subprocess.run(
        [sys.executable, "-c", code, str(corpus / "documents"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=580,
        check=True,
    )
    assert int(ended.stdout.split()[-1]) < 1000


def read_all(folder: str, scratch: str) -> None:
    """Read pages of every document and print the most memory that it took, in MB."""
    from app.textract_server import reading
    from app.textract_server.failures import ReadingError
    from app.textract_server.kinds import sniff
    from app.textract_server.readings import DocumentFile, PageRequest

    count = 0
    for path in sorted(Path(folder).glob("*/*")):
        kind = sniff(path.read_bytes()[:1024]) if path.parent.name != "gt" and path.is_file() else None
        if kind is None:
            continue
        try:
            copy = Path(shutil.copy(path, Path(scratch) / f"{path.parent.name}-{path.name}"))
            inspection = reading.inspect_document(DocumentFile(copy, kind))
            most = 2 if path.parent.name in MORE_THAN_ONE else 1
            for page in range(1, min(inspection.page_count, most) + 1):
                reading.read_page(PageRequest(inspection.file, page, numbered=True, limits=ReadingLimits()))
                count += 1
        except ReadingError:
            continue
    sys.stdout.write(f"{count} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000}")


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["forms_receipts/sroie_000.jpg", "tables/bill.png"])
def test_small_print_is_read_as_well_as_a_reader_of_scans_should(reader: PageReader, corpus: Path, name: str) -> None:
    image = Image.open(io.BytesIO((corpus / "documents" / name).read_bytes())).convert("L")
    truth = (corpus / f"documents/gt/{name}.txt").read_text().casefold().split()
    read = text(reader.read(Raster(image, 200))).casefold().split()
    wrong = Levenshtein.distance(" ".join(sorted(truth)), " ".join(sorted(read)))
    assert wrong < 0.25 * len(" ".join(truth))


def test_text_of_the_server_is_that_of_the_reader(server: TextractServer, reader: PageReader) -> None:
    assert text_of(server.read(sheets.encoded(scan(), "PNG"))) == text(reader.read(Raster(scan(), 200)))


def test_a_coarse_scan_is_drawn_at_its_own_resolution_and_a_fine_one_at_the_wanted(tmp_path: Path) -> None:
    """A page that is one picture of 72 dpi isn't drawn at 200; with a stamp on it, which is sharper, it is."""
    for dpi, stamped, drawn_at in ((72, False, 72), (300, False, 200), (72, True, 200)):
        path = tmp_path / "scan.pdf"
        canvas = Canvas(str(path), pagesize=(612, 396))
        canvas.drawImage(ImageReader(sheets.picture().resize((612 * dpi // 72, 396 * dpi // 72))), 0, 0, 612, 396)
        if stamped:
            canvas.drawString(30, 380, "Case 2:12-cv-01234   Document 17   Filed 03/18/14   Page 1 of 9")
        canvas.save()
        document = PdfDocument(path)
        assert document.raster(1, ReadingLimits()).dpi == drawn_at
        document.close()

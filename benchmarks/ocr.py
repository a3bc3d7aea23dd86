"""Reading pages: the Textract-compatible server against `tesseract`, OCRmyPDF and xberg, two processes each.

All read the same pictures of pages: those of the documents in QUIRE_CORPUS that have a ground truth, PDFs rendered at 200 dpi
beforehand. The server is driven as a Textract client would: documents in S3, Start for all, Get. Then the same for
born-digital PDFs, which it reads from their own text, and its words against those that AWS Textract gave for its samples.
"""

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import ratio
from benchmarks.ocr_corpus import BORN_DIGITAL, Sheets, character_errors, recall_and_precision, sheets, words_of
from benchmarks.ocr_readers import PROCESSES, Texts, lines_of, others, running_server, tesseract
from benchmarks.running import RunningStack

ROUNDS = 2
DIGITAL_ROUNDS = 3
COPIES = 24
"""How often each born-digital document is read: one alone is over before it can be timed."""
SERVER, ALONE = "server", "tesseract"
TARGET, DIGITAL_TARGET = 1.3, 50.0
DETECTIONS = {
    "in-table-title.png": "test_detect_no_duplicate_words_in-table-title.png.json",
    "paystub_tables.png": "test_detect_no_duplicate_words_paystub_tables.png.json",
    "reading_order.pdf": "test_detect_no_duplicate_words_reading_order.pdf.json",
    "receipt.jpg": "test_detect_no_duplicate_words_receipt.jpg.json",
    "sample-invoice.pdf": "test_detect_no_duplicate_words_sample-invoice.pdf.json",
    "single-page-1.png": "test_detect_document_text.json",
    "textractor-multipage-doc.pdf": "test_textractor_start_document_text_detection_multipage_pdf_s3.json",
    "signature.jpg": "test_signature.json",
    "financial-document.png": "financial-document-response.json",
    "twocol-header-footer-test-document.png": "test-twocol-header-footer-response.json",
    "multicol-test-document.png": "test-multicol-response.json",
}

Read = Callable[[Sequence[Path]], Awaitable[Texts]]


@dataclass(slots=True)
class Runs:
    """What one reader took, run by run, and what it read last."""

    seconds: list[float] = field(default_factory=list)
    texts: Texts = field(default_factory=dict)

    async def add(self, read: Read, pictures: Sequence[Path]) -> None:
        """Read all pictures once more."""
        began = time.perf_counter()
        self.texts = await read(pictures)
        self.seconds.append(time.perf_counter() - began)


async def run(stack: RunningStack) -> None:
    """Compare speed and errors on pictures, on born-digital documents, and with Textract's own answers."""
    print(f"\n(3) reading pages, {PROCESSES} processes each")
    corpus = os.environ.get("QUIRE_CORPUS")
    if corpus is None or shutil.which("tesseract") is None:
        print("  skipped: it needs QUIRE_CORPUS, and tesseract on the PATH")
        return
    with tempfile.TemporaryDirectory() as folder:
        documents = sheets(Path(corpus) / "documents", Path(folder))
        await _pictures(stack, documents)
        await _born_digital(stack, [each for each in documents if each.name in BORN_DIGITAL], Path(folder))
    await _textract_pairs(stack, Path(corpus) / "textract" / "pairs")


async def _pictures(stack: RunningStack, documents: list[Sheets]) -> None:
    pictures = [picture for document in documents for picture in document.pictures]
    runs = {SERVER: Runs(), ALONE: Runs()}
    async with running_server(stack, OCR_SECOND_OPINION="off") as server:
        await server.store(pictures)
        await server.texts(pictures[: 2 * PROCESSES])  # its page processes are started before anything counts
        for _ in range(ROUNDS):
            await runs[SERVER].add(server.texts, pictures)
            await runs[ALONE].add(tesseract, pictures)
    for name, read in others().items():
        runs[name] = Runs()
        await runs[name].add(read, pictures)
    async with running_server(stack, OCR_SECOND_OPINION="auto") as server:
        await server.texts(pictures[: 2 * PROCESSES])
        runs["server, with second opinions"] = Runs()
        await runs["server, with second opinions"].add(server.texts, pictures)
    _tell_pictures(documents, runs)


def _tell_pictures(documents: list[Sheets], runs: dict[str, Runs]) -> None:
    count = sum(len(document.pictures) for document in documents)
    for name, each in runs.items():
        speed, errors = count / statistics.median(each.seconds), character_errors(documents, each.texts)
        print(
            f"  {name:30} {speed:5.2f} pages/s   character errors {errors:6.2%}   ({len(each.seconds)} runs of {count})"
        )
    faster = 1 / ratio(runs[SERVER].seconds, runs[ALONE].seconds)
    print(f"  pages per second by those of tesseract   {faster:.2f} (target: {TARGET}) {_verdict(faster >= TARGET)}")
    ours = character_errors(documents, runs[SERVER].texts)
    fewest = min(character_errors(documents, runs[name].texts) for name in runs if not name.startswith(SERVER))
    print(f"  fewest errors of the others   {fewest:.2%} (ours: {ours:.2%}) {_verdict(ours < fewest)}")
    for document in documents:
        rates = [f"{name} {character_errors([document], each.texts):6.2%}" for name, each in runs.items()]
        print(f"    {document.name:50} {'   '.join(rates)}")


async def _born_digital(stack: RunningStack, documents: list[Sheets], folder: Path) -> None:
    """The PDFs as they are against pictures of their pages."""
    pictures = [picture for document in documents for picture in document.pictures]
    copies = [folder / f"{copy}-{each.path.name}" for each in documents for copy in range(COPIES)]
    for each, copy in zip((each for each in documents for _ in range(COPIES)), copies, strict=True):
        shutil.copyfile(each.path, copy)
    ours, theirs = Runs(), Runs()
    await theirs.add(tesseract, pictures)
    async with running_server(stack, OCR_SECOND_OPINION="off") as server:
        await server.store(copies)
        await server.texts(copies[:PROCESSES])
        for _ in range(DIGITAL_ROUNDS):
            await ours.add(server.texts, copies)
    speeds = len(pictures) * COPIES / statistics.median(ours.seconds), len(pictures) / theirs.seconds[0]
    texts = {each.pictures[0]: ours.texts[folder / f"0-{each.path.name}"] for each in documents}
    rest = {picture: "" for each in documents for picture in each.pictures[1:]}
    times = speeds[0] / speeds[1]
    print(f"  born-digital: server {speeds[0]:.1f} pages/s, tesseract {speeds[1]:.2f} pages/s on their pictures")
    print(f"    {times:.0f} times as fast (target: {DIGITAL_TARGET:.0f}) {_verdict(times >= DIGITAL_TARGET)}")
    print(f"    character errors: server {character_errors(documents, texts | rest):.2%}", end="")
    print(f", tesseract {character_errors(documents, theirs.texts):.2%}")


async def _textract_pairs(stack: RunningStack, folder: Path) -> None:
    print("  words against AWS Textract's own answers (recall, precision)")
    paths = [folder / name for name in DETECTIONS if (folder / name).exists()]
    async with running_server(stack, OCR_SECOND_OPINION="auto") as server:
        await server.store(paths)
        results = await server.read(paths)
    truths: list[str] = []
    found: list[str] = []
    for path, blocks in zip(paths, results, strict=True):
        real = json.loads((folder / DETECTIONS[path.name]).read_text())
        truth, read = words_of(lines_of(real["Blocks"])), words_of(lines_of(blocks))
        truths, found = truths + truth, found + read
        _tell_pair(path.name, truth, read)
    _tell_pair("all", truths, found)


def _tell_pair(name: str, truth: list[str], read: list[str]) -> None:
    recall, precision = recall_and_precision(truth, read)
    print(f"    {name:50} {recall:6.1%}   {precision:6.1%}   ({len(truth)} words)")


def _verdict(holds: bool) -> str:
    return "holds" if holds else "FALLS SHORT"

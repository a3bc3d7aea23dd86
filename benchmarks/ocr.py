"""(3) Pages per second of the Textract-compatible server against the `tesseract` command line, two processes each.

Both read the same pictures of pages: those of the documents in QUIRE_CORPUS that have a ground truth, PDFs rendered
at 200 dpi beforehand. The server is driven as a Textract client would: documents in S3, Start, Get. The command line
runs on one thread each, which is its fastest with two at once on two cores.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # it ships no types
from PIL import Image, ImageSequence
from rapidfuzz.distance import Levenshtein

from app.ocr.textract import client_config
from app.resources import aws_session
from benchmarks.figures import ratio
from benchmarks.running import RunningStack

FOLDERS = (
    "legal",
    "scanned_print",
    "low_quality",
    "typewritten",
    "tables",
    "multicol",
    "multipage_tiff",
    "forms_receipts",
)
DPI = 200
ROUNDS = 3
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Sheets:
    """A document's pages as picture files, and what stands on them."""

    name: str
    pictures: tuple[Path, ...]
    truth: str


Read = Callable[[Path], Awaitable[str]]


async def run(stack: RunningStack) -> None:
    """Read all pages both ways, in turns, and compare speed and errors."""
    print("\n(3) pages per second against the tesseract command line, two processes each")
    corpus = os.environ.get("QUIRE_CORPUS")
    if corpus is None or shutil.which("tesseract") is None:
        print("  skipped: it needs QUIRE_CORPUS, and tesseract on the PATH")
        return
    with tempfile.TemporaryDirectory() as folder:
        documents = _sheets(Path(corpus) / "documents", Path(folder))
        pages = [picture for document in documents for picture in document.pictures]
        async with _server(stack, pages) as server:
            await server(pages[0])  # its page processes are started before anything counts
            await asyncio.gather(*(server(page) for page in pages[:PROCESSES]))
            ours: list[float] = []
            theirs: list[float] = []
            texts: dict[str, dict[Path, str]] = {}
            for _ in range(ROUNDS):
                for name, read, seconds in (("server", server, ours), ("command line", _command_line, theirs)):
                    took, texts[name] = await _read_all(pages, read, at_once=PROCESSES if name != "server" else 8)
                    seconds.append(took)
    for name, seconds in (("server", ours), ("command line", theirs)):
        median = sorted(seconds)[len(seconds) // 2]
        errors = _character_error_rate(documents, texts[name])
        print(
            f"  {name:14} {len(pages) / median:5.2f} pages/s   character errors {errors:6.2%}   ({len(pages)} pages, median of {ROUNDS})"
        )
    print(f"  ratio of pages per second   {1 / ratio(ours, theirs):.2f} (target: at least 1)")
    for document in documents:
        rates = [f"{name} {_character_error_rate([document], texts[name]):6.2%}" for name in texts]
        print(f"    {document.name:50} {'   '.join(rates)}")


def _sheets(corpus: Path, folder: Path) -> list[Sheets]:
    found = []
    for path in sorted(path for name in FOLDERS for path in (corpus / name).iterdir()):
        truth = corpus / "gt" / path.parent.name / f"{path.name}.txt"
        if truth.exists():
            name = f"{path.parent.name}/{path.name}"
            found.append(Sheets(name, tuple(_pictures(path, folder)), truth.read_text(errors="replace")))
    return found


def _pictures(path: Path, folder: Path) -> list[Path]:
    pictures = []
    for number, image in enumerate(_images(path), start=1):
        picture = folder / f"{path.parent.name}-{path.name}-{number}.png"
        image.save(picture, dpi=(DPI, DPI) if path.suffix == ".pdf" else image.info.get("dpi", (DPI, DPI)))
        pictures.append(picture)
    return pictures


def _images(path: Path) -> list[Image.Image]:
    if path.suffix == ".pdf":
        return [page.render(scale=DPI / 72).to_pil() for page in pdfium.PdfDocument(path)]
    with Image.open(path) as image:
        return [frame.copy() for frame in ImageSequence.Iterator(image)]


class _server:  # noqa: N801 (reads as the statement it is used in)
    """The Textract-compatible server, driven by an unmodified client."""

    def __init__(self, stack: RunningStack, pages: list[Path]) -> None:
        self.settings, self.pages = stack.settings, pages

    async def __aenter__(self) -> Read:
        session, settings = aws_session(self.settings), self.settings
        s3 = session.client("s3", endpoint_url=settings.aws_endpoint_url_s3)
        textract = session.client(
            "textract", endpoint_url=settings.aws_endpoint_url_textract, config=client_config(settings)
        )
        self.clients = [s3, textract]
        store, self.client = await s3.__aenter__(), await textract.__aenter__()
        for page in self.pages:
            await store.put_object(Bucket=settings.s3_bucket, Key=page.name, Body=page.read_bytes())
        return self.read

    async def __aexit__(self, *exception: object) -> None:
        for client in self.clients:
            await client.__aexit__(None, None, None)

    async def read(self, page: Path) -> str:
        """One page's text."""
        place: Any = {"S3Object": {"Bucket": self.settings.s3_bucket, "Name": page.name}}
        job = (await self.client.start_document_text_detection(DocumentLocation=place))["JobId"]
        answer: Any = {"JobStatus": "IN_PROGRESS"}
        while answer["JobStatus"] == "IN_PROGRESS":
            await asyncio.sleep(0.1)
            answer = await self.client.get_document_text_detection(JobId=job)
        blocks = answer["Blocks"]
        while token := answer.get("NextToken"):
            answer = await self.client.get_document_text_detection(JobId=job, NextToken=token)
            blocks += answer["Blocks"]
        return "\n".join(block["Text"] for block in blocks if block["BlockType"] == "LINE")


async def _command_line(page: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        "tesseract",
        str(page),
        "stdout",
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    return output.decode()


async def _read_all(pages: list[Path], read: Read, *, at_once: int) -> tuple[float, dict[Path, str]]:
    slots, texts = asyncio.Semaphore(at_once), {}

    async def one(page: Path) -> None:
        async with slots:
            texts[page] = await read(page)

    began = time.perf_counter()
    await asyncio.gather(*(one(page) for page in pages))
    return time.perf_counter() - began, texts


def _character_error_rate(documents: list[Sheets], texts: dict[Path, str]) -> float:
    """Wrong, missing and extra characters by those of the truth; words are matched as a bag, so order is no error.

    Neither is case, for some of the truths were written in capitals throughout, nor the underscores that forms draw
    their lines with.
    """
    wrong = total = 0
    for document in documents:
        truth = _words(document.truth)
        read = _words(" ".join(texts[picture] for picture in document.pictures))
        wrong += _bag_distance(truth, read)
        total += sum(map(len, truth))
    return wrong / total


def _words(text: str) -> list[str]:
    return text.casefold().replace("_", " ").split()


def _bag_distance(truth: list[str], read: list[str]) -> int:
    missed, extra = Counter(truth) - Counter(read), Counter(read) - Counter(truth)
    left, wrong = list(extra.elements()), 0
    for word in sorted(missed.elements(), key=len, reverse=True):
        nearest = min(left, key=lambda other: Levenshtein.distance(word, other), default="")
        distance = Levenshtein.distance(word, nearest)
        if distance < len(word):
            left.remove(nearest)
        wrong += min(distance, len(word))
    return wrong + sum(map(len, left))

"""What reads pages in the comparison: our server through an unmodified client, and three other tools, two at once each.

OCRmyPDF and xberg are taken from the virtual environment that BENCHMARK_VENV names, or else from the PATH and from this
environment.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aioboto3
from aiobotocore.config import AioConfig

from app.ocr.answers import members_of
from benchmarks.running import ROOT, RunningStack, free_port

PROCESSES = 2
POLL_SECONDS = 0.25
ONE_THREAD = {"OMP_THREAD_LIMIT": "1"}

Texts = dict[Path, str]

XBERG = """
import asyncio, json, sys, xberg
config = xberg.ExtractionConfig(
    ocr=xberg.OcrConfig(backend="tesseract", language=["eng"], tessdata_path=sys.argv[1]), force_ocr=True, use_cache=False
)
async def main():
    for path in sys.argv[2:]:
        found = await xberg.extract(xberg.ExtractInput(kind="uri", uri=path), config)
        print(json.dumps([path, "\\n".join(each.content for each in (found.documents if hasattr(found, "documents") else found.results))]), flush=True)
asyncio.run(main())
"""


class Server:
    """A Textract-compatible server of the benchmark's own, on the stack's S3."""

    def __init__(self, stack: RunningStack, client: Any, s3: Any) -> None:
        self._bucket, self._client, self._s3 = stack.settings.s3_bucket, client, s3

    async def store(self, documents: Sequence[Path]) -> None:
        """Put documents where the server finds them."""
        for path in documents:
            await self._s3.put_object(Bucket=self._bucket, Key=path.name, Body=path.read_bytes())

    async def read(self, documents: Sequence[Path]) -> list[list[dict[str, Any]]]:
        """Start a job for each stored document, as a batch does, and return their blocks."""
        starting = asyncio.Semaphore(8)

        async def start(path: Path) -> str:
            async with starting:
                place: Any = {"S3Object": {"Bucket": self._bucket, "Name": path.name}}
                answer = await self._client.start_document_text_detection(DocumentLocation=place)
                return str(answer["JobId"])

        jobs = await asyncio.gather(*map(start, documents))
        return [await self._blocks(job) for job in jobs]

    async def texts(self, pictures: Sequence[Path]) -> Texts:
        """The pictures' texts."""
        return dict(zip(pictures, map(lines_of, await self.read(pictures)), strict=True))

    async def _blocks(self, job: str) -> list[dict[str, Any]]:
        while True:
            answer = await self._client.get_document_text_detection(JobId=job)
            if answer["JobStatus"] != "IN_PROGRESS":
                break
            await asyncio.sleep(POLL_SECONDS)
        blocks: list[dict[str, Any]] = answer["Blocks"]
        while token := answer.get("NextToken"):
            answer = await self._client.get_document_text_detection(JobId=job, NextToken=token)
            blocks += answer["Blocks"]
        return blocks


def lines_of(blocks: Sequence[dict[str, Any]]) -> str:
    """The text of a result's lines."""
    return "\n".join(block["Text"] for block in blocks if block["BlockType"] == "LINE")


@asynccontextmanager
async def running_server(stack: RunningStack, **settings: str) -> AsyncIterator[Server]:
    """Run a server with settings of its own; it has two page processes."""
    given, port = stack.environment, free_port()
    key, secret = given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"]
    with tempfile.TemporaryDirectory(prefix="quire-bench-", dir="/var/tmp") as folder:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "TEXTRACT_SERVER_PORT": str(port),
            "TEXTRACT_SERVER_DATA_DIR": folder,
            "TEXTRACT_SERVER_ACCESS_KEY_ID": key,
            "TEXTRACT_SERVER_SECRET_ACCESS_KEY": secret,
            "AWS_ENDPOINT_URL_S3": given["AWS_ENDPOINT_URL_S3"],
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "OCR_WORKERS": str(PROCESSES),
            "LOG_LEVEL": "WARNING",
            **settings,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app.textract_server.main", env=environment, cwd=folder
        )
        try:
            url = f"http://127.0.0.1:{port}"
            await asyncio.to_thread(_wait, f"{url}/health")
            session = aioboto3.Session(key, secret, region_name=given.get("AWS_REGION", "us-east-1"))
            patient = AioConfig(retries={"total_max_attempts": 8, "mode": "standard"})
            async with (
                session.client("s3", endpoint_url=given["AWS_ENDPOINT_URL_S3"]) as s3,
                session.client("textract", endpoint_url=url, config=patient) as textract,
            ):
                textract.meta.events.register("before-parse.textract", _parse_plainly)
                yield Server(stack, textract, s3)
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 20)


def _parse_plainly(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """As Quire itself does: the SDK's parser would take a page as long as the server takes to read its text."""
    if response_dict["status_code"] == HTTPStatus.OK:
        body, response_dict["body"] = response_dict["body"], b"{}"
        customized_response_dict.update(members_of(body))


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except urllib.error.URLError:
            time.sleep(0.1)
    raise TimeoutError(url)


async def tesseract(pictures: Sequence[Path]) -> Texts:
    """The command line, a process a page, on one thread each: its fastest with two at once on two cores."""
    return await _page_by_page(pictures, lambda picture, _: ("tesseract", str(picture), "stdout"))


async def ocrmypdf(pictures: Sequence[Path]) -> Texts:
    """OCRmyPDF, a process a page, with its text as a sidecar."""
    command = _tool("ocrmypdf") or "ocrmypdf"
    options = ("--output-type", "pdf", "--jobs", "1", "-O0", "--image-dpi", "200", "--quiet", "--sidecar", "-")
    return await _page_by_page(pictures, lambda picture, output: (command, *options, str(picture), str(output)))


async def xberg(pictures: Sequence[Path]) -> Texts:
    """xberg over Tesseract, a process for every other page."""
    shares = [pictures[first::PROCESSES] for first in range(PROCESSES)]
    outputs = await asyncio.gather(
        *(_output(_python(), "-c", XBERG, _tessdata(), *map(str, share)) for share in shares if share)
    )
    pairs = [json.loads(line) for output in outputs for line in output.splitlines() if line.startswith("[")]
    texts = {Path(path): text for path, text in pairs}
    return {picture: texts.get(picture, "") for picture in pictures}


def others() -> dict[str, Callable[[Sequence[Path]], Any]]:
    """The tools that are installed, and a word on those that are not."""
    found: dict[str, Callable[[Sequence[Path]], Any]] = {}
    if _tool("ocrmypdf"):
        found["OCRmyPDF"] = ocrmypdf
    if subprocess.run([_python(), "-c", "import xberg"], capture_output=True, check=False).returncode == 0:
        found["xberg"] = xberg
    for name in {"OCRmyPDF", "xberg"} - set(found):
        print(f"  {name} is not compared: it is neither in the environment that BENCHMARK_VENV names nor on the PATH")
    return found


async def _page_by_page(pictures: Sequence[Path], command: Callable[[Path, Path], Sequence[str]]) -> Texts:
    slots = asyncio.Semaphore(PROCESSES)
    with tempfile.TemporaryDirectory() as folder:

        async def one(picture: Path) -> tuple[Path, str]:
            async with slots:
                return picture, await _output(*command(picture, Path(folder) / f"{picture.stem}.pdf"))

        return dict(await asyncio.gather(*map(one, pictures)))


async def _output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | ONE_THREAD, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    return output.decode()


def _tool(name: str) -> str | None:
    venv = os.environ.get("BENCHMARK_VENV")
    return shutil.which(name, path=f"{venv}/bin") if venv else shutil.which(name)


def _python() -> str:
    venv = os.environ.get("BENCHMARK_VENV")
    return f"{venv}/bin/python" if venv else sys.executable


def _tessdata() -> str:
    return next((str(path) for path in sorted(Path("/usr/share/tesseract-ocr").glob("*/tessdata"))), "")

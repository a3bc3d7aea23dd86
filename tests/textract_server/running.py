"""The server and its S3, run as real processes, and the clients that ask them."""

import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3  # type: ignore[import-untyped]  # it ships no types, and only the asynchronous client's are installed
import psutil
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.embedded.ports import CANDIDATES, TRIES, assign_ports, first_free

KEY, SECRET = "test-key-id", "test-secret"
REGION = "us-east-1"
BUCKET = "documents"
PAGE_READER = "quire-textract page reader"


def free_port() -> int:
    """Find a free port that no outgoing connection takes while a server is started again."""
    with ExitStack() as claims:
        return first_free(random.sample(CANDIDATES, TRIES), (0,), claims)


def wait_until(condition: Callable[[], Any], seconds: float = 30, every: float = 0.05) -> Any:
    """Return the condition's first true value; TimeoutError where none comes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(every)
    raise TimeoutError(f"not within {seconds} s")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def client(service: str, endpoint: str, **overrides: Any) -> Any:
    """Make an unmodified SDK client."""
    options: dict[str, Any] = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": REGION}
    options["config"] = Config(retries={"total_max_attempts": 1, "mode": "standard"})
    return boto3.client(service, endpoint_url=endpoint, **options | overrides)


@dataclass
class TextractServer:
    """One server process, its data folder, and what a caller does with it."""

    s3_url: str
    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "TEXTRACT_SERVER_PORT": str(self.port),
            "TEXTRACT_SERVER_DATA_DIR": str(self.data_dir),
            "TEXTRACT_SERVER_ACCESS_KEY_ID": KEY,
            "TEXTRACT_SERVER_SECRET_ACCESS_KEY": SECRET,
            "TEXTRACT_SERVER_S3_ENDPOINT_URL": self.s3_url,
            "TEXTRACT_SERVER_S3_ACCESS_KEY_ID": KEY,
            "TEXTRACT_SERVER_S3_SECRET_ACCESS_KEY": SECRET,
            # The tests write their pages with a PDF library: most of them are about reading by looks.
            "OCR_TEXT_LAYER": "never",
            **self.settings,
        }

    def start(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "app.textract_server.main"]
        with (self.data_dir / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        wait_until(lambda: answers(f"{self.url}/health"))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> float:
        """End the process and return how long that took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(timeout=20)
        return time.monotonic() - started

    def page_readers(self) -> list[psutil.Process]:
        assert self.process is not None
        with suppress(psutil.NoSuchProcess):
            return [each for each in psutil.Process(self.process.pid).children() if is_page_reader(each)]
        return []

    def textract(self, **overrides: Any) -> Any:
        return client("textract", self.url, **overrides)

    def upload(self, content: bytes, name: str = "") -> dict[str, Any]:
        """Store a document and return its S3Object."""
        name = name or f"{uuid4()}"
        client("s3", self.s3_url).put_object(Bucket=BUCKET, Key=name, Body=content)
        return {"Bucket": BUCKET, "Name": name}

    def start_job(self, content: bytes, **parameters: Any) -> str:
        location = {"S3Object": self.upload(content)}
        started = self.textract().start_document_text_detection(DocumentLocation=location, **parameters)
        return str(started["JobId"])

    def finished(self, job_id: str, seconds: float = 60, **parameters: Any) -> dict[str, Any]:
        """Wait for a text detection and return its result, all pages of blocks joined."""
        return finished(self.textract().get_document_text_detection, job_id, seconds, **parameters)

    def finished_analysis(self, job_id: str, seconds: float = 60, **parameters: Any) -> dict[str, Any]:
        """Wait for an analysis and return its result, all pages of blocks joined."""
        return finished(self.textract().get_document_analysis, job_id, seconds, **parameters)

    def read(self, content: bytes, seconds: float = 60) -> dict[str, Any]:
        """Read a document from its upload to its result."""
        return self.finished(self.start_job(content), seconds)


def finished(get: Callable[..., Any], job_id: str, seconds: float, **parameters: Any) -> dict[str, Any]:
    """Ask with a Get until a job has ended; join all pages of its blocks."""

    def ended() -> Any:
        answer = get(JobId=job_id, **parameters)
        return answer if answer["JobStatus"] != "IN_PROGRESS" else None

    result: dict[str, Any] = wait_until(ended, seconds, every=0.1)
    while token := result.pop("NextToken", None):
        more = get(JobId=job_id, NextToken=token, **parameters)
        result["Blocks"] += more["Blocks"]
        if "NextToken" in more:
            result["NextToken"] = more["NextToken"]
    result.pop("ResponseMetadata")
    return result


def is_page_reader(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[:1] == [PAGE_READER]
    except psutil.Error:
        return False


def text_of(result: dict[str, Any]) -> str:
    return "\n".join(block["Text"] for block in result["Blocks"] if block["BlockType"] == "LINE")


@contextmanager
def running_server(s3_url: str, data_dir: Path, **settings: str) -> Iterator[TextractServer]:
    server = TextractServer(s3_url, data_dir, settings)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


@contextmanager
def running_s3(folder: Path) -> Iterator[str]:
    """Run SeaweedFS and yield its address."""
    names = ("s3", "master", "volume", "filer", "admin")
    with ExitStack() as claims:
        ports = assign_ports(folder / "ports.json", names, with_grpc=frozenset(names), claims=claims)
        command = [str(Path(sys.executable).parent / "weed"), "mini", f"-dir={folder}", "-ip=127.0.0.1"]
        command += ["-ip.bind=127.0.0.1", "-admin.ui=false", "-webdav=false"]
        command += [
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]  # else their ports are fixed, and two can't run side by side
        command += [f"-{name}.port={port}" for name, port in ports.items()]
        environment = os.environ | {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        url = f"http://127.0.0.1:{ports['s3']}"
        with (folder / "weed.log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            wait_until(lambda: answers(url))
            wait_until(lambda: bucket_made(url))
            yield url
        finally:
            process.terminate()
            process.wait(timeout=20)


def bucket_made(url: str) -> bool:
    s3 = client("s3", url)
    try:
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="ready", Body=b"ready")
    except (BotoCoreError, ClientError):  # Not all of its parts are up yet.
        return False
    return True

"""Every setting of the Textract-compatible server: from flags, else the environment (and `.env`), checked at start."""

from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.textract_server.limits import DOCUMENT_PAGES, MEBIBYTE, ReadingLimits
from app.textract_server.pool import SlotLimits
from app.textract_server.quotas import CallKind
from app.textract_server.synthesis import SimulatedWork


class EngineKind(StrEnum):
    """What carries jobs out."""

    TESSERACT = "tesseract"
    SIMULATED = "simulated"


class Settings(BaseSettings):
    """What a deployment can choose. Names are upper-cased in the environment: `ocr_workers` is `OCR_WORKERS`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    textract_server_host: str = Field("127.0.0.1", description="The address the server listens on.")
    textract_server_port: int = Field(8020, ge=1, le=65535, description="The port the server listens on.")
    textract_server_data_dir: Path = Field(
        Path(".quire/textract"), description="Where jobs, results and fetched documents are kept."
    )
    textract_server_access_key_id: str = Field(
        min_length=1, description="The key id that requests must be signed with."
    )
    textract_server_secret_access_key: SecretStr = Field(
        min_length=1, description="The secret that requests must be signed with."
    )

    textract_server_s3_endpoint_url: str | None = Field(
        None, description="The S3 that documents are read from; else `AWS_ENDPOINT_URL_S3`, else AWS."
    )
    textract_server_s3_access_key_id: str | None = Field(
        None, description="The key id for reading from S3; else `AWS_ACCESS_KEY_ID`, else the AWS SDK's own chain."
    )
    textract_server_s3_secret_access_key: SecretStr | None = Field(
        None, description="The secret for reading from S3; else `AWS_SECRET_ACCESS_KEY`."
    )
    aws_endpoint_url_s3: str | None = Field(None, description="An S3-compatible server instead of AWS.")
    aws_access_key_id: str | None = Field(
        None, description="The AWS key id for S3, where the server has none of its own."
    )
    aws_secret_access_key: SecretStr | None = Field(None, description="The secret of `AWS_ACCESS_KEY_ID`.")
    aws_region: str = Field("us-east-1", description="The region of S3 and SNS.")
    textract_server_sns_endpoint_url: str | None = Field(
        None,
        description="The SNS that is told when jobs with a NotificationChannel have ended, with the credentials for S3; "
        "else `AWS_ENDPOINT_URL_SNS`, else AWS.",
    )
    aws_endpoint_url_sns: str | None = Field(None, description="An SNS-compatible server instead of AWS.")

    textract_server_engine: EngineKind = Field(
        EngineKind.TESSERACT, description="`tesseract` reads; `simulated` makes results up, for tests of clients."
    )
    textract_server_simulated_seconds_per_page: float = Field(
        60.0, ge=0, description="How long a page takes that is made up."
    )
    textract_server_simulated_pages: int = Field(
        1, ge=1, le=DOCUMENT_PAGES, description="How many pages every document is taken to have, when simulated."
    )
    textract_server_simulated_lines_per_page: int = Field(
        22, ge=0, le=500, description="Lines of eight words on a page that is made up; 22 make 199 blocks."
    )
    textract_server_simulated_text: Path | None = Field(
        None, description="A file whose lines every simulated page has, in place of those that are made up."
    )
    textract_server_simulated_no_s3: bool = Field(
        default=False, description="Start simulated jobs without looking whether S3 has the document."
    )

    textract_server_max_open_jobs: int = Field(
        600,
        ge=1,
        description="Jobs of a kind (detection, analysis) that may be in progress; a Start beyond them is answered "
        "LimitExceededException.",
    )
    textract_server_tps_start: float | None = Field(
        None, gt=0, description="Calls per second of each Start operation; not limited where not set."
    )
    textract_server_tps_get: float | None = Field(None, gt=0, description="Calls per second of each Get operation.")
    textract_server_tps_detect: float | None = Field(
        None, gt=0, description="Calls per second of DetectDocumentText, and of AnalyzeDocument."
    )
    textract_server_admin: bool = Field(
        default=False, description="Serve `/admin`, unsigned: faults on request, and counters. For tests only."
    )
    textract_server_max_active_jobs: int = Field(
        64, ge=1, description="Jobs whose documents lie on the local disk and whose pages take turns."
    )
    textract_server_max_waiting_detections: int = Field(
        64, ge=1, description="Synchronous calls that may be waiting; more are answered with a throttling error."
    )
    textract_server_trace_file: Path | None = Field(
        None, description="A file that gets a line of JSON for every page that was read; the log gets it in any case."
    )
    textract_server_retention_seconds: float = Field(
        7 * 24 * 3600, gt=0, description="How long after its Start a job, its results and its token are kept."
    )

    ocr_workers: int = Field(2, ge=1, description="Page processes; fewer are used where cores or memory don't suffice.")
    ocr_max_workers: int = Field(32, ge=1, description="The most page processes that `OCR_WORKERS` may ask for.")
    ocr_parallel_disabled: bool = Field(default=False, description="Read pages one at a time, in one process.")
    ocr_languages: str = Field(
        "eng", pattern=r"^[a-z_]+(\+[a-z_]+)*$", description="Tesseract languages, as in `eng+deu`."
    )
    tessdata_prefix: Path | None = Field(
        None, description="A folder of Tesseract's language data, with `osd`, instead of the installed `eng` and `deu`."
    )
    ocr_dpi: int = Field(200, ge=70, le=600, description="The resolution that pages are read at.")
    max_page_pixels: int = Field(
        12_000_000, ge=100_000, description="Larger pages are read at a lower resolution, to have no more pixels."
    )
    ocr_text_layer: Literal["auto", "never"] = Field(
        "auto", description="Whether born-digital pages are read from their own text, where it can be trusted."
    )
    ocr_second_opinion: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether pages that Tesseract is unsure of are read again by RapidOCR; `auto`: where it is installed.",
    )
    ocr_second_opinion_confidence: float = Field(
        85.0, ge=0, le=100, description="Pages read with less confidence than this get a second opinion."
    )
    ocr_page_seconds: float = Field(60.0, gt=0, description="How long reading a page may take before it is given up.")
    ocr_process_memory_bytes: int = Field(
        2048 * MEBIBYTE, ge=512 * MEBIBYTE, description="The address space of a page process: what a bomb can take."
    )
    ocr_idle_seconds: float = Field(
        60.0, gt=0, description="How long a page process waits for work before it is ended."
    )
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="The least level that is logged."
    )

    @property
    def s3_endpoint_url(self) -> str | None:
        """The S3 to read from; None for AWS itself."""
        return self.textract_server_s3_endpoint_url or self.aws_endpoint_url_s3

    @property
    def sns_endpoint_url(self) -> str | None:
        """The SNS to publish to; None for AWS itself."""
        return self.textract_server_sns_endpoint_url or self.aws_endpoint_url_sns

    @property
    def s3_access_key_id(self) -> str | None:
        """The key id for reading from S3; None for the SDK's own chain."""
        return self.textract_server_s3_access_key_id or self.aws_access_key_id

    @property
    def s3_secret_access_key(self) -> SecretStr | None:
        """The secret of `s3_access_key_id`."""
        return self.textract_server_s3_secret_access_key or self.aws_secret_access_key

    @property
    def reading_limits(self) -> ReadingLimits:
        """How pages are read."""
        return ReadingLimits(
            self.ocr_languages,
            self.ocr_dpi,
            self.max_page_pixels,
            uses_text_layer=self.ocr_text_layer == "auto",
            language_data=self.tessdata_prefix,
        )

    @property
    def slot_limits(self) -> SlotLimits:
        """What a page process may take."""
        return SlotLimits(self.ocr_page_seconds, self.ocr_idle_seconds, self.ocr_process_memory_bytes)

    @property
    def rates(self) -> dict[CallKind, float | None]:
        """Calls per second that are let through."""
        return {
            CallKind.START: self.textract_server_tps_start,
            CallKind.GET: self.textract_server_tps_get,
            CallKind.AT_ONCE: self.textract_server_tps_detect,
        }

    @property
    def simulated_work(self) -> SimulatedWork:
        """What every simulated document is taken for."""
        return SimulatedWork(
            self.textract_server_simulated_seconds_per_page,
            self.textract_server_simulated_pages,
            self.textract_server_simulated_lines_per_page,
            self._simulated_lines(),
        )

    def _simulated_lines(self) -> tuple[str, ...]:
        path = self.textract_server_simulated_text
        return () if path is None else tuple(line for line in path.read_text().splitlines() if line.strip())

"""Every setting of the API and the workers: read from the environment (and `.env`), checked once, at start."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """What a deployment can choose. Names are upper-cased in the environment: `database_url` is `DATABASE_URL`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    quire_data_dir: Path = Field(Path(".quire"), description="Where the embedded stack keeps its data and logs.")
    quire_host: str = Field("127.0.0.1", description="The address the API listens on.")
    quire_port: int = Field(8000, ge=1, le=65535, description="The port the API listens on.")
    quire_api_key: SecretStr | None = Field(None, description="Presets the first API key that `quire up` makes.")
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="The least level that is logged."
    )
    log_format: str = Field("json", pattern="^(json|console)$", description="Log lines as JSON, or for people's eyes.")

    database_url: str = Field("postgresql://quire@localhost/quire", description="PostgreSQL, 15 or later.")
    database_pool_size: int = Field(10, ge=2, description="Connections that each process keeps open at most.")
    redis_url: str = Field("redis://localhost:6379/0", description="Redis or Valkey: the doorbell, never the truth.")

    s3_bucket: str = Field(
        "quire", min_length=3, max_length=63, description="The bucket that documents and results are kept in."
    )
    aws_region: str = Field("us-east-1", description="The AWS region of the bucket and of Textract.")
    aws_access_key_id: str | None = Field(None, description="AWS key id; without it, the AWS SDK's own chain is asked.")
    aws_secret_access_key: SecretStr | None = Field(None, description="The secret of `AWS_ACCESS_KEY_ID`.")
    aws_session_token: SecretStr | None = Field(None, description="The token of temporary AWS credentials.")
    aws_endpoint_url_s3: str | None = Field(None, description="An S3-compatible server instead of AWS.")
    aws_endpoint_url_textract: str | None = Field(None, description="A Textract-compatible server instead of AWS.")

    max_document_bytes: int = Field(500 * MEBIBYTE, gt=0, description="The largest document that is taken in.")
    max_image_bytes: int = Field(10 * MEBIBYTE, gt=0, description="The largest PNG or JPEG: Textract's own limit.")
    max_document_pages: int = Field(3000, gt=0, description="The most pages of a document: Textract's own limit.")
    max_image_pixels_per_side: int = Field(
        10_000, gt=0, description="The longest side of an image: Textract's own limit."
    )
    max_page_points_per_side: int = Field(
        9000, gt=0, description="The longest side of a PDF page, in points (1/72 inch)."
    )
    upload_part_bytes: int = Field(
        5 * MEBIBYTE, ge=5 * MEBIBYTE, description="The size of an S3 multipart upload's parts."
    )
    upload_parts_in_flight: int = Field(
        3, ge=1, le=16, description="Parts of one upload that may be on their way at once."
    )
    max_concurrent_uploads: int = Field(32, ge=1, description="Uploads one API process takes at once; more answer 503.")

    max_attempts: int = Field(
        8, ge=1, description="How often a stage is tried before its job goes to the dead letters."
    )
    retry_base_seconds: float = Field(
        4.0, gt=0, description="The first retry's longest delay; it doubles with each attempt."
    )
    retry_max_seconds: float = Field(300.0, gt=0, description="The longest delay between two attempts.")
    lease_seconds: float = Field(20.0, gt=0, description="How long a claim holds without renewal.")
    stage_timeout_seconds: float = Field(600.0, gt=0, description="How long one run of one stage may take.")
    validation_timeout_seconds: float = Field(60.0, gt=0, description="How long counting a document's pages may take.")
    validation_memory_bytes: int = Field(
        2048 * MEBIBYTE, gt=0, description="Address space of the process that counts pages."
    )
    sweep_interval_seconds: float = Field(
        1.0, gt=0, description="How often the sweep looks for work nobody was rung for."
    )
    ring_again_seconds: float = Field(10.0, gt=0, description="How long a ring is given to be heard before the next.")
    worker_max_jobs: int = Field(20, ge=1, description="Tasks that a worker process runs at once, per queue.")
    fleet_slots_per_queue: int = Field(
        100, ge=1, description="Tasks the whole fleet runs at once, per queue; arq carries twice as many."
    )
    worker_heartbeat_seconds: float = Field(5.0, gt=0, description="How often a worker says that it is alive.")
    worker_completion_seconds: float = Field(
        25.0, ge=0, description="How long a stopping worker lets its tasks finish."
    )

    textract_async_initial_delay_seconds: float = Field(
        5.0, ge=0, description="From a Textract start to its first poll."
    )
    textract_async_polling_interval_seconds: float = Field(
        5.0, gt=0, description="The longest time between two polls of a job."
    )
    textract_async_max_polling_time_seconds: float = Field(
        600.0, gt=0, description="How long a Textract job is waited for, plus a share per page."
    )
    textract_polling_seconds_per_page: float = Field(
        10.0, ge=0, description="The share per page of the time a Textract job is waited for."
    )
    textract_get_per_second: int = Field(
        25, ge=1, description="Polls that a worker may send a second: Textract's Get quota, by workers."
    )
    textract_max_results: int = Field(1000, ge=1, le=1000, description="Blocks asked for in one page of results.")
    textract_connect_timeout_seconds: float = Field(5.0, gt=0, description="How long connecting to Textract may take.")
    textract_read_timeout_seconds: float = Field(30.0, gt=0, description="How long Textract may take to answer.")

    max_streams: int = Field(2000, ge=1, description="Event streams that one API process keeps open at once.")
    stream_ping_seconds: float = Field(15.0, gt=0, description="How often an idle stream sends a comment.")

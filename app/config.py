"""Every setting of the API and the workers: read from the environment (and `.env`), checked once, at start."""

from ipaddress import ip_network
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.price_table import parse_prices

MEBIBYTE = 1024 * 1024

ENGINES = frozenset({"textract", "local"})


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
    local_textract_endpoint_url: str | None = Field(
        None, description="The Textract-compatible server that the engine `local` is, asked with the same AWS keys."
    )

    max_document_bytes: int = Field(
        2048 * MEBIBYTE, gt=0, description="The largest document that is taken in; what Textract doesn't take is split."
    )
    max_image_bytes: int = Field(
        100 * MEBIBYTE, gt=0, description="The largest PNG or JPEG; what Textract doesn't take is scaled."
    )
    max_document_pages: int = Field(
        20_000, gt=0, description="The most pages of a document; what Textract doesn't take as one is split."
    )
    max_image_pixels_per_side: int = Field(
        30_000, gt=0, description="The longest side of an image; what Textract doesn't take is scaled."
    )
    part_max_bytes: int = Field(
        500 * MEBIBYTE, gt=0, description="The largest PDF or TIFF that is read as one: Textract's own limit."
    )
    part_max_pages: int = Field(3000, gt=0, description="The most pages that are read as one: Textract's own limit.")
    part_max_image_bytes: int = Field(
        10 * MEBIBYTE, gt=0, description="The largest PNG or JPEG that is read as it is: Textract's own limit."
    )
    part_max_image_pixels_per_side: int = Field(
        10_000, gt=0, description="The longest side of an image that is read as it is: Textract's own limit."
    )
    splitting_timeout_seconds: float = Field(
        540.0, gt=0, description="How long splitting or scaling a document may take."
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

    direct_upload_part_bytes: int = Field(
        16 * MEBIBYTE,
        ge=5 * MEBIBYTE,
        description="The size of the parts that clients send straight to S3; of very large files they are larger.",
    )
    direct_upload_expires_seconds: int = Field(
        24 * 3600, gt=0, description="How long a client has for an upload straight to S3."
    )
    max_open_uploads: int = Field(
        1_000, ge=1, description="Uploads straight to S3 that a project may have open at once; more answer 429."
    )
    presigned_url_seconds: int = Field(
        3600, gt=0, le=7 * 24 * 3600, description="How long the URLs hold that clients are given to S3."
    )
    s3_public_endpoint_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Where clients reach the bucket's server, where that isn't `AWS_ENDPOINT_URL_S3`.",
    )
    import_buckets: str = Field(
        "",
        description="What may be imported, separated by commas: buckets, or folders of them (`bucket/folder/`).",
    )

    requests_per_second: float = Field(
        200.0, ge=0, description="Requests that an API key may make a second, in the long run; 0 is no limit."
    )
    request_burst: int = Field(1000, ge=1, description="Requests that an API key may make at once.")
    max_open_documents: int = Field(
        100_000, ge=0, description="Documents of a project that may be under way at once; more answer 429."
    )
    max_queue_depth: int = Field(
        100_000, ge=1, description="Documents that may wait for one queue; more answer 503 until it is less deep."
    )

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
    normal_priority_share: float = Field(
        0.2,
        ge=0,
        le=0.5,
        description="The share of places that is kept for documents of normal priority, however many urgent ones wait.",
    )
    low_priority_share: float = Field(
        0.05, ge=0, le=0.5, description="The same for low priority, so that nothing waits for ever."
    )
    ring_again_seconds: float = Field(10.0, gt=0, description="How long a ring is given to be heard before the next.")
    worker_queues: str = Field(
        "", description="The queues that workers serve, with commas between; all of them where none is named."
    )
    worker_max_jobs: int = Field(20, ge=1, description="Tasks that a worker process runs at once at most, per queue.")
    fleet_slots_per_queue: int = Field(
        100, ge=1, description="Tasks the whole fleet runs at once, per queue; arq carries twice as many."
    )
    queue_unserved_seconds: float = Field(
        10.0, ge=0, description="How long a queue may have work and no worker before an alert is raised."
    )
    worker_heartbeat_seconds: float = Field(5.0, gt=0, description="How often a worker says that it is alive.")
    worker_metrics_port: int | None = Field(
        None, ge=1, le=65535, description="The port on which a worker process serves its own metrics; none without it."
    )
    worker_completion_seconds: float = Field(
        25.0, ge=0, description="How long a stopping worker lets its tasks finish."
    )

    batch_slice_items: int = Field(
        200, ge=1, le=2000, description="Items of a batch that get their jobs in one transaction."
    )
    json_request_bytes: int = Field(
        4 * MEBIBYTE, gt=0, description="The largest body of any request but those that submit a document or a batch."
    )
    batch_request_bytes: int = Field(
        32 * MEBIBYTE, gt=0, description="The largest body of a request that submits a batch."
    )

    ocr_engines: str = Field(
        "textract",
        description="The engines to read with, the preferred one first: `textract`, `local`, or both; "
        "`local` needs `LOCAL_TEXTRACT_ENDPOINT_URL`.",
    )
    ocr_breaker_failures: int = Field(
        5, ge=1, description="Failures in a row after which an engine is left alone for a while."
    )
    ocr_breaker_open_seconds: float = Field(
        30.0,
        gt=0,
        description="How long an engine is left alone before it is probed; it doubles with each failed probe.",
    )
    ocr_breaker_max_open_seconds: float = Field(
        300.0, gt=0, description="The longest time that an engine is left alone between two probes."
    )

    textract_async_initial_delay_seconds: float = Field(
        5.0, ge=0, description="From a Textract start to its first poll, where no recent job says how long it takes."
    )
    textract_async_polling_interval_seconds: float = Field(
        5.0, gt=0, description="The shortest time between two polls of a job; it grows with every poll."
    )
    textract_async_max_polling_time_seconds: float = Field(
        600.0, gt=0, description="How long a Textract job is waited for, plus a share per page."
    )
    textract_polling_seconds_per_page: float = Field(
        10.0, ge=0, description="The share per page of the time a Textract job is waited for."
    )
    textract_use_async_for_pdf: bool = Field(
        default=True, description="Whether PDFs of a single page are read by jobs too, rather than by one call at once."
    )
    textract_start_per_second: float | None = Field(
        None, gt=0, description="The account's StartDocumentTextDetection quota; else the region's default."
    )
    textract_start_analysis_per_second: float | None = Field(
        None, gt=0, description="The account's StartDocumentAnalysis quota; else the region's default."
    )
    textract_get_per_second: float | None = Field(
        None, gt=0, description="The account's GetDocumentTextDetection quota; else the region's default."
    )
    textract_get_analysis_per_second: float | None = Field(
        None, gt=0, description="The account's GetDocumentAnalysis quota; else the region's default."
    )
    textract_detect_per_second: float | None = Field(
        None, gt=0, description="The account's DetectDocumentText quota; else the region's default."
    )
    textract_analyze_per_second: float | None = Field(
        None, gt=0, description="The account's AnalyzeDocument quota; else the region's default."
    )
    textract_max_concurrent_jobs: int | None = Field(
        None, gt=0, description="The account's quota of running jobs, of each operation; else the region's default."
    )
    textract_quota_share: float = Field(0.9, gt=0, le=1, description="The share of the quotas that this fleet may use.")
    local_textract_start_per_second: float = Field(
        100.0, gt=0, description="Starts that the engine `local` is sent a second, by the whole fleet."
    )
    local_textract_get_per_second: float = Field(
        200.0, gt=0, description="Gets that the engine `local` is sent a second, by the whole fleet."
    )
    local_textract_detect_per_second: float = Field(
        25.0, gt=0, description="Synchronous calls that the engine `local` is sent a second, by the whole fleet."
    )
    local_textract_max_concurrent_jobs: int = Field(
        600, gt=0, description="Jobs of each operation that run on the engine `local` at once."
    )
    textract_sns_topic_arn: str | None = Field(
        None, description="The SNS topic that Textract tells of ended jobs; needs `TEXTRACT_SNS_ROLE_ARN`."
    )
    textract_sns_role_arn: str | None = Field(
        None, description="The role under which Textract may publish to `TEXTRACT_SNS_TOPIC_ARN`."
    )
    textract_sqs_queue_url: str | None = Field(
        None, description="The SQS queue that is subscribed to the topic: ended jobs are collected at once."
    )
    aws_endpoint_url_sqs: str | None = Field(None, description="An SQS-compatible server instead of AWS.")
    textract_output_bucket: str | None = Field(
        None,
        description="The bucket that Textract writes results to, which are then read there, not asked for page by page.",
    )
    textract_output_prefix: str = Field(
        "textract_output", min_length=1, description="The folder of `TEXTRACT_OUTPUT_BUCKET` that results go to."
    )
    textract_kms_key_id: str | None = Field(
        None, description="The KMS key that results in `TEXTRACT_OUTPUT_BUCKET` are encrypted with; needs that bucket."
    )
    textract_prices: str | None = Field(
        None,
        description='Prices a page in micro-dollars as JSON, over the defaults: `{"TEXT": 1500, "TABLES": 15000}`.',
    )
    max_cost_per_document: int | None = Field(
        None, ge=0, description="The most micro-dollars that reading a document may cost; a dearer one is not started."
    )
    max_cost_per_project_per_day: int | None = Field(
        None,
        ge=0,
        description="The most micro-dollars that a project may spend on a day (UTC); the rest waits for the next.",
    )
    textract_max_results: int = Field(1000, ge=1, le=1000, description="Blocks asked for in one page of results.")
    textract_connect_timeout_seconds: float = Field(5.0, gt=0, description="How long connecting to Textract may take.")
    textract_read_timeout_seconds: float = Field(30.0, gt=0, description="How long Textract may take to answer.")

    chunk_max_tokens: int = Field(400, ge=20, le=8000, description="The most tokens of a chunk, as estimated.")
    chunk_overlap_tokens: int = Field(
        50,
        ge=0,
        description="Tokens at its beginning that a chunk may share with the one before: at most half of the most.",
    )
    chunk_min_tokens: int = Field(
        100, ge=1, description="A chunk with fewer tokens is not ended by a heading, or to keep a paragraph whole."
    )

    embedding_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="An OpenAI-compatible `/v1/embeddings` endpoint; without it, vectors are made by a small model in this process.",
    )
    embedding_model: str = Field(
        "text-embedding-3-small",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$",
        description="The model that `EMBEDDING_URL` is asked for.",
    )
    embedding_dimensions: int = Field(
        1536, ge=2, le=4000, description="How many numbers the vectors of `EMBEDDING_MODEL` have."
    )
    embedding_api_key: SecretStr | None = Field(None, description="The key that is sent to `EMBEDDING_URL`.")
    embedding_shorten: bool = Field(
        default=False,
        description="Whether the endpoint is asked to shorten vectors to their dimensions; not every model can.",
    )
    embedding_next_url: str | None = Field(
        None, pattern=r"^https?://", description="The endpoint of a model that is to take over; see `quire embeddings`."
    )
    embedding_next_model: str = Field(
        "text-embedding-3-small",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$",
        description="The model that `EMBEDDING_NEXT_URL` is asked for.",
    )
    embedding_next_dimensions: int = Field(
        1536, ge=2, le=4000, description="How many numbers the vectors of `EMBEDDING_NEXT_MODEL` have."
    )
    embedding_next_api_key: SecretStr | None = Field(None, description="The key that is sent to `EMBEDDING_NEXT_URL`.")
    embedding_batch_items: int = Field(
        128, ge=1, le=2048, description="Texts that an endpoint is sent in one request, at most."
    )
    embedding_batch_tokens: int = Field(
        50_000, ge=1, description="Tokens, as estimated, that an endpoint is sent in one request, at most."
    )
    embedding_text_tokens: int = Field(
        8000,
        ge=1,
        description="Tokens of one text that an endpoint can read; of a longer one it is sent the beginning.",
    )
    embedding_concurrent_requests: int = Field(
        4, ge=1, description="Requests that each process has at an endpoint at once."
    )
    embedding_requests_per_minute: float | None = Field(
        None, gt=0, description="Requests that each process sends an endpoint a minute; unlimited without it."
    )
    embedding_tokens_per_minute: float | None = Field(
        None, gt=0, description="Tokens that each process sends an endpoint a minute; unlimited without it."
    )
    embedding_timeout_seconds: float = Field(30.0, gt=0, description="How long an endpoint may take to answer.")
    embedding_tries: int = Field(
        4,
        ge=1,
        description="How often a request is sent to an endpoint before the stage fails, and is tried again later.",
    )
    search_embedding_seconds: float = Field(
        5.0, gt=0, description="How long a search waits for its query's vector; then full text alone answers."
    )

    entity_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="An OpenAI-compatible `/v1/chat/completions` endpoint that finds names; without it, a small model does beside the worker.",
    )
    entity_model: str = Field(
        "gpt-4o-mini",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$",
        description="The model that `ENTITY_URL` is asked for; it has to answer by a JSON schema.",
    )
    entity_api_key: SecretStr | None = Field(None, description="The key that is sent to `ENTITY_URL`.")
    entity_request_characters: int = Field(
        12_000, ge=500, description="Characters of text that `ENTITY_URL` is sent in one request, at most."
    )
    entity_concurrent_requests: int = Field(
        4, ge=1, description="Requests that each process has at `ENTITY_URL` at once."
    )
    entity_requests_per_minute: float | None = Field(
        None, gt=0, description="Requests that each process sends `ENTITY_URL` a minute; unlimited without it."
    )
    entity_timeout_seconds: float = Field(
        120.0, gt=0, description="How long the entities of one request, or of some twenty pages, may take."
    )
    entity_tries: int = Field(
        4,
        ge=1,
        description="How often a request is sent to `ENTITY_URL` before the stage fails, and is tried again later.",
    )

    emf_namespace: str | None = Field(
        None, description="The CloudWatch namespace of metrics in the logs (embedded metric format); none without it."
    )

    format_memory_bytes: int = Field(
        2048 * MEBIBYTE, gt=0, description="Address space of the process that makes formats and pictures of documents."
    )
    format_timeout_seconds: float = Field(600.0, gt=0, description="How long making one format of a document may take.")
    format_wait_seconds: float = Field(
        50.0, gt=0, description="How long a request waits for a format to be made; it goes on being made after that."
    )
    max_concurrent_formats: int = Field(
        2, ge=1, description="Formats and pictures that one API process makes at once; others wait their turn."
    )

    max_streams: int = Field(10_000, ge=1, description="Event streams that one API process keeps open at once.")
    stream_ping_seconds: float = Field(15.0, gt=0, description="How often an idle stream sends a comment.")

    webhook_allowed_networks: str = Field(
        "",
        description="Private networks that webhooks may call, in CIDR notation, comma-separated; else none but public addresses.",
    )
    webhook_allow_http: bool = Field(default=False, description="Whether webhooks may be called without TLS.")
    webhook_timeout_seconds: float = Field(15.0, gt=0, le=60, description="How long a webhook may take to answer.")
    webhook_retry_base_seconds: float = Field(
        5.0,
        gt=0,
        description="About when a message to a webhook is tried again first; four times as long each time, two hours at most.",
    )
    webhook_give_up_seconds: float = Field(
        86_400.0, gt=0, description="How long a message to a webhook is tried before it is given up."
    )
    webhook_disable_after_seconds: float = Field(
        259_200.0, gt=0, description="How long nothing may have arrived at a webhook before it is disabled."
    )
    webhook_secret_overlap_seconds: float = Field(
        86_400.0, ge=0, description="How long a webhook's secret stays valid once it is replaced."
    )
    webhook_concurrency: int = Field(
        32, ge=1, description="Messages to webhooks that one worker process sends at once."
    )

    @model_validator(mode="after")
    def _networks_are_networks(self) -> Self:
        for network in filter(None, map(str.strip, self.webhook_allowed_networks.split(","))):
            ip_network(network)
        return self

    @field_validator("ocr_engines")
    @classmethod
    def _engines_are_known(cls, named: str) -> str:
        engines = named.split(",")
        if not ENGINES.issuperset(engines) or len(set(engines)) < len(engines):
            raise ValueError("name textract, local, or both with a comma between, each once, the preferred one first")
        return named

    @property
    def engine_nowhere(self) -> str | None:
        """Which engine can't be asked, since nothing says where it is, and what to do.

        It is no mistake by itself: `quire up` places the engine itself, and much asks no engine.
        """
        if "local" not in self.ocr_engines.split(",") or self.local_textract_endpoint_url is not None:
            return None
        return "OCR_ENGINES names local, and LOCAL_TEXTRACT_ENDPOINT_URL is not set: set it to where `quire-textract` runs."

    @model_validator(mode="after")
    def _prices_are_prices(self) -> Self:
        parse_prices(self.textract_prices or "{}")
        return self

    @model_validator(mode="after")
    def _what_goes_together_is_whole(self) -> Self:
        if (self.textract_sns_topic_arn is None) != (self.textract_sns_role_arn is None):
            raise ValueError(
                "Of TEXTRACT_SNS_TOPIC_ARN and TEXTRACT_SNS_ROLE_ARN only one is set: set both, or neither"
            )
        if self.textract_kms_key_id is not None and self.textract_output_bucket is None:
            raise ValueError(
                "TEXTRACT_KMS_KEY_ID is set without TEXTRACT_OUTPUT_BUCKET, whose results it is to encrypt"
            )
        return self

    @property
    def import_places(self) -> list[str]:
        """The places of `IMPORT_BUCKETS`."""
        return [place.strip() for place in self.import_buckets.split(",") if place.strip()]

    @model_validator(mode="after")
    def _own_bucket_is_not_imported(self) -> Self:
        if any(place.partition("/")[0] == self.s3_bucket for place in self.import_places):
            raise ValueError("IMPORT_BUCKETS may not name S3_BUCKET: every project's documents are in it")
        return self

    @model_validator(mode="after")
    def _chunks_have_room(self) -> Self:
        if self.chunk_overlap_tokens > self.chunk_max_tokens // 2:
            raise ValueError("CHUNK_OVERLAP_TOKENS may be half of CHUNK_MAX_TOKENS at most")
        if self.chunk_min_tokens > self.chunk_max_tokens:
            raise ValueError("CHUNK_MIN_TOKENS may be no more than CHUNK_MAX_TOKENS")
        return self

"""Log lines: JSON for machines, or colours for people; each with the request and job it belongs to."""

import logging
import sys

import structlog

from app.config import Settings


def configure_logs(settings: Settings) -> None:
    """Have our own lines and those of libraries come out in one form, on standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer = structlog.processors.JSONRenderer() if settings.log_format == "json" else structlog.dev.ConsoleRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    for chatty in ("botocore", "aiobotocore", "boto3", "urllib3", "httpx", "arq"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Changed in place: loggers that are in use already hold on to the list.
    processors: list[structlog.typing.Processor] = structlog.get_config()["processors"]
    processors[:] = [structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    structlog.configure(
        processors=processors,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )

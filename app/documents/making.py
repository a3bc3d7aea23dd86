"""Putting the parts together that take in what is in S3 already, from settings: for both doors."""

from datetime import timedelta

from app.config import Settings
from app.db import Sessions
from app.documents.arrivals import Arrivals
from app.documents.intake import SizeLimits
from app.documents.sources import AllowedSources
from app.documents.uploads import Uploads
from app.queue import Queue
from app.storage.s3 import Bucket


def make_arrivals(settings: Settings, sessions: Sessions, bucket: Bucket) -> Arrivals:
    """What takes in what is in S3 already."""
    return Arrivals(
        sessions=sessions,
        bucket=bucket,
        sizes=SizeLimits(settings.max_document_bytes, settings.max_image_bytes),
        allowed=AllowedSources.from_setting(settings.import_places),
    )


def make_uploads(settings: Settings, arrivals: Arrivals, queue: Queue) -> Uploads:
    """What a caller can ask about uploads straight to S3."""
    return Uploads(
        arrivals=arrivals,
        queue=queue,
        part_bytes=settings.direct_upload_part_bytes,
        lasts=timedelta(seconds=settings.direct_upload_expires_seconds),
        url_seconds=settings.presigned_url_seconds,
        most_open=settings.max_open_uploads,
    )

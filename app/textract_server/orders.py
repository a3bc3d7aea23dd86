"""What a request asks to be read, taken out of its JSON after that was checked."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from app.textract_server.families import ANALYSIS, FAMILIES, Family

JSON = dict[str, Any]

DEFAULT_PREFIX = "textract_output"
"""Where Textract writes results in a bucket, unless it is told."""


@dataclass(frozen=True, slots=True)
class S3Location:
    """Where a document lies."""

    bucket: str
    name: str
    version: str | None = None

    @classmethod
    def of(cls, s3_object: JSON) -> "S3Location":
        """The place that an S3Object names."""
        return cls(s3_object["Bucket"], s3_object["Name"], s3_object.get("Version"))


@dataclass(frozen=True, slots=True)
class OutputPlace:
    """Where a result is to be written, and the key of KMS that encrypts it."""

    bucket: str
    prefix: str
    kms_key_id: str | None

    def key(self, job_id: str, name: str) -> str:
        """The key of one of the result's objects."""
        return f"{self.prefix}/{job_id}/{name}"


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A Start: its family, and its parameters as they were sent."""

    family: Family
    request: JSON

    @classmethod
    def stored(cls, start: str, request: str) -> "JobOrder":
        """The order that was stored under the name of its Start."""
        return cls(next(family for family in FAMILIES if family.start == start), orjson.loads(request))

    @property
    def token(self) -> str | None:
        """The ClientRequestToken."""
        return self.request.get("ClientRequestToken")

    @property
    def fingerprint(self) -> str:
        """Stands for all parameters but the token: 64 hex digits."""
        parameters = {name: value for name, value in self.request.items() if name != "ClientRequestToken"}
        return hashlib.sha256(orjson.dumps(parameters, option=orjson.OPT_SORT_KEYS)).hexdigest()

    @property
    def location(self) -> S3Location:
        """Where the document lies."""
        return S3Location.of(self.request["DocumentLocation"]["S3Object"])

    @property
    def features(self) -> frozenset[str]:
        """What is wanted beside the text."""
        return features_of(self.family, self.request)

    @property
    def topic_arn(self) -> str | None:
        """The topic that is told when the job has ended."""
        channel = self.request.get("NotificationChannel")
        return str(channel["SNSTopicArn"]) if channel else None

    @property
    def output(self) -> OutputPlace | None:
        """Where the result is to be written, if it is."""
        config = self.request.get("OutputConfig")
        if not config:
            return None
        prefix = (config.get("S3Prefix") or DEFAULT_PREFIX).strip("/")
        return OutputPlace(config["S3Bucket"], prefix, self.request.get("KMSKeyId"))


def features_of(family: Family, request: JSON) -> frozenset[str]:
    """The FeatureTypes of a request; text detection has none, whatever was sent."""
    return frozenset(request["FeatureTypes"]) if family is ANALYSIS else frozenset()

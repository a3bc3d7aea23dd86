"""Where documents may be imported from: `s3://bucket/key`, in buckets that the operator has allowed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self
from urllib.parse import unquote

from app.errors import SourceInvalid, SourceNotAllowed

ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)", re.DOTALL)
LONGEST_KEY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Source:
    """An object to import."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, address: str) -> Self:
        """From `s3://bucket/key`, the key as it is, nothing escaped. Raises `SourceInvalid`."""
        found = ADDRESS.fullmatch(address)
        if found is None or not found[2].isprintable() or len(found[2].encode()) > LONGEST_KEY_BYTES:
            raise SourceInvalid
        # S3 takes such keys as they are; stores that keep files in folders may step out of the bucket with them.
        if any(unquote(step) in {".", ".."} for step in found[2].split("/")):
            raise SourceInvalid("A key with '.' or '..' as a folder can't be imported.")
        return cls(found[1], found[2])

    @property
    def filename(self) -> str:
        """The last part of the key."""
        return PurePosixPath(self.key).name


@dataclass(frozen=True, slots=True)
class AllowedSources:
    """The buckets, or folders of them, that may be imported from."""

    places: tuple[tuple[str, str], ...] = ()
    """Buckets, and what keys must begin with there."""

    @classmethod
    def from_setting(cls, said: Iterable[str]) -> Self:
        """From names such as `bucket` or `bucket/folder/`."""
        return cls(tuple((place.partition("/")[0], place.partition("/")[2]) for place in said))

    def check(self, source: Source) -> None:
        """Raise `SourceNotAllowed` for one that is nowhere in them."""
        if not any(source.bucket == bucket and source.key.startswith(prefix) for bucket, prefix in self.places):
            raise SourceNotAllowed

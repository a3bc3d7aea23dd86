"""Declaring what a request may hold, as the service's own API model does, and checking requests against it."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from app.textract_server.errors import InvalidParameterError


class Shape(Protocol):
    """What a value must look like."""

    def check(self, value: Any, path: str) -> None:
        """Raise InvalidParameterError, naming `path`, where the value breaks the constraint."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A string with a length and a pattern that all of it must match."""

    minimum: int
    maximum: int
    pattern: str = r".*"

    def check(self, value: Any, path: str) -> None:
        """Raise InvalidParameterError where the value isn't such a string."""
        if not isinstance(value, str):
            raise InvalidParameterError(f"{path} must be a string")
        if not self.minimum <= len(value) <= self.maximum:
            raise InvalidParameterError(
                f"{path} must have {self.minimum} to {self.maximum} characters, not {len(value)}"
            )
        if not re.fullmatch(self.pattern, value, re.DOTALL):
            raise InvalidParameterError(f"{path} must match {self.pattern}")


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number with a least value."""

    minimum: int

    def check(self, value: Any, path: str) -> None:
        """Raise InvalidParameterError where the value isn't such a number."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidParameterError(f"{path} must be a whole number")
        if value < self.minimum:
            raise InvalidParameterError(f"{path} must be at least {self.minimum}")


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes, in base64; their size is the operation's own affair."""

    def check(self, value: Any, path: str) -> None:
        """Raise InvalidParameterError where the value isn't base64 or is empty."""
        if not isinstance(value, str) or not value:
            raise InvalidParameterError(f"{path} must be bytes in base64")
        try:
            base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise InvalidParameterError(f"{path} must be bytes in base64") from error


@dataclass(frozen=True, slots=True)
class Choices:
    """A list, not empty, of words: some that this server acts on, and some that only the real service does."""

    served: Sequence[str]
    unserved: Sequence[str] = ()

    def check(self, value: Any, path: str) -> None:
        """Raise InvalidParameterError where the value isn't such a list."""
        if not isinstance(value, list) or not value:
            raise InvalidParameterError(f"{path} must be a list of {', '.join(self.served)}")
        known = (*self.served, *self.unserved)
        for word in value:
            if word not in known:
                raise InvalidParameterError(f"{path} must be among {', '.join(known)}")
        if refused := [word for word in value if word in self.unserved]:
            raise InvalidParameterError(
                f"{path} {', '.join(refused)} isn't served by this server; it has {', '.join(self.served)}"
            )


@dataclass(frozen=True, slots=True)
class Unserved:
    """A member that the real service acts on and this server doesn't: refused, rather than ignored."""

    shape: Shape

    def check(self, value: Any, path: str) -> None:
        """Raise InvalidParameterError, for a broken constraint first."""
        self.shape.check(value, path)
        raise InvalidParameterError(f"{path} isn't served by this server")


@dataclass(frozen=True, slots=True)
class Structure:
    """An object: its members, those it must have, and those of which it must have exactly one."""

    members: Mapping[str, Shape]
    required: Sequence[str] = ()
    exactly_one: Sequence[str] = ()

    def check(self, value: Any, path: str) -> None:
        """Raise InvalidParameterError for the first member that is missing or breaks its constraint; unknown ones are ignored."""
        if not isinstance(value, dict):
            raise InvalidParameterError(f"{path or 'the request'} must be an object")
        for name in self.required:
            if value.get(name) is None:
                raise InvalidParameterError(f"{_join(path, name)} is required")
        if self.exactly_one and sum(value.get(name) is not None for name in self.exactly_one) != 1:
            raise InvalidParameterError(f"{path} must have exactly one of {' and '.join(self.exactly_one)}")
        for name, shape in self.members.items():
            if value.get(name) is not None:
                shape.check(value[name], _join(path, name))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name

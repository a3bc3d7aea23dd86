"""Faults on request: what goes wrong at AWS now and then goes wrong here by rate or by count, for clients to be tested with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from random import Random
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.textract_server.errors import InjectedError


class Fault(StrEnum):
    """What can be asked for."""

    ERROR = "error"
    """A call is answered with an error and does nothing."""
    LOST_RESPONSE = "lost_response"
    """A call is carried out, and its connection closed without an answer."""
    SLOW_JOBS = "slow_jobs"
    FAIL_JOBS = "fail_jobs"
    PARTIAL_JOBS = "partial_jobs"
    LOST_NOTICE = "lost_notice"
    DOUBLE_NOTICE = "double_notice"
    LATE_NOTICE = "late_notice"


class FaultRule(BaseModel):
    """One fault: at which operations (all, where none is named), how often, and its particulars.

    It strikes with probability `rate`, at most `count` times. The same `seed` gives the same draws in the same order.
    Faults of jobs and of notices belong to the operation that starts the job.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: Fault
    operations: tuple[str, ...] = ()
    rate: float = Field(1.0, gt=0, le=1)
    count: int | None = Field(None, ge=1)
    seed: int | None = None
    code: str | None = Field(None, pattern=r"^[A-Za-z0-9]+$", description="The error's code, known here or not.")
    message: str | None = None
    status: int | None = Field(None, ge=400, le=599)
    seconds: float | None = Field(None, gt=0, description="How much longer a job takes, or how late a notice is.")
    pages: tuple[int, ...] = Field((1,), min_length=1, description="The pages that a partial job lacks.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.fault is Fault.ERROR and self.code is None:
            raise ValueError("an error needs its code")
        if self.fault in {Fault.SLOW_JOBS, Fault.LATE_NOTICE} and self.seconds is None:
            raise ValueError(f"{self.fault} needs seconds")
        return self


@dataclass(slots=True)
class ActiveRule:
    """A rule, its own sequence of draws, and how often it has struck."""

    number: int
    rule: FaultRule
    random: Random
    hits: int = 0

    def strikes(self, fault: Fault, operation: str) -> bool:
        """Draw, where the rule is for this fault at this operation."""
        rule = self.rule
        if rule.fault is not fault or (rule.operations and operation not in rule.operations):
            return False
        if (rule.count is not None and self.hits >= rule.count) or self.random.random() >= rule.rate:
            return False
        self.hits += 1
        return True

    def shown(self) -> dict[str, Any]:
        """The rule as JSON, with its number and its hits."""
        return {"id": self.number, "hits": self.hits, **self.rule.model_dump(mode="json", exclude_none=True)}


@dataclass(frozen=True, slots=True)
class Fate:
    """What a job was drawn to suffer."""

    delay_seconds: float = 0.0
    failure: str | None = None
    missing_pages: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Faults:
    """The rules that hold now; none to begin with."""

    rules: list[ActiveRule] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def add(self, rules: Iterable[FaultRule]) -> Sequence[ActiveRule]:
        """Let rules hold from now on."""
        # Not for secrets: for draws that can be repeated.
        added = [ActiveRule(next(self._numbers), rule, Random(rule.seed)) for rule in rules]  # noqa: S311
        self.rules.extend(added)
        return added

    def drawn(self, fault: Fault, operation: str) -> FaultRule | None:
        """The first rule that strikes, if one does."""
        return next((each.rule for each in self.rules if each.strikes(fault, operation)), None)

    def raise_error(self, operation: str) -> None:
        """Raise the error that a call was drawn to end in."""
        if rule := self.drawn(Fault.ERROR, operation):
            raise InjectedError(rule.code or "", rule.message, rule.status)

    def fate(self, start: str) -> Fate:
        """Draw what a new job has to suffer."""
        slow, failed, partial = (
            self.drawn(fault, start) for fault in (Fault.SLOW_JOBS, Fault.FAIL_JOBS, Fault.PARTIAL_JOBS)
        )
        return Fate(
            (slow.seconds or 0.0) if slow else 0.0,
            (failed.message or "The job was asked to fail.") if failed else None,
            frozenset(partial.pages) if partial else frozenset(),
        )

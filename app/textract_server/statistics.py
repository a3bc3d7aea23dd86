"""What the server has done since it began, for benchmarks and tests to check a client against."""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from app.textract_server.errors import LimitExceededError, ProvisionedThroughputExceededError, ThrottlingError

SUCCESS = "200"
LOST = "lost"
"""What a call counts as whose answer was thrown away on request."""
_THROTTLED = (ProvisionedThroughputExceededError.code, ThrottlingError.code)


@dataclass(slots=True)
class Statistics:
    """Counters. Those by job are kept only where somebody can ask for them: they grow with every job."""

    by_job: bool = False
    calls: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    jobs_made: Counter[str] = field(default_factory=Counter)
    most_open: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    gets: Counter[str] = field(default_factory=Counter)
    since: float = field(default_factory=time.time)
    cpu_before: float = field(default_factory=time.process_time)

    def answered(self, operation: str, code: str) -> None:
        """Count an answer."""
        self.calls[operation][code] += 1

    def job_made(self, start: str, job_id: str, open_jobs: int) -> None:
        """Count a job that a Start has made, and how many of its family are open now."""
        self.jobs_made[start] += 1
        self.most_open[start] = max(self.most_open[start], open_jobs)
        if self.by_job:
            self.gets[job_id] = 0

    def asked(self, job_id: str) -> None:
        """Count a Get of a job, whatever its answer."""
        if self.by_job:
            self.gets[job_id] += 1

    def reset(self) -> None:
        """Begin again."""
        for counter in (self.jobs_made, self.most_open, self.notices, self.gets):
            counter.clear()
        self.calls.clear()
        self.since, self.cpu_before = time.time(), time.process_time()

    def report(self, open_jobs: Counter[str]) -> dict[str, Any]:
        """Everything that was counted, as JSON."""
        return {
            "calls": {operation: dict(codes) for operation, codes in self.calls.items()},
            "throttled": sum(codes[code] for codes in self.calls.values() for code in _THROTTLED),
            "limit_exceeded": sum(codes[LimitExceededError.code] for codes in self.calls.values()),
            "lost_responses": sum(codes[LOST] for codes in self.calls.values()),
            "jobs_made": dict(self.jobs_made),
            "open_jobs": dict(open_jobs),
            "most_open_jobs": dict(self.most_open),
            "gets_per_job": self._gets_per_job(),
            "notices": dict(self.notices),
            "seconds": time.time() - self.since,
            "cpu_seconds": time.process_time() - self.cpu_before,
        }

    def _gets_per_job(self) -> dict[str, Any]:
        distribution = Counter(self.gets.values())
        return {
            "jobs": len(self.gets),
            "most": max(self.gets.values(), default=0),
            "mean": self.gets.total() / len(self.gets) if self.gets else 0.0,
            "distribution": {str(count): jobs for count, jobs in sorted(distribution.items())},
        }

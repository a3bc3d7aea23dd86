"""Putting tasks on a queue: what Redis is told, and what a task looks like there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from arq.jobs import serialize_job
from arq.utils import timestamp_ms

TASK_KEPT_MS = 24 * 3600 * 1000
"""How long arq remembers what a task was to do: as long as it does by itself."""

# What arq's own `enqueue_job` writes, in one trip instead of three, with a look at the queue's room and the ring to
# wake a worker in the same: this is on the way of every submission and every hop between stages. After what is told of
# the queue there are four arguments for each task.
RING = """
local rung = 0
for i = 2, #KEYS do
    local at = 4 * i - 4
    if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[at]) then
        redis.call('SET', KEYS[i], ARGV[at + 1], 'NX', 'PX', ARGV[3])
        rung = rung + redis.call('ZADD', KEYS[1], 'NX', ARGV[at + 2], ARGV[at + 3])
    end
end
if rung > 0 then redis.call('PUBLISH', ARGV[1], ARGV[2]) end
return rung
"""

RUNG_AT_ONCE = 500
"""Tasks of one trip: in the middle of it Redis does nothing else."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A task that is to be put on a queue, unless that has so many by then."""

    name: str
    task: str
    subject: UUID
    most: int
    in_seconds: float = 0.0

    def told(self) -> list[str]:
        """As the script is told of it."""
        now = timestamp_ms()
        task = serialize_job(self.task, (str(self.subject),), {}, None, now, serializer=serialize).decode()
        return [str(self.most), task, str(now + round(self.in_seconds * 1000)), self.name]


def serialize(value: Mapping[str, Any]) -> bytes:
    """A task as JSON. arq's default is pickle, with which whoever can write to Redis runs code in the workers."""
    return orjson.dumps(value, default=str)


def deserialize(data: bytes) -> dict[str, Any]:
    """A task from JSON."""
    value: dict[str, Any] = orjson.loads(data)
    return value

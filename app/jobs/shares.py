"""How much of a job's way is behind it. Pure: no I/O."""

from app.jobs.states import Stage

STAGE_SHARES = {
    Stage.QUEUED: 0.0,
    Stage.JOB_VALIDATED: 0.05,
    Stage.PARSING: 0.1,
    Stage.PARSED: 0.7,
    Stage.PARSE_VALIDATED: 0.72,
    Stage.CHUNKING: 0.72,
    Stage.CHUNKS_BUFFERED: 0.76,
    Stage.EMBEDDING: 0.76,
    Stage.EMBEDDED: 0.82,
    Stage.ENTITIES_EXTRACTED: 0.92,
    Stage.ENTITIES_RESOLVED: 0.94,
    Stage.RELATIONSHIPS_BUILT: 0.98,
    Stage.FINALIZED: 1.0,
}
"""How much of the way is behind a job when it comes to a stage: reading the pages is most of it."""


def share_of(stage: Stage, pages_done: int, pages_total: int | None) -> float:
    """How much of the way is behind a job, 0 to 1, by its stage and, while pages are read, by these."""
    share = STAGE_SHARES[stage]
    if stage is Stage.PARSING and pages_total:
        share += 0.6 * pages_done / pages_total
    return share

"""The steps of a document's way, and which of them its options ask for. Pure: no I/O."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from app.jobs.states import Stage


class Step(StrEnum):
    """A part of the way that can be asked for, left out, or run again; in order."""

    OCR = "ocr"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    ENTITIES = "entities"
    RESOLUTION = "resolution"
    RELATIONSHIPS = "relationships"
    FINALIZATION = "finalization"


ALWAYS = frozenset({Step.OCR, Step.FINALIZATION})
"""What every job does."""

NEEDS: Mapping[Step, Step] = {
    Step.EMBEDDING: Step.CHUNKING,
    Step.RESOLUTION: Step.ENTITIES,
    Step.RELATIONSHIPS: Step.ENTITIES,
}
"""What a step works on the results of, beside the text."""

BEGINS: Mapping[Step, Stage] = {
    Step.OCR: Stage.QUEUED,
    Step.CHUNKING: Stage.PARSE_VALIDATED,
    Step.EMBEDDING: Stage.CHUNKS_BUFFERED,
    Step.ENTITIES: Stage.EMBEDDED,
    Step.RESOLUTION: Stage.ENTITIES_EXTRACTED,
    Step.RELATIONSHIPS: Stage.ENTITIES_RESOLVED,
    Step.FINALIZATION: Stage.RELATIONSHIPS_BUILT,
}
"""The stage of a job whose next work is the step's."""

ENDS: Mapping[Step, Stage] = {
    Step.OCR: Stage.PARSE_VALIDATED,
    Step.CHUNKING: Stage.CHUNKS_BUFFERED,
    Step.EMBEDDING: Stage.EMBEDDED,
    Step.ENTITIES: Stage.ENTITIES_EXTRACTED,
    Step.RESOLUTION: Stage.ENTITIES_RESOLVED,
    Step.RELATIONSHIPS: Stage.RELATIONSHIPS_BUILT,
    Step.FINALIZATION: Stage.FINALIZED,
}
"""The stage that the step's success leads to: from there on its results are whole."""

ORDER = list(Stage)


def wanted(options: Mapping[str, Any]) -> frozenset[Step]:
    """The steps that a job takes, by its `stages` (all, where nothing is said) and its `entity_resolution`."""
    said = options.get("stages")
    steps = frozenset(Step) if said is None else ALWAYS | {Step(name) for name in said}
    return steps - {Step.RESOLUTION} if options.get("entity_resolution") is False else steps


def missing_needs(steps: frozenset[Step]) -> list[tuple[Step, Step]]:
    """The steps that work on what another one makes that isn't among them, each with that one."""
    return [(step, needed) for step, needed in NEEDS.items() if step in steps and needed not in steps]


def has_come_to(stage: Stage, end: Stage) -> bool:
    """Whether a job at a stage has come as far as another stage, or further."""
    return ORDER.index(stage) >= ORDER.index(end)


def stages_from(stage: Stage) -> tuple[Stage, ...]:
    """A stage and all that come after it."""
    return tuple(ORDER[ORDER.index(stage) :])

"""What several commands ask for in the same words."""

from enum import StrEnum
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class PriorityChoice(StrEnum):
    """Which documents are taken first."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


Priority = Annotated[PriorityChoice, typer.Option(help="Which documents are taken first.")]

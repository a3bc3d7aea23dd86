"""What several commands ask for in the same words."""

from typing import Annotated

import typer

from app.jobs.states import Priority

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

PriorityOption = Annotated[Priority, typer.Option(help="Which documents are taken first.")]

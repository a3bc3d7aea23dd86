"""How a document is to be read, as clients say it: checked when it comes in, kept as it was said."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.jobs.steps import Step, missing_needs, wanted
from app.ocr.engine import EngineName, Feature

MOST_QUERIES = 30
"""Textract's limit a page, for jobs."""

PageRange = Annotated[str, StringConstraints(pattern=r"^[0-9*-]+$", min_length=1, max_length=9)]

QueryText = Annotated[str, StringConstraints(pattern=r"^[\t\n\r -~]+$", min_length=1, max_length=200)]
"""Plain ASCII, as Textract's API model has it: anything else would be refused once the document has been taken in."""

QUERY_EXAMPLE: dict[str, Any] = {"text": "What is the invoice number?", "alias": "INVOICE_NUMBER", "pages": ["1"]}


class QueryOption(BaseModel):
    """A question to the document's pages."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [QUERY_EXAMPLE]})

    text: QueryText = Field(description="The question, in English.")
    alias: QueryText | None = Field(None, description="What to know the answer by.")
    pages: list[PageRange] = Field(
        default_factory=list, description="Such as `1-3` or `*`; the first page if left out."
    )


class ProcessingOptions(BaseModel):
    """How a document is to be read."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"features": ["TABLES", "QUERIES"], "queries": [QUERY_EXAMPLE]}]},
    )

    features: list[Feature] = Field(
        default_factory=list, description="What is to be found; text always is, and costs least alone."
    )
    queries: list[QueryOption] = Field(
        default_factory=list, max_length=MOST_QUERIES, description="Questions, with the feature `QUERIES`."
    )
    engine: EngineName | None = Field(None, description="The engine to read with, and no other; else by `OCR_ENGINES`.")
    force_reprocess: bool = Field(
        default=False, description="Read anew, whatever the project has read from the same bytes before."
    )

    stages: list[Step] | None = Field(
        None,
        min_length=1,
        max_length=len(Step),
        description="What is to be done, so that the pipeline ends early or leaves something out; all, if left out. Reading and "
        "finalization always are. `embedding` needs `chunking`; `resolution` and `relationships` need `entities`. "
        'For the text alone: `["ocr"]`.',
    )
    entity_resolution: bool = Field(
        default=True, description="Whether names that mean the same become one entity; else each name is one."
    )

    @model_validator(mode="after")
    def _stages_have_what_they_need(self) -> Self:
        for step, needed in missing_needs(frozenset(self.stages or Step)):
            raise ValueError(f"in 'stages', '{step}' needs '{needed}': give both, or neither")
        return self

    @model_validator(mode="after")
    def _queries_are_asked_for(self) -> Self:
        if (Feature.QUERIES in self.features) != bool(self.queries):
            raise ValueError("'queries' and the feature QUERIES come together: give both, or neither")
        return self

    @property
    def steps(self) -> frozenset[Step]:
        """The steps that are asked for."""
        return wanted(self.said())

    def said(self) -> dict[str, Any]:
        """What was said, without what was left out."""
        return self.model_dump(mode="json", exclude_unset=True)

"""How a document is to be read, as clients say it: checked when it comes in, kept as it was said."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

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

    @model_validator(mode="after")
    def _queries_are_asked_for(self) -> Self:
        if (Feature.QUERIES in self.features) != bool(self.queries):
            raise ValueError("'queries' and the feature QUERIES come together: give both, or neither")
        return self

    def said(self) -> dict[str, Any]:
        """What was said, without what was left out."""
        return self.model_dump(mode="json", exclude_unset=True)

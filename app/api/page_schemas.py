"""What a page looks like in the API: its text, its lines and words, and what analysis found on it."""

from typing import Any, Self

from pydantic import BaseModel, Field

from app.api.schemas import example
from app.documents.models import Page, PageStatus
from app.documents.page_writing import ANALYSED


class Box(BaseModel):
    """Where something stands on its page, in shares (0 to 1) of the page's width and height."""

    model_config = example({"left": 0.12, "top": 0.08, "width": 0.31, "height": 0.02})

    left: float
    top: float
    width: float
    height: float


class Word(BaseModel):
    """One word."""

    model_config = example(
        {"text": "UNITED", "confidence": 96.2, "box": {"left": 0.12, "top": 0.08, "width": 0.1, "height": 0.02}}
    )

    text: str
    confidence: float = Field(ge=0, le=100)
    box: Box


class Line(Word):
    """One line, and its words."""

    model_config = example(
        {
            "text": "UNITED STATES",
            "confidence": 96.0,
            "box": {"left": 0.12, "top": 0.08, "width": 0.31, "height": 0.02},
            "words": [
                {"text": "UNITED", "confidence": 96.2, "box": {"left": 0.12, "top": 0.08, "width": 0.1, "height": 0.02}}
            ],
        }
    )

    words: list[Word]


class Place(BaseModel):
    """Where something was found, and how sure the engine is."""

    model_config = example({"confidence": 98.1, "box": {"left": 0.12, "top": 0.08, "width": 0.31, "height": 0.02}})

    confidence: float | None = Field(description="0 to 100.")
    box: Box | None


class CellRead(Place):
    """A cell of a table."""

    model_config = example(
        {
            "confidence": 98.1,
            "box": None,
            "row": 1,
            "column": 2,
            "row_span": 1,
            "column_span": 1,
            "text": "Amount",
            "is_header": True,
        }
    )

    row: int = Field(description="From 1.")
    column: int = Field(description="From 1.")
    row_span: int
    column_span: int
    text: str = Field(description="A checkbox in it is `[x]` or `[ ]`.")
    is_header: bool


class TableRead(Place):
    """A table, its cells by row and column."""

    model_config = example({"confidence": 99.0, "box": None, "rows": 1, "columns": 2, "cells": []})

    rows: int
    columns: int
    cells: list[CellRead]


class KeyValueRead(BaseModel):
    """A label of a form, and what stands beside it."""

    model_config = example(
        {"key": "Date:", "value": "3 May 2021", "confidence": 91.2, "key_box": None, "value_box": None}
    )

    key: str
    value: str
    confidence: float | None = Field(description="0 to 100.")
    key_box: Box | None
    value_box: Box | None


class AnswerRead(Place):
    """A question, and what the engine found for an answer."""

    model_config = example(
        {"text": "Who is the defendant?", "alias": "defendant", "answer": "Jane Roe", "confidence": 95.0, "box": None}
    )

    text: str
    alias: str | None
    answer: str | None


class LayoutRead(Place):
    """A piece of the page's layout."""

    model_config = example({"type": "SECTION_HEADER", "text": "I. Background", "confidence": 90.0, "box": None})

    type: str = Field(description="Textract's, without its `LAYOUT_`: TEXT, TITLE, HEADER, LIST and so on.")
    text: str


class SelectionRead(Place):
    """A checkbox."""

    model_config = example({"selected": True, "confidence": 97.0, "box": None})

    selected: bool


class PageSummary(BaseModel):
    """What was read on one page, without its lines."""

    model_config = example(
        {
            "number": 1,
            "status": "read",
            "text": "UNITED STATES\nCOURT OF APPEALS",
            "confidence": 95.7,
            "rotation_degrees": 0,
            "word_count": 5,
            "error": None,
        }
    )

    number: int = Field(ge=1)
    status: PageStatus = Field(description="`empty` is a page that was read and has nothing on it.")
    text: str = Field(description="Its lines in reading order.")
    confidence: float | None = Field(description="The mean of its words' confidences, 0 to 100.")
    rotation_degrees: int = Field(description="How far the page's text is turned clockwise: 0, 90, 180 or 270.")
    word_count: int
    error: dict[str, str] | None = Field(description="`code` and `message`, where the page could not be read.")

    @classmethod
    def of(cls, page: Page) -> Self:
        """From a page's row."""
        fields = ("number", "status", "text", "confidence", "rotation_degrees", "word_count")
        error = {"code": page.error_code, "message": page.error_message or ""} if page.error_code else None
        return cls(**{name: getattr(page, name) for name in fields}, error=error, **cls._more(page))

    @classmethod
    def _more(cls, page: Page) -> dict[str, Any]:  # noqa: ARG003 (what has more says more)
        return {}


class PageRead(PageSummary):
    """What was read on one page, with its lines and words."""

    model_config = example(
        {
            "number": 1,
            "status": "read",
            "text": "UNITED STATES",
            "confidence": 95.7,
            "rotation_degrees": 0,
            "word_count": 2,
            "error": None,
            "lines": [Line.model_config["json_schema_extra"]["examples"][0]],  # type: ignore[index]  # set above
            "tables": [],
            "key_values": [
                {"key": "Date:", "value": "3 May 2021", "confidence": 91.2, "key_box": None, "value_box": None}
            ],
            "queries": [],
            "signatures": [],
            "layout": [],
            "selections": [],
        }
    )

    lines: list[Line]
    tables: list[TableRead] = Field(description="With the feature `TABLES`.")
    key_values: list[KeyValueRead] = Field(description="With the feature `FORMS`.")
    queries: list[AnswerRead] = Field(description="With the feature `QUERIES`.")
    signatures: list[Place] = Field(description="With the feature `SIGNATURES`.")
    layout: list[LayoutRead] = Field(description="With the feature `LAYOUT`, in reading order.")
    selections: list[SelectionRead] = Field(description="Checkboxes, with `FORMS` or `TABLES`.")

    @classmethod
    def _more(cls, page: Page) -> dict[str, Any]:
        return {"lines": page.lines} | {name: page.analysis.get(name, []) for name in ANALYSED}


class PageList(BaseModel):
    """Some of a document's pages, in order."""

    model_config = example({"items": [PageSummary.model_config["json_schema_extra"]["examples"][0]], "next": None})  # type: ignore[index]  # set above

    items: list[PageSummary]
    next: str | None = Field(description="The cursor of the next page of this list; null at its end.")

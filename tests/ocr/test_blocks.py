"""From blocks to pages: portions may end anywhere, and nothing that doesn't add up gets through."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from app.errors import OcrResultInvalid
from app.ocr.blocks import PageAssembler, PageText
from tests.ocr.textract import Block, document_of, page_blocks


def assembled(*portions: list[Block]) -> list[PageText]:
    """The pages of a result that comes in these portions."""
    assembler = PageAssembler()
    pages = [page for portion in portions for page in assembler.add(portion)]
    pages += assembler.finish()
    assert assembler.pages_seen == len(pages)
    return pages


def test_it_makes_no_difference_where_a_portion_ends() -> None:
    """Cut at every position, a result of three pages, one of them blank, comes out the same."""
    blocks = [*page_blocks(1), *page_blocks(2, lines=0), *page_blocks(3, lines=3)]
    whole = assembled(blocks)
    assert [page.number for page in whole] == [1, 2, 3]
    assert whole[0].text == "p1l0w0 p1l0w1 p1l0w2\np1l1w0 p1l1w1 p1l1w2"
    assert [len(line["words"]) for line in whole[2].lines] == [3, 3, 3]
    for cut in range(len(blocks) + 1):
        assert assembled(blocks[:cut], blocks[cut:]) == whole, cut
        assert assembled(blocks[:cut], [], blocks[cut:]) == whole, cut


def test_it_makes_no_difference_how_many_portions_there_are() -> None:
    """Cut into random portions, two hundred times, the result comes out the same."""
    blocks = document_of(6, lines=5)
    whole = assembled(blocks)
    source = random.Random(7)
    for _ in range(200):
        cuts = sorted(source.choices(range(len(blocks)), k=source.randrange(1, 20)))
        portions = [blocks[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(blocks)], strict=True)]
        assert assembled(*portions) == whole, cuts


def test_a_page_is_given_out_as_soon_as_the_next_begins() -> None:
    """Memory holds one page, however long the document."""
    assembler = PageAssembler()
    assert list(assembler.add(page_blocks(1))) == []
    assert [page.number for page in assembler.add(page_blocks(2))] == [1]
    assert len(assembler._blocks) == len(page_blocks(2))


@pytest.mark.parametrize(("corner", "degrees"), [(0, 0), (1, 90), (2, 180), (3, 270)])
def test_how_far_a_page_is_turned(corner: int, degrees: int) -> None:
    """The polygon starts at the text's own top left, and goes clockwise."""
    (page,) = assembled(page_blocks(1, corner=corner))
    assert page.rotation_degrees == degrees


def test_a_page_without_page_numbers_is_the_first() -> None:
    """Synchronous answers name no page: they have only one."""
    blocks = [{name: value for name, value in block.items() if name != "Page"} for block in page_blocks(1)]
    (page,) = assembled(blocks)
    assert (page.number, page.word_count, page.confidence) == (1, 6, 99.5)


def test_a_blank_page_is_a_page() -> None:
    """It has no text, no words and no confidence."""
    (page,) = assembled(page_blocks(1, lines=0))
    assert (page.text, page.lines, page.word_count, page.confidence) == ("", [], 0, None)


@pytest.mark.parametrize("kind", ["a word of no page", "a word of another page", "no box", "no text", "no id", "null"])
def test_what_does_not_add_up_is_refused(kind: str) -> None:
    """A relationship that points nowhere or a member that is missing is a result that is not to be believed."""
    blocks: list[Any] = document_of(2)
    if kind == "a word of no page":
        blocks[1]["Relationships"][0]["Ids"].append("nobody")
    elif kind == "a word of another page":
        blocks[1]["Relationships"][0]["Ids"].append("WORD-p2l0w0")
    elif kind == "null":
        blocks[1]["Geometry"]["BoundingBox"] = None
    else:
        del blocks[1][{"no box": "Geometry", "no text": "Text", "no id": "Id"}[kind]]
    with pytest.raises(OcrResultInvalid):
        assembled(blocks)


def test_pages_out_of_order_are_refused() -> None:
    """A page that goes on after the next one began can't be put together any more."""
    with pytest.raises(OcrResultInvalid, match="page 1 came after page 2"):
        assembled(page_blocks(2), page_blocks(1))


def feature(kind: str, identity: str, *children: str, **members: Any) -> Block:
    """A block that analysis adds, with no more than the members given."""
    block: Block = {"BlockType": kind, "Id": identity, "Page": 1, **members}
    relations = [*members.get("Relationships", ())]
    if children:
        relations.append({"Type": "CHILD", "Ids": list(children)})
    return {**block, "Relationships": relations} if relations else block


def analysed(*features: Block) -> PageText:
    """A page of six words with these blocks beside them."""
    (page,) = assembled([*page_blocks(1), *features])
    return page


def test_a_table_has_its_cells_in_order_with_their_spans_and_header() -> None:
    """A merged cell stands in the place of its parts, and holds their words."""
    cells = [
        feature("CELL", "b1", "WORD-p1l0w1", RowIndex=2, ColumnIndex=1, RowSpan=1, ColumnSpan=1, Confidence=80.0),
        feature("CELL", "b2", "WORD-p1l0w2", "box", RowIndex=2, ColumnIndex=2),
        feature("CELL", "a1", "WORD-p1l0w0", RowIndex=1, ColumnIndex=1, EntityTypes=["COLUMN_HEADER"]),
        feature("CELL", "a2", "WORD-p1l1w0", RowIndex=1, ColumnIndex=2, EntityTypes=["COLUMN_HEADER"]),
    ]
    merged = feature(
        "MERGED_CELL", "m", "a1", "a2", RowIndex=1, ColumnIndex=1, ColumnSpan=2, EntityTypes=["COLUMN_HEADER"]
    )
    box = feature("SELECTION_ELEMENT", "box", SelectionStatus="SELECTED", Confidence=70.0)
    relations = [{"Type": "MERGED_CELL", "Ids": ["m"]}, {"Type": "TABLE_TITLE", "Ids": ["elsewhere"]}]
    table = feature("TABLE", "t", "b1", "b2", "a1", "a2", Confidence=90.0, Relationships=relations)
    page = analysed(box, table, *cells, merged)
    (found,) = page.tables
    assert (found["rows"], found["columns"], found["confidence"], found["box"]) == (2, 2, 90.0, None)
    told = [
        (cell["row"], cell["column"], cell["row_span"], cell["column_span"], cell["text"], cell["is_header"])
        for cell in found["cells"]
    ]
    assert told == [
        (1, 1, 1, 2, "p1l0w0 p1l1w0", True),
        (2, 1, 1, 1, "p1l0w1", False),
        (2, 2, 1, 1, "p1l0w2 [x]", False),
    ]
    assert [cell["confidence"] for cell in found["cells"]] == [None, 80.0, None]
    assert page.selections == [{"selected": True, "confidence": 70.0, "box": None}]


def test_key_values_have_both_texts_and_boxes() -> None:
    """A checkbox is a value, an empty field is told with an empty one, and a key without words keeps its value."""
    box = {"Left": 0.1, "Top": 0.2, "Width": 0.3, "Height": 0.4}
    value = [{"Type": "VALUE", "Ids": ["v"]}]
    page = analysed(
        feature("KEY_VALUE_SET", "k", "WORD-p1l0w0", EntityTypes=["KEY"], Relationships=value, Confidence=60.0),
        feature("KEY_VALUE_SET", "v", "off", EntityTypes=["VALUE"], Geometry={"BoundingBox": box}),
        feature("SELECTION_ELEMENT", "off", SelectionStatus="NOT_SELECTED"),
        feature("KEY_VALUE_SET", "empty", "WORD-p1l0w1", EntityTypes=["KEY"]),
        feature("KEY_VALUE_SET", "bare", EntityTypes=["KEY"], Relationships=value),
        feature("KEY_VALUE_SET", "nothing", EntityTypes=["KEY"]),
    )
    assert [(each["key"], each["value"]) for each in page.key_values] == [
        ("p1l0w0", "[ ]"),
        ("p1l0w1", ""),
        ("", "[ ]"),
    ]
    assert page.key_values[0]["confidence"] == 60.0
    assert page.key_values[0]["key_box"] is None
    assert page.key_values[0]["value_box"] == {"left": 0.1, "top": 0.2, "width": 0.3, "height": 0.4}


def test_a_query_has_its_best_answer_or_none() -> None:
    """Questions that the page doesn't answer are told as well."""
    answers = [{"Type": "ANSWER", "Ids": ["low", "high", "lost"]}]
    page = analysed(
        feature("QUERY", "q", Query={"Text": "Who?", "Alias": "WHO"}, Relationships=answers),
        feature("QUERY_RESULT", "low", Text="no one", Confidence=20.0),
        feature("QUERY_RESULT", "high", Text="everyone", Confidence=90.0),
        feature("QUERY", "silent", Query={"Text": "When?"}),
    )
    assert page.queries == [
        {"text": "Who?", "alias": "WHO", "answer": "everyone", "confidence": 90.0, "box": None},
        {"text": "When?", "alias": None, "answer": None, "confidence": None, "box": None},
    ]


def test_layout_tells_no_text_twice() -> None:
    """The items of a list are the lines of the list's text; a figure has none."""
    page = analysed(
        feature("LAYOUT_LIST", "list", "one", "two", Confidence=50.0),
        feature("LAYOUT_TEXT", "one", "LINE-p1l0w0 p1l0w1 p1l0w2"),
        feature("LAYOUT_TEXT", "two", "LINE-p1l1w0 p1l1w1 p1l1w2"),
        feature("LAYOUT_FIGURE", "figure"),
        feature("SIGNATURE", "signed", Confidence=40.0),
    )
    assert page.layout == [
        {"type": "LIST", "text": "p1l0w0 p1l0w1 p1l0w2\np1l1w0 p1l1w1 p1l1w2", "confidence": 50.0, "box": None},
        {"type": "FIGURE", "text": "", "confidence": None, "box": None},
    ]
    assert page.signatures == [{"confidence": 40.0, "box": None}]


def test_features_with_nulls_are_taken_for_features_without() -> None:
    """Results that the engine writes to S3 have every member, most of them null; a cell without a place is left out."""
    empty: dict[str, Any] = dict.fromkeys(("Relationships", "Geometry", "Confidence", "EntityTypes", "Query", "Text"))
    kinds = ("KEY_VALUE_SET", "QUERY", "SIGNATURE", "LAYOUT_TEXT", "SELECTION_ELEMENT")
    cell = {"BlockType": "CELL", "Id": "c", "Page": 1, **empty, "RowIndex": None, "ColumnIndex": None}
    features = [{"BlockType": kind, "Id": kind, "Page": 1, **empty} for kind in kinds]
    page = analysed(*features, cell, feature("TABLE", "t", "c"))
    assert page.tables == [{"confidence": None, "box": None, "rows": 0, "columns": 0, "cells": []}]
    assert (page.key_values, page.text) == ([], "p1l0w0 p1l0w1 p1l0w2\np1l1w0 p1l1w1 p1l1w2")
    assert len(page.queries) == len(page.signatures) == len(page.layout) == len(page.selections) == 1


@pytest.mark.corpus
def test_real_features_come_out_right(corpus: Path) -> None:
    """Tables, key-values, answers, signatures, layout and checkboxes of real responses, as one sees them on the page."""

    def page_of(name: str) -> PageText:
        answer = json.loads((corpus / "textract" / name).read_text())
        return assembled((answer[0] if isinstance(answer, list) else answer)["Blocks"])[0]

    def fields(page: PageText) -> dict[str, str]:
        return {each["key"]: each["value"] for each in page.key_values}

    invoice = page_of("pairs/test_detect_no_duplicate_words_sample-invoice.pdf.json")
    assert [(table["rows"], table["columns"]) for table in invoice.tables] == [(5, 2), (2, 5), (3, 2)]
    assert [cell["text"] for cell in invoice.tables[1]["cells"] if cell["is_header"]] == [
        "Hrs/Qty",
        "Service",
        "Rate/Price",
        "Adjust",
        "Sub Total",
    ]
    assert fields(invoice)["Invoice Number"] == "INV-3337"
    assert {"TITLE", "TABLE", "PAGE_NUMBER"} <= {each["type"] for each in invoice.layout}
    statement = page_of("pairs/financial-document-response.json")
    spans = {(cell["row"], cell["column_span"]): cell["text"] for cell in statement.tables[0]["cells"]}
    assert spans[2, 5] == "(in millions of SDRs)"
    assert spans[8, 6] == "(in millions of U.S. dollars)"
    assert [query["answer"] for query in statement.queries] == ["186.7", "1.6"]
    boxes = page_of("pairs/test_textractor_start_document_analysis_multipage_pdf_s3.json")
    assert fields(boxes)["Selected Checkbox"] == "[x]"
    assert fields(boxes)["Un-Selected Checkbox"] == "[ ]"
    assert sorted(each["selected"] for each in boxes.selections) == [False, True]
    assert len(page_of("pairs/test_signature.json").signatures) == 1
    nulls = page_of("responses-only/issue_83.json")
    assert [cell["text"] for cell in nulls.tables[0]["cells"]][:2] == ["Durchmesser 1:", "714.7 um"]
    silent = page_of("responses-only/queries_sample.json").queries[0]
    assert (silent["alias"], silent["answer"]) == ("PAYSTUB_PERIOD_START_DATE", None)


@pytest.mark.corpus
def test_real_results_come_out_whole(corpus: Path) -> None:
    """Real responses of Textract, cut anywhere: each line and word is on its page, in order, and so is the text."""
    files = sorted((corpus / "textract").rglob("*.json"))
    assert len(files) > 10
    source = random.Random(11)
    for file in files:
        answers = json.loads(file.read_text())
        for answer in answers if isinstance(answers, list) else [answers]:
            blocks = answer.get("Blocks")
            if not blocks:
                continue
            whole = assembled(blocks)
            assert len(whole) == answer["DocumentMetadata"]["Pages"], file.name
            lines = [block["Text"] for block in blocks if block["BlockType"] == "LINE"]
            assert [line["text"] for page in whole for line in page.lines] == lines, file.name
            assert all(
                line["text"] == " ".join(word["text"] for word in line["words"])
                for page in whole
                for line in page.lines
            ), file.name
            for cut in source.choices(range(len(blocks)), k=5):
                assert assembled(blocks[:cut], blocks[cut:]) == whole, file.name


def test_figures_have_as_many_digits_as_count() -> None:
    """Textract writes single precision out with twice the digits that it has."""
    blocks = page_blocks(1, lines=1, words=1)
    for block in blocks[1:]:
        block["Confidence"] = 90.82525107
        block["Geometry"]["BoundingBox"] = {
            "Left": 0.14094458520412445,
            "Top": 0.02592487633228302,
            "Width": 0.020475834608078003,
            "Height": 0.026710281148552895,
        }
    (page,) = assembled(blocks)
    (line,) = page.lines
    (word,) = line["words"]
    for read in (line, word):
        assert read["confidence"] == 90.8253
        assert read["box"] == {"left": 0.140945, "top": 0.025925, "width": 0.020476, "height": 0.02671}

"""What analysis found is told as Textract tells it, and its parsers read the same tables and forms out of it."""

import itertools
from typing import Any

import pytest
import trp  # type: ignore[import-untyped]  # none of AWS's parsers ships types
import trp.trp2  # type: ignore[import-untyped]
from textractor.parsers import response_parser  # type: ignore[import-untyped]

from app.textract_server.blocks import page_blocks
from app.textract_server.geometry import Box, QuarterTurns
from app.textract_server.readings import Cell, KeyValue, PageReading, Selection, Table, Word
from tests.textract_server.drawing import Drawing
from tests.textract_server.invariants import check_invariants, children

GRID = [["Item", "Price"], ["Paper", "4.50"], ["Ink", "19.00"]]
FORM = {"Full Name:": "Jane Doe", "Home Address:": "5 East Street"}


def page() -> PageReading:
    """A title over a table with a header, and a form below it."""
    drawing, rows, columns = Drawing(), (300, 380, 460, 540, 620), (200, 600, 1000)
    drawing.grid(rows[1:], columns)
    drawing.grid(rows[:2], (200, 1000))
    drawing.text(400, 350, "Stock and prices")
    drawing.fill(rows[1:], columns, GRID)
    for line, (key, value) in enumerate(FORM.items()):
        drawing.text(200, 800 + 90 * line, f"{key} {value}")
    return drawing.analysed()


def result(*readings: PageReading, numbered: bool = True) -> dict[str, Any]:
    numbers = range(1, len(readings) + 1)
    blocks = [
        block
        for number, reading in zip(numbers, readings, strict=True)
        for block in page_blocks(reading, number if numbered else None)
    ]
    return {
        "DocumentMetadata": {"Pages": len(readings)},
        "JobStatus": "SUCCEEDED",
        "Blocks": blocks,
        "AnalyzeDocumentModelVersion": "1.0",
    }


def of_type(answer: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [block for block in answer["Blocks"] if block["BlockType"] == kind]


def test_blocks_come_in_textracts_order() -> None:
    """The page's children are its lines, its tables, and its keys and values."""
    answer = result(page())
    check_invariants(answer)
    kinds = [kind for kind, _ in itertools.groupby(block["BlockType"] for block in answer["Blocks"])]
    assert kinds == ["PAGE", "LINE", "WORD", "TABLE", "CELL", "MERGED_CELL", "KEY_VALUE_SET"]
    by_id = {block["Id"]: block for block in answer["Blocks"]}
    told = [block["BlockType"] for block in children(answer["Blocks"][0], by_id)]
    assert [kind for kind, _ in itertools.groupby(told)] == ["LINE", "TABLE", "KEY_VALUE_SET"]


def test_a_table_has_a_cell_for_each_place_and_merged_cells_over_them() -> None:
    """Every place of the grid has one cell of its own, and its words are in one of them."""
    answer = result(page())
    (table,) = of_type(answer, "TABLE")
    by_id = {block["Id"]: block for block in answer["Blocks"]}
    cells = children(table, by_id)
    assert [(cell["RowIndex"], cell["ColumnIndex"]) for cell in cells] == list(itertools.product(range(1, 5), (1, 2)))
    assert {(cell["RowSpan"], cell["ColumnSpan"]) for cell in cells} == {(1, 1)}
    headers = [
        (cell["RowIndex"], cell["ColumnIndex"]) for cell in cells if "COLUMN_HEADER" in cell.get("EntityTypes", ())
    ]
    assert headers == [(2, 1), (2, 2)]
    (relation,) = [each for each in table["Relationships"] if each["Type"] == "MERGED_CELL"]
    (merged,) = [by_id[each] for each in relation["Ids"]]
    assert (merged["RowIndex"], merged["ColumnIndex"], merged["RowSpan"], merged["ColumnSpan"]) == (1, 1, 1, 2)
    parts = children(merged, by_id)
    assert parts == cells[:2]
    assert [word["Text"] for part in parts for word in children(part, by_id)] == ["Stock", "and", "prices"]
    assert table["EntityTypes"] == ["STRUCTURED_TABLE"]


def test_keys_point_to_their_values() -> None:
    answer = result(page())
    by_id = {block["Id"]: block for block in answer["Blocks"]}
    keys = [block for block in of_type(answer, "KEY_VALUE_SET") if block["EntityTypes"] == ["KEY"]]
    told = {}
    for key in keys:
        (relation,) = [each for each in key["Relationships"] if each["Type"] == "VALUE"]
        (value,) = [by_id[each] for each in relation["Ids"]]
        assert value["EntityTypes"] == ["VALUE"]
        told[" ".join(word["Text"] for word in children(key, by_id))] = " ".join(
            word["Text"] for word in children(value, by_id)
        )
    assert told == FORM


def test_a_checkbox_is_a_value() -> None:
    """It is a block of its own, before the tables, and no child of the page."""
    word, box = (
        Word("Agreed", 90.0, Box(0.2, 0.1, 0.3, 0.12)),
        Selection(Box(0.1, 0.1, 0.12, 0.12), is_selected=True, confidence=80.0),
    )
    reading = PageReading(((word,),), key_values=(KeyValue((word,), (), 70.0, box),), selections=(box,))
    answer = result(reading)
    check_invariants(answer)
    (selection,) = of_type(answer, "SELECTION_ELEMENT")
    assert (selection["SelectionStatus"], selection["Confidence"]) == ("SELECTED", 80.0)
    value = of_type(answer, "KEY_VALUE_SET")[1]
    assert value["Relationships"] == [{"Type": "CHILD", "Ids": [selection["Id"]]}]
    assert selection["Id"] not in answer["Blocks"][0]["Relationships"][0]["Ids"]
    (field,) = trp.Document(answer).pages[0].form.fields
    assert (str(field.key), str(field.value)) == ("Agreed", "SELECTED")


def test_words_that_are_alike_are_told_apart() -> None:
    """Two words of the same text at the same place are two blocks, each in its own cell."""
    words = [Word("0", 90.0, Box(0.2, 0.2, 0.21, 0.21)) for _ in range(2)]
    cells = (Cell(1, 1, 1, 1, (words[0],)), Cell(1, 2, 1, 1, (words[1],)))
    reading = PageReading((tuple(words),), tables=(Table((0.1, 0.3), (0.1, 0.2, 0.3), cells, 90.0),))
    answer = result(reading)
    told = [block["Relationships"][0]["Ids"] for block in of_type(answer, "CELL")]
    assert told == [[block["Id"]] for block in of_type(answer, "WORD")]


@pytest.mark.parametrize("turns", list(QuarterTurns))
def test_places_are_those_of_the_page_as_it_lies(turns: QuarterTurns) -> None:
    """A page that lies on its side has its tables where they are in the document, from the text's own top left."""
    cells = tuple(Cell(1, column, 1, 1, ()) for column in (1, 2))
    word = Word("Word", 90.0, Box(0.1, 0.1, 0.2, 0.2))
    reading = PageReading(((word,),), turns, tables=(Table((0.1, 0.3), (0.1, 0.2, 0.4), cells, 90.0),))
    answer = result(reading)
    check_invariants(answer)
    corner = of_type(answer, "TABLE")[0]["Geometry"]["Polygon"][0]
    expected = {0: (0.1, 0.1), 1: (0.1, 0.9), 2: (0.9, 0.9), 3: (0.9, 0.1)}[turns]
    assert (corner["X"], corner["Y"]) == pytest.approx(expected)


@pytest.mark.parametrize("numbered", [True, False])
def test_blocks_are_numbered_where_pages_are(numbered: bool) -> None:
    answer = result(page(), numbered=numbered)
    assert {block.get("Page") for block in answer["Blocks"]} == {1 if numbered else None}


def test_trp_reads_tables_and_forms() -> None:
    document = trp.Document(result(page(), PageReading(), page()))
    assert len(document.pages) == 3
    for sheet in (document.pages[0], document.pages[2]):
        (table,) = sheet.tables
        assert [[cell.text.strip() for cell in row.cells] for row in table.rows][1:] == GRID
        assert {str(field.key): str(field.value) for field in sheet.form.fields} == FORM


def test_trp2_reads_tables_and_forms() -> None:
    document = trp.trp2.TDocumentSchema().load(result(page()))
    (sheet,) = document.pages
    (table,) = document.tables(sheet)
    assert len(document.get_blocks_by_type(trp.trp2.TextractBlockTypes.CELL, sheet)) == 8
    assert table.entity_types == ["STRUCTURED_TABLE"]
    told = {}
    for key in document.keys(sheet):
        words = document.get_blocks_for_relationships(key.get_relationships_for_type("CHILD"))
        told[document.get_text_for_tblocks(words)] = document.get_text_for_tblocks(document.value_for_key(key))
    assert told == FORM


def test_textractor_reads_tables_and_forms() -> None:
    document = response_parser.parse(result(page()))
    (table,) = document.tables
    assert (table.row_count, table.column_count) == (4, 2)
    texts = {(cell.row_index, cell.col_index): cell.text.strip() for cell in table.table_cells}
    assert [[texts[row, column] for column in (1, 2)] for row in (2, 3, 4)] == GRID
    assert {(cell.row_index, cell.col_index) for cell in table.table_cells if cell.is_column_header} == {(2, 1), (2, 2)}
    assert {" ".join(word.text for word in each.key): str(each.value) for each in document.key_values} == FORM

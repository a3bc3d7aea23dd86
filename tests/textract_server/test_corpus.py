"""Real documents: every one ends in a result or in a reason, and what can be read is read well."""

from pathlib import Path

import pytest
from rapidfuzz.distance import Levenshtein

from tests.textract_server.invariants import check_detection
from tests.textract_server.running import TextractServer, text_of

pytestmark = pytest.mark.corpus


def test_all_four_orientations_read_the_same(server: TextractServer, corpus: Path) -> None:
    result = server.read((corpus / "documents/rotated/cardinal.pdf").read_bytes(), seconds=110)
    check_detection(result, numbered=True)
    corners = [block["Geometry"]["Polygon"][0] for block in result["Blocks"] if block["BlockType"] == "PAGE"]
    assert {(point["X"], point["Y"]) for point in corners} == {(0, 0), (1, 0), (1, 1), (0, 1)}


@pytest.mark.parametrize(
    "name", ["legal/ca2_1-1.pdf", "low_quality/ca10_100dpi_q20.jpg", "scanned_print/phototest.tif"]
)
def test_print_is_read_nearly_without_errors(server: TextractServer, corpus: Path, name: str) -> None:
    truth = (corpus / f"documents/gt/{name}.txt").read_text().split()
    read = text_of(server.read((corpus / "documents" / name).read_bytes())).split()
    assert Levenshtein.distance(sorted(truth), sorted(read)) < 0.15 * len(truth)


@pytest.mark.parametrize(
    "name",
    [
        "malformed/invalid.pdf",
        "malformed/poppler-395-0-fuzzed.pdf",
        "encrypted/password-example.pdf",
        "bombs/bomb_giant.pdf",
    ],
)
def test_what_is_hostile_ends_and_leaves_the_server_up(server: TextractServer, corpus: Path, name: str) -> None:
    result = server.read((corpus / "documents" / name).read_bytes(), seconds=90)
    assert result["JobStatus"] in {"SUCCEEDED", "FAILED"}
    assert result["JobStatus"] == "SUCCEEDED" or result["StatusMessage"]

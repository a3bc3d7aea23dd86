"""Document analysis over the protocol; what is found in tables and forms is tested with what finds it."""

from collections import Counter
from uuid import uuid4

from tests.textract_server import sheets
from tests.textract_server.invariants import check_invariants
from tests.textract_server.running import TextractServer, text_of

LINES = ["Invoice", "Number: 4711", "Total: 12.50"]


def test_an_analysis_has_the_text_and_its_own_version(server: TextractServer) -> None:
    """Everything that text detection finds, and the other family's member for the model's version."""
    location = {"S3Object": server.upload(sheets.pdf(LINES, ["The second page"]))}
    started = server.textract().start_document_analysis(DocumentLocation=location, FeatureTypes=["TABLES", "FORMS"])
    result = server.finished_analysis(started["JobId"])
    check_invariants(result)
    assert text_of(result) == "\n".join([*LINES, "The second page"])
    assert result.keys() == {"JobStatus", "DocumentMetadata", "Blocks", "AnalyzeDocumentModelVersion"}
    assert Counter(block["Page"] for block in result["Blocks"] if block["BlockType"] == "PAGE") == {1: 1, 2: 1}


def test_a_page_is_analysed_at_once(server: TextractServer) -> None:
    """The synchronous call, from bytes and from S3."""
    textract = server.textract()
    for document in ({"Bytes": sheets.pdf(LINES)}, {"S3Object": server.upload(sheets.pdf(LINES))}):
        answer = textract.analyze_document(Document=document, FeatureTypes=["FORMS"])
        answer.pop("ResponseMetadata")
        check_invariants(answer)
        assert text_of(answer) == "\n".join(LINES)
        assert answer.keys() == {"DocumentMetadata", "Blocks", "AnalyzeDocumentModelVersion"}


def test_a_token_is_one_operations_own(server: TextractServer) -> None:
    """The same token starts a job of each family; with other features it is a mistake of the caller's."""
    location = {"S3Object": server.upload(sheets.pdf(["Once for each"]))}
    token = uuid4().hex
    textract = server.textract()
    detection = textract.start_document_text_detection(DocumentLocation=location, ClientRequestToken=token)
    both = {"DocumentLocation": location, "ClientRequestToken": token, "FeatureTypes": ["TABLES"]}
    analyses = {textract.start_document_analysis(**both)["JobId"] for _ in range(2)}
    assert len(analyses) == 1
    assert detection["JobId"] not in analyses


def test_tables_and_forms_are_left_out_where_they_are_not_asked_for(server: TextractServer) -> None:
    """Text detection has pages, lines and words alone."""
    result = server.read(sheets.pdf(LINES))
    assert {block["BlockType"] for block in result["Blocks"]} == {"PAGE", "LINE", "WORD"}

"""Submitting documents: as bytes or as a form, what may be said of them, and what is refused at once."""

import hashlib
import json
from collections.abc import AsyncIterator

import pytest

from app.config import Settings
from tests.api.running import BucketView, bucket_view, bytes_of, client_with, multipart, problem_of
from tests.documents import letter, padded, picture
from tests.service import Client

PDF = letter("Hello")


@pytest.fixture
async def bucket(quick: Settings) -> AsyncIterator[BucketView]:
    """What the test leaves in the bucket."""
    async with bucket_view(quick) as view:
        yield view


async def test_bytes_are_taken_as_they_are(client: Client, bucket: BucketView) -> None:
    """A raw body becomes a document with its own size and hash, and a job to follow."""
    answer = await client.post("/v1/documents", params={"filename": "a.pdf", "external_id": "x-1"}, content=PDF)
    assert answer.status_code == 202
    document, job = answer.json()["document"], answer.json()["job"]
    assert (document["size_bytes"], document["sha256"]) == (len(PDF), hashlib.sha256(PDF).hexdigest())
    assert (document["filename"], document["external_id"], document["media_type"]) == (
        "a.pdf",
        "x-1",
        "application/pdf",
    )
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) > 0
    assert (job["state"], job["stage"], job["document_id"]) == ("queued", "queued", document["id"])
    assert await bucket.new_keys() == {f"documents/{document['id']}.pdf"}


async def test_a_forms_fields_may_stand_on_either_side_of_its_file(client: Client) -> None:
    """What is said of a document counts, wherever in the form it is said."""
    said = [('name="priority"', b"high"), ('name="metadata"', b'{"court": "ca10"}'), ('name="external_id"', b"e-1")]
    file = ('name="file"; filename="brief.pdf"', PDF)
    for parts in ([file, *said], [*said, file]):
        body, headers = multipart(*parts)
        answer = await client.post("/v1/documents", content=body, headers=headers)
        assert answer.status_code == 202, answer.text
        document = answer.json()["document"]
        assert (document["filename"], document["external_id"]) == ("brief.pdf", "e-1")
        assert document["metadata"] == {"court": "ca10"}
        assert answer.json()["job"]["priority"] == "high"
        assert document["sha256"] == hashlib.sha256(PDF).hexdigest()


async def test_a_forms_own_filename_field_outweighs_that_of_its_file(client: Client) -> None:
    """`filename` says what the document is called, also when the file part has a name of its own."""
    answer = await client.post("/v1/documents", files={"file": ("scan0001.pdf", PDF)}, data={"filename": "Brief.pdf"})
    assert answer.json()["document"]["filename"] == "Brief.pdf"


async def test_a_forms_bytes_arrive_one_at_a_time(client: Client) -> None:
    """However a form is cut up on its way, the same document comes out."""
    body, headers = multipart(('name="file"; filename="slow.pdf"', PDF), ('name="priority"', b"low"))
    pieces = bytes_of(body[at : at + 7] for at in range(0, len(body), 7))
    answer = await client.post("/v1/documents", content=pieces, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json()["document"]["sha256"] == hashlib.sha256(PDF).hexdigest()


FILE = ('name="file"; filename="a.pdf"', PDF)
BROKEN_FORMS = {
    "two files": (multipart(FILE, FILE), "/body/file"),
    "no file": (multipart(('name="priority"', b"high")), "/body/file"),
    "unknown field": (multipart(FILE, ('name="prioritty"', b"high")), "/body/prioritty"),
    "a field twice": (multipart(('name="priority"', b"high"), ('name="priority"', b"low"), FILE), "/body/priority"),
    "field too long": (multipart(FILE, ('name="metadata"', b" " * 70_000)), "/body/metadata"),
    "field not UTF-8": (multipart(FILE, ('name="external_id"', b"\xff\xfe")), "/body/external_id"),
    "field not known": (multipart(FILE, ('name="priority"', b"urgent")), "/body/priority"),
    "field not JSON": (multipart(FILE, ('name="metadata"', b"{court}")), "/body/metadata"),
    "field no object": (multipart(FILE, ('name="options"', b"[1]")), "/body/options"),
    "NUL in JSON": (multipart(FILE, ('name="metadata"', b'{"a": ["\\u0000"]}')), "/body/metadata"),
    "never ends": (multipart(FILE, end=False), None),
    "not a form": ((b"hello", {"Content-Type": "multipart/form-data; boundary=x"}), None),
    "other boundary": ((multipart(FILE)[0], {"Content-Type": "multipart/form-data; boundary=other"}), None),
    "no boundary": ((multipart(FILE)[0], {"Content-Type": "multipart/form-data"}), None),
    "empty boundary": ((multipart(FILE)[0], {"Content-Type": 'multipart/form-data; boundary=""'}), None),
    "filename not UTF-8": (
        (multipart(FILE)[0].replace(b"a.pdf", b"\xff\xfe"), multipart(FILE)[1]),
        None,
    ),
}


async def test_a_broken_form_is_refused_and_says_where(client: Client, bucket: BucketView) -> None:
    """A form that can't be understood is a 422 that names the field, and leaves nothing in the bucket."""
    for case, ((body, headers), pointer) in BROKEN_FORMS.items():
        answer = await client.post("/v1/documents", content=body, headers=headers)
        problem = problem_of(answer, 422, "request_invalid")
        assert [each["pointer"] for each in problem.get("errors", [])] == ([pointer] if pointer else []), case
    assert await bucket.settles_empty()


def asking(**query: object) -> str:
    """Options with one question."""
    return json.dumps({"features": ["QUERIES"], "queries": [query]})


WRONG_QUERIES = [
    ({"priority": "urgent"}, "/query/priority"),
    ({"metadata": "{court}"}, "/query/metadata"),
    ({"metadata": "7"}, "/query/metadata"),
    ({"options": "{features}"}, "/query/options"),
    ({"options": '{"feature": []}'}, "/query/options/feature"),
    ({"options": '{"features": ["TABELS"]}'}, "/query/options/features/0"),
    ({"options": '{"features": ["QUERIES"]}'}, "/query/options"),
    ({"options": '{"queries": [{"text": "Who?"}]}'}, "/query/options"),
    ({"options": asking(text="Who\x00?")}, "/query/options/queries/0/text"),
    ({"options": asking(text="Wer heißt so?")}, "/query/options/queries/0/text"),
    ({"options": asking(text="Who?", pages=["one"])}, "/query/options/queries/0/pages/0"),
    ({"options": asking(alias="WHO")}, "/query/options/queries/0/text"),
    ({"options": '{"engine": "tesseract"}'}, "/query/options/engine"),
    ({"options": '{"force_reprocess": "perhaps"}'}, "/query/options/force_reprocess"),
    ({"metadata": '{"a": "\\u0000"}'}, "/query/metadata"),
    ({"external_id": "x" * 257}, "/query/external_id"),
    ({"external_id": "a\x00b"}, "/query/external_id"),
    ({"callback_url": "not a url"}, "/query/callback_url"),
    ({"prioritty": "high"}, "/query/prioritty"),
]


async def test_the_query_is_checked(client: Client, bucket: BucketView) -> None:
    """A query field that is wrong, or that nobody knows, is a 422 that points at it."""
    for query, pointer in WRONG_QUERIES:
        answer = await client.post("/v1/documents", params=query, content=PDF)
        problem = problem_of(answer, 422, "request_invalid")
        assert [each["pointer"] for each in problem["errors"]] == [pointer]
    assert await bucket.settles_empty()


async def test_what_the_query_says_is_kept(client: Client) -> None:
    """Priority and metadata given in the query are those of the document and its job."""
    said = {"priority": "low", "metadata": json.dumps({"name": "Ünïcode ☃", "n": [1, 2.5, None]})}
    submitted = await client.submit(PDF, **said)
    assert submitted["job"]["priority"] == "low"
    assert submitted["document"]["metadata"] == {"name": "Ünïcode ☃", "n": [1, 2.5, None]}


FILENAMES = {
    "../../etc/passwd": "passwd",
    "C:\\Users\\me\\Brief.pdf": "Brief.pdf",
    "a\r\nb\tc\x1b.pdf": "abc.pdf",
    "Schriftsätze 法院.pdf": "Schriftsätze 法院.pdf",
    "x" * 300: "x" * 255,
    "///": None,
}


async def test_a_filename_is_a_label(client: Client) -> None:
    """Folders and control characters of a filename are dropped; every script is kept."""
    for given, kept in FILENAMES.items():
        assert (await client.submit(PDF, filename=given))["document"]["filename"] == kept


async def test_a_forms_filename_may_be_written_in_either_way(client: Client) -> None:
    """A file part's name is read as plain UTF-8, and as RFC 5987 writes it."""
    for said in ('filename="Schriftsätze.pdf"', "filename*=UTF-8''Schrifts%C3%A4tze.pdf"):
        body, headers = multipart((f'name="file"; {said}', PDF))
        answer = await client.post("/v1/documents", content=body, headers=headers)
        assert answer.json()["document"]["filename"] == "Schriftsätze.pdf"


async def test_an_empty_document_is_refused(client: Client, bucket: BucketView) -> None:
    """No bytes are no document: 422 `document_empty`, whichever way they don't come."""
    body, headers = multipart(('name="file"; filename="a.pdf"', b""))
    problem_of(await client.post("/v1/documents", content=body, headers=headers), 422, "document_empty")
    problem_of(await client.post("/v1/documents"), 422, "document_empty")
    problem_of(await client.post("/v1/documents", content=bytes_of([])), 422, "document_empty")
    assert await bucket.settles_empty()


NO_DOCUMENTS = [b"hello", b"PK\x03\x04" + bytes(2000), b"<html>", bytes(1024) + PDF, b"%PD"]


async def test_other_types_are_refused(client: Client, bucket: BucketView) -> None:
    """Bytes that are none of the four types are a 415, whatever their name and type say."""
    for content in NO_DOCUMENTS:
        answer = await client.post(
            "/v1/documents?filename=a.pdf", content=content, headers={"Content-Type": "application/pdf"}
        )
        problem_of(answer, 415, "unsupported_media_type")
        answer = await client.post("/v1/documents", files={"file": ("a.pdf", content, "application/pdf")})
        problem_of(answer, 415, "unsupported_media_type")
    assert await bucket.settles_empty()


DOCUMENTS = [
    (PDF, "application/pdf"),
    (b"junk before it\r\n" + PDF, "application/pdf"),
    (picture("PNG"), "image/png"),
    (picture("JPEG"), "image/jpeg"),
    (picture("TIFF"), "image/tiff"),
]


async def test_the_bytes_decide_the_type(client: Client) -> None:
    """A wrong name and a wrong Content-Type mislead nobody; a PDF may have junk before its header."""
    for content, media_type in DOCUMENTS:
        answer = await client.post(
            "/v1/documents?filename=song.mp3", content=content, headers={"Content-Type": "audio/mpeg"}
        )
        assert answer.status_code == 202, answer.text
        assert answer.json()["document"]["media_type"] == media_type


async def test_a_document_may_have_so_many_bytes_and_not_one_more(quick: Settings, bucket: BucketView) -> None:
    """The limit is exact, whether the size is announced or only counted."""
    async with client_with(quick, max_document_bytes=20_000) as client:
        for size, status in ((20_001, 413), (20_000, 202)):
            content = padded(PDF, size)
            for body, headers in ((content, {}), multipart(('name="file"; filename="a.pdf"', content))):
                for sent in (body, bytes_of([body[:9000], body[9000:]])):
                    answer = await client.post("/v1/documents", content=sent, headers=headers)
                    assert answer.status_code == status, answer.text
            if status == 413:
                problem_of(answer, 413, "document_too_large")
                assert await bucket.settles_empty()


async def test_images_have_a_limit_of_their_own(quick: Settings, bucket: BucketView) -> None:
    """A PNG or JPEG is held to Textract's limit for images, and a paged TIFF or PDF is not."""
    async with client_with(quick, max_document_bytes=50_000, max_image_bytes=5000) as client:
        for kind in ("PNG", "JPEG"):
            answer = await client.post("/v1/documents", content=padded(picture(kind), 5001))
            problem_of(answer, 413, "document_too_large")
        assert await bucket.settles_empty()
        await client.submit(padded(picture("TIFF"), 5001))
        await client.submit(padded(picture("PNG"), 5000))


async def test_a_form_may_not_hide_an_endless_body(quick: Settings) -> None:
    """What a form has beside its file is counted too."""
    async with client_with(quick, max_document_bytes=20_000) as client:
        body, headers = multipart(FILE)
        endless = bytes_of([body, *([bytes(100_000)] * 12)])
        answer = await client.post("/v1/documents", content=endless, headers=headers)
        problem_of(answer, 413, "document_too_large")

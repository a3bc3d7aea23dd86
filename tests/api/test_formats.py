"""Formats over HTTP: each is what it says it is, is made once, and says so where it can't be had."""

import asyncio
import io
import itertools
from pathlib import Path
from uuid import uuid4

import pikepdf
from lxml import etree  # type: ignore[import-untyped]  # it ships no types
from PIL import Image

from app.config import Settings
from app.resources import aws_session
from app.storage.s3 import CONFIG
from tests.api.running import client_with, problem_of
from tests.documents import letter
from tests.formats.sheets import scan, text_of
from tests.service import Client, client_of, make_key

PAGES = ("The quick brown fox\njumps over the lazy dog", "Second page")
MEDIA_TYPES = {
    "hocr": "text/vnd.hocr+html",
    "alto": "application/xml",
    "searchable.pdf": "application/pdf",
    "pages/2/image": "image/png",
    "pages/2/image?type=jpeg": "image/jpeg",
}


async def read(client: Client, content: bytes, filename: str = "filing.pdf") -> str:
    """Submit a document and wait for its end; its id."""
    submitted = await client.submit(content, filename=filename)
    job = await client.ended(submitted["job"]["id"])
    assert job["state"] == "done", job
    return str(submitted["document"]["id"])


async def keys_of(settings: Settings, document_id: str) -> list[str]:
    """What is kept of a document's formats."""
    async with aws_session(settings).client("s3", endpoint_url=settings.aws_endpoint_url_s3, config=CONFIG) as s3:
        answer = await s3.list_objects_v2(Bucket=settings.s3_bucket, Prefix=f"formats/{document_id}/")
        return [entry["Key"] for entry in answer.get("Contents", [])]


async def test_each_format_tells_the_same_story(client: Client, worker: str, tmp_path: Path) -> None:
    """hOCR and ALTO have the words of the text, the born-digital PDF comes back as it is, and pages have pictures."""
    content = letter(*PAGES)
    document_id = await read(client, content)
    for path, media_type in MEDIA_TYPES.items():
        answer = await client.get(f"/v1/documents/{document_id}/{path}")
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, media_type)
        assert int(answer.headers["content-length"]) == len(answer.content)
        plain = await client.get(f"/v1/documents/{document_id}/{path}", headers={"Accept": "application/octet-stream"})
        assert (plain.headers["content-type"], plain.content) == ("application/octet-stream", answer.content)
    words = " ".join(PAGES).split()
    hocr = etree.fromstring((await client.get(f"/v1/documents/{document_id}/hocr")).content)
    assert [span.text for span in hocr.iter("{*}span") if span.get("class") == "ocrx_word"] == words
    alto = etree.fromstring((await client.get(f"/v1/documents/{document_id}/alto")).content)
    assert [string.get("CONTENT") for string in alto.iter("{*}String")] == words
    assert [(page.get("WIDTH"), page.get("HEIGHT")) for page in alto.iter("{*}Page")] == [("2550", "3300")] * 2
    assert (await client.get(f"/v1/documents/{document_id}/searchable.pdf")).content == content
    picture = Image.open(io.BytesIO((await client.get(f"/v1/documents/{document_id}/pages/1/image?width=200")).content))
    assert picture.size == (200, 259)


async def test_a_scan_becomes_searchable(client: Client, worker: str, tmp_path: Path) -> None:
    """What Tesseract read on an image is found in its PDF, on a sheet of the right size."""
    document_id = await read(client, scan("The quick brown fox", "jumps over the lazy dog", dpi=200), "scan.jpg")
    answer = await client.get(f"/v1/documents/{document_id}/searchable.pdf")
    (tmp_path / "scan.pdf").write_bytes(answer.content)
    text = (await client.get(f"/v1/documents/{document_id}/text")).text
    assert text_of(tmp_path / "scan.pdf") == " ".join(text.split())
    with pikepdf.open(tmp_path / "scan.pdf") as pdf:
        assert [round(float(side)) for side in pdf.pages[0].mediabox[2:]] == [612, 792]


async def test_who_has_it_is_told_so(client: Client, worker: str, quick: Settings) -> None:
    """`If-None-Match` gives 304, and nothing is made for it; another version or run gives another tag."""
    document_id = await read(client, letter(*PAGES))
    tags = set()
    for path in MEDIA_TYPES:
        url = f"/v1/documents/{document_id}/{path}"
        first = await client.get(url)
        tag = first.headers["etag"]
        assert not tag.startswith("W/")
        tags.add(tag)
        again = await client.get(url, headers={"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert len(tags) == len(MEDIA_TYPES)
    assert len(await keys_of(quick, document_id)) == len(MEDIA_TYPES)


async def test_it_is_made_once(client: Client, worker: str, quick: Settings) -> None:
    """A second call, at another process, is answered from the bucket: what lies there is what is given."""
    document_id = await read(client, letter(*PAGES))
    url = f"/v1/documents/{document_id}/hocr"
    answers = await asyncio.gather(*(client.get(url) for _ in range(5)))
    assert len({answer.content for answer in answers}) == 1
    (key,) = await keys_of(quick, document_id)
    async with aws_session(quick).client("s3", endpoint_url=quick.aws_endpoint_url_s3, config=CONFIG) as s3:
        await s3.put_object(Bucket=quick.s3_bucket, Key=key, Body=b"kept")
    async with client_with(quick) as other:
        assert (await other.get(url)).content == b"kept"


async def test_files_are_named_for_their_document(client: Client, worker: str) -> None:
    """In plain letters for old clients, as they are for others; pages and PDFs open in the browser, others are saved."""
    content = letter("Hello")
    for filename in ("filing.pdf", 'a "b" \\c; d%.pdf', "Žaloba č. 5.pdf"):
        path = f"/v1/documents/{await read(client, content, filename)}"
        said = (await client.get(f"{path}/searchable.pdf")).headers["content-disposition"]
        assert said.startswith('inline; filename="'), filename
        assert said.isascii(), filename
        assert "filename*=UTF-8''" in said, filename
        assert said.count('"') == 2, filename
        saved = (await client.get(f"{path}/alto")).headers["content-disposition"]
        assert saved.startswith("attachment;"), filename


async def test_what_cannot_be_had(client: Client, quick: Settings) -> None:
    """Not read yet, not there, or another project's. Pictures need no reading."""
    submitted = await client.submit(letter(*PAGES))
    document_id = submitted["document"]["id"]
    for path in ("hocr", "alto", "searchable.pdf"):
        problem_of(await client.get(f"/v1/documents/{document_id}/{path}"), 409, "result_not_ready")
    assert (await client.get(f"/v1/documents/{document_id}/pages/1/image")).status_code == 200
    problem_of(await client.get(f"/v1/documents/{document_id}/pages/3/image"), 404, "page_not_found")
    for wrong in ("width=1", "dpi=0", "type=gif"):
        problem_of(await client.get(f"/v1/documents/{document_id}/pages/1/image?{wrong}"), 422, "request_invalid")
    async with client_of(str(client.base_url), await make_key(quick, project="other")) as stranger:
        for asker, path in itertools.product((stranger, client), ("hocr", "alto", "searchable.pdf", "pages/1/image")):
            wanted = document_id if asker is stranger else uuid4()
            problem_of(await asker.get(f"/v1/documents/{wanted}/{path}"), 404, "document_not_found")


async def test_what_cannot_be_made_is_told(client: Client, worker: str, quick: Settings) -> None:
    """A password, damage, too little memory or time: a code and a sentence, and the service is there for the next."""
    locked = io.BytesIO()
    with pikepdf.open(io.BytesIO(letter("secret"))) as pdf:
        pdf.save(locked, encryption=pikepdf.Encryption(owner="a", user="b"))
    for content, code in ((locked.getvalue(), "document_encrypted"), (b"%PDF-1.7 nothing", "document_corrupt")):
        submitted = await client.submit(content)
        await client.ended(submitted["job"]["id"])
        url = f"/v1/documents/{submitted['document']['id']}"
        problem_of(await client.get(f"{url}/searchable.pdf"), 409, "result_unavailable")
        problem_of(await client.get(f"{url}/pages/1/image"), 422, code)
    document_id = await read(client, letter("Hello"))
    async with client_with(quick, format_timeout_seconds=0.001) as hurried:
        problem_of(await hurried.get(f"/v1/documents/{document_id}/hocr"), 422, "format_failed")
    async with client_with(quick, format_wait_seconds=0.001) as impatient:
        answer = await impatient.get(f"/v1/documents/{document_id}/hocr")
        problem_of(answer, 409, "format_not_ready")
        assert int(answer.headers["retry-after"]) > 0
    assert (await client.get(f"/v1/documents/{document_id}/hocr")).status_code == 200

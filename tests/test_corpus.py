"""Real documents, by way of the API and a worker: each ends in its text, or in a reason that a person can act on."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.service import Client

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(180)]

READABLE = {
    "legal/ca10_010110462922.pdf": 0.95,
    "scanned_print/phototest.tif": 0.95,
    "mislabelled/tiff_named.pdf": 0.8,
    "rotated/cardinal.pdf": 0.8,
}
"""The share of its words that must be found in a document's text."""

REFUSED_AT_THE_DOOR = {"malformed/zero_bytes.pdf": (422, "document_empty")}

GIVEN_UP = {
    "encrypted/password-example.pdf": "document_encrypted",
    "malformed/invalid.pdf": "document_corrupt",
    "malformed/crash-63b1dffefc8c075ddc606c0a2f5fdc15ece78863.tif": "document_corrupt",
}


async def submit(client: Client, file: Path) -> dict[str, Any]:
    """Submit a file under its name."""
    return await client.submit(await anyio.Path(file).read_bytes(), filename=file.name)


async def test_what_can_be_read_is_read(client: Client, worker: str, corpus: Path) -> None:
    """Born digital, scanned, turned, of several pages or under a wrong name: most of each one's words come out."""
    submitted = {name: await submit(client, corpus / "documents" / name) for name in READABLE}
    for name, least in READABLE.items():
        job = await client.ended(submitted[name]["job"]["id"], within_seconds=150)
        assert (job["state"], job["error"]) == ("done", None), (name, job)
        text = (await client.get(f"/v1/documents/{submitted[name]['document']['id']}/text")).text.split()
        truth = (await anyio.Path(corpus / "documents/gt" / f"{name}.txt").read_text()).split()
        found = (Counter(truth) & Counter(text)).total() / len(truth)
        assert found >= least, (name, found)


async def test_the_rest_ends_too(client: Client, worker: str, corpus: Path) -> None:
    """Damaged, locked, empty, swollen or odd: each ends, with a code or pages, and the service is there for the next."""
    for name, (status, code) in REFUSED_AT_THE_DOOR.items():
        answer = await client.post("/v1/documents", content=await anyio.Path(corpus / "documents" / name).read_bytes())
        assert (answer.status_code, answer.json()["code"]) == (status, code), name
    others = [
        "forms_receipts/multi_page_tiff.tiff",
        "bombs/bomb_giant.pdf",
        "truncated/ca2_first60pct.pdf",
        "malformed/T02-02_005_page-tree-no-kids.pdf",
    ]
    names = [*GIVEN_UP, *others]
    submitted = [await submit(client, corpus / "documents" / name) for name in names]
    ended = await asyncio.gather(*(client.ended(each["job"]["id"], within_seconds=150) for each in submitted))
    for name, job in zip(names, ended, strict=True):
        if name in GIVEN_UP:
            assert (job["state"], (job["error"] or {}).get("code")) == ("deadletter", GIVEN_UP[name]), (name, job)
        assert job["state"] == "done" or job["error"]["message"], (name, job)

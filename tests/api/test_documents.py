"""Documents: what goes in, and what comes out."""

from tests.documents import letter
from tests.service import Client


async def test_a_document_goes_in_and_its_text_comes_out(client: Client, worker: str) -> None:
    """The main job, by way of every part."""
    submitted = await client.submit(letter("The quick brown fox jumps over the lazy dog"))
    job = await client.ended(submitted["job"]["id"])
    assert (job["state"], job["stage"], job["error"]) == ("done", "finalized", None)
    text = await client.get(f"/v1/documents/{submitted['document']['id']}/text")
    assert "quick brown fox" in text.text

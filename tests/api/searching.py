"""Searches, made as users make them."""

from typing import Any

from tests.service import Client

FILING = (
    "The district court dismissed the complaint for lack of subject-matter jurisdiction.",
    "The plaintiff appeals, and argues that the dismissal of its suit was an error.",
    "Quarterly revenue grew by nine percent, <b>mostly</b> in the northern region.",
)


async def search(client: Client, query: str, **said: Any) -> dict[str, Any]:
    """The answer to a search; fails the test where it is refused."""
    answer = await client.post("/v1/search", json={"query": query, **said})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def texts(client: Client, query: str, **said: Any) -> list[str]:
    """What a search finds, as texts."""
    return [hit["text"] for hit in (await search(client, query, **said))["items"]]

"""(4) From the commit of a submission to the start of its first stage, while nothing else is going on.

Both moments are Postgres' own: of the job's first event and of the one that says it was claimed. The document needs a
password, so its job ends with the first stage and leaves the machine idle.
"""

import asyncio
import io

import aiohttp
import asyncpg
import pikepdf

from benchmarks.figures import milliseconds, percentile, verdict
from benchmarks.running import RunningStack

COUNT = 200
MOST_P50, MOST_P99 = 20, 100


async def run(stack: RunningStack) -> None:
    """Submit one after another, and ask Postgres."""
    print("\n(4) from enqueue to the start of the first stage, idle")
    body = locked_pdf()
    async with aiohttp.ClientSession(stack.address, headers=stack.authorization) as client:
        jobs = [await _submit_and_wait(client, body) for _ in range(COUNT)]
    connection = await asyncpg.connect(stack.environment["DATABASE_URL"])
    rows = await connection.fetch(
        """SELECT extract(epoch FROM min(c.created_at) - min(q.created_at))::float AS seconds
           FROM events q JOIN events c ON c.job_id = q.job_id AND c.payload->>'state' = 'working'
           WHERE q.number = 1 AND q.job_id = ANY($1::uuid[]) GROUP BY q.job_id""",
        jobs,
    )
    await connection.close()
    seconds = [row["seconds"] for row in rows]
    print(f"  {milliseconds(seconds)}")
    print(f"  p50  {verdict(percentile(seconds, 0.5) * 1000, MOST_P50, ' ms')}")
    print(f"  p99  {verdict(percentile(seconds, 0.99) * 1000, MOST_P99, ' ms')}")


async def _submit_and_wait(client: aiohttp.ClientSession, body: bytes) -> str:
    async with client.post("/v1/documents", data=body, headers={"Content-Type": "application/pdf"}) as answer:
        job_id: str = (await answer.json())["job"]["id"]
    while True:
        async with client.get(f"/v1/jobs/{job_id}", params={"wait": "5"}) as answer:
            if (await answer.json())["state"] == "deadletter":
                await asyncio.sleep(0.05)
                return job_id


def locked_pdf() -> bytes:
    """A PDF that needs a password: its job ends with the first stage."""
    file = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(file, encryption=pikepdf.Encryption(owner="owner", user="user"))
    return file.getvalue()

"""What operators read of queues, workers and alerts."""

from app.alerts.models import AlertCode
from app.alerts.repository import clear_alert, raise_alert
from app.jobs.states import JobState, Stage
from app.queue import QueueName
from tests.api.running import client_with
from tests.bench import Bench, eventually
from tests.documents import letter
from tests.service import Client, client_of, make_key


async def test_queues_tell_how_they_do(client: Client, bench: Bench) -> None:
    """All queues are there, those of batches too; nobody serves them, so nobody can say how long one waits."""
    await client.submit(letter("Hello"))
    await bench.rows.job(Stage.PARSED, JobState.WORKING)
    items = {item["name"]: item for item in (await client.get("/v1/queues")).json()["items"]}
    assert set(items) == {queue.value for queue in QueueName}
    assert (items["ocr"]["depth"], items["ocr"]["workers"], items["ocr"]["estimated_wait_seconds"]) == (1, 0, None)
    assert items["ocr"]["window_used"] == 1
    assert (items["text"]["depth"], items["text"]["working"]) == (0, 1)
    assert items["batch.high"]["estimated_wait_seconds"] == 0


async def test_queues_tell_who_serves_them_and_how_fast(client: Client, worker: str) -> None:
    """What was worked on lately is their throughput."""
    submitted = await client.submit(letter("Hello"))
    await client.ended(submitted["job"]["id"])

    async def seen() -> dict[str, float] | None:
        items = {item["name"]: item for item in (await client.get("/v1/queues")).json()["items"]}
        return items["ocr"] if items["ocr"]["throughput_per_minute"] else None

    ocr = await eventually(seen)
    assert ocr is not None
    assert ocr["workers"] == 1


async def test_workers_tell_what_they_do_of_ones_own_project(
    client: Client, address: str, bench: Bench, worker: str
) -> None:
    """Another project sees that they are busy, and not with what."""
    job = await bench.rows.job(Stage.EMBEDDED, JobState.WORKING, claimed_by=worker)
    (mine,) = (await client.get("/v1/workers")).json()["items"]
    assert (mine["id"], mine["working"]) == (worker, 1)
    assert set(mine["queues"]) >= {"ocr", "text", "entity", "graph", "default"}
    (doing,) = mine["doing"]
    assert (doing["job_id"], doing["stage"]) == (str(job.id), "embedded")
    async with client_of(address, await make_key(bench.settings, "other")) as stranger:
        (theirs,) = (await stranger.get("/v1/workers")).json()["items"]
    assert (theirs["working"], theirs["doing"]) == (1, [])


async def test_alerts_are_listed_and_in_readiness_and_metrics(client: Client, address: str, bench: Bench) -> None:
    """Those of the service are everybody's; a project's own are its own, and not told without a key."""
    project_id = await bench.rows.project("rich")
    async with bench.tools.sessions.begin() as session:
        await raise_alert(session, AlertCode.QUEUE_UNSERVED, "batch.high", {"message": "Nobody serves it."})
        await raise_alert(session, AlertCode.BUDGET_SPENT, str(project_id), project_id=project_id)
    (alert,) = (await client.get("/v1/alerts")).json()["items"]
    assert (alert["code"], alert["subject"], alert["cleared_at"]) == ("queue_unserved", "batch.high", None)
    ready = (await client.get("/health/ready")).json()
    assert [each["subject"] for each in ready["alerts"]] == ["batch.high"]
    assert 'quire_alerts{code="queue_unserved"} 1.0' in (await client.get("/metrics")).text
    async with client_of(address, await make_key(bench.settings, "rich")) as rich:
        assert {each["code"] for each in (await rich.get("/v1/alerts")).json()["items"]} == {
            "queue_unserved",
            "budget_spent",
        }
    async with bench.tools.sessions.begin() as session:
        await clear_alert(session, AlertCode.QUEUE_UNSERVED, "batch.high")
    assert (await client.get("/v1/alerts")).json()["items"] == []
    (over,) = (await client.get("/v1/alerts", params={"cleared": True})).json()["items"]
    assert over["cleared_at"] is not None


async def test_alerts_are_paged(client: Client, bench: Bench) -> None:
    """The newest first, each once."""
    async with bench.tools.sessions.begin() as session:
        for queue in ("ocr", "text", "graph"):
            await raise_alert(session, AlertCode.QUEUE_UNSERVED, queue)
    first = await client.get("/v1/alerts", params={"limit": 2})
    assert [each["subject"] for each in first.json()["items"]] == ["graph", "text"]
    rest = await client.get("/v1/alerts", params={"limit": 2, "cursor": first.json()["next"]})
    assert [each["subject"] for each in rest.json()["items"]] == ["ocr"]
    assert rest.json()["next"] is None


async def test_the_api_tells_of_a_queue_that_no_worker_serves(bench: Bench) -> None:
    """With no worker there is no sweep; the API looks by itself, and says so when it is over."""
    settings = bench.settings.model_copy(update={"queue_unserved_seconds": 0})
    async with client_with(settings) as client:
        await client.submit(letter("Hello"))

        async def is_told() -> bool:
            return any(each["subject"] == "ocr" for each in (await client.get("/v1/alerts")).json()["items"])

        assert await eventually(is_told)

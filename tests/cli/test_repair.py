"""`quire repair` on damage that is planted: the dry run tells it, and changes nothing; `--apply` mends it."""

import asyncio
import json
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from app.config import Settings
from app.db import new_id
from app.jobs.models import Job
from app.jobs.states import JobState, Stage
from app.repair.objects import Objects
from tests.bench import Bench
from tests.cli.conftest import Command, environment_of
from tests.cli.forks import Forks

LONG_AGO = -timedelta(hours=1)


async def repaired(
    forks: Forks, settings: Settings, folder: Path, *options: str
) -> tuple[int, Sequence[dict[str, Any]]]:
    """What the command finds, and its exit code."""
    command = Command(folder, environment_of(settings), forks)
    ended: subprocess.CompletedProcess[str] = await asyncio.to_thread(command, "repair", "--json", *options)
    assert "Traceback" not in ended.stderr
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


async def done(bench: Bench, **columns: Any) -> Job:
    """A job that was done, with its result in the bucket."""
    job = await bench.rows.job(state=JobState.DONE, textract_page_count=0, **columns)
    key = f"results/{job.document_id}/{job.id}/textract.json"
    await bench.rows.bucket.put(key, b"{}", "application/json")
    await bench.rows.change(job.id, result_key=key)
    return job


async def test_nothing_is_wrong_with_what_is_well(bench: Bench, quick: Settings, tmp_path: Path, forks: Forks) -> None:
    await done(bench)
    await bench.rows.job(Stage.PARSING)
    assert await repaired(forks, quick, tmp_path) == (0, [])


async def test_what_is_wrong_is_found_and_mended(bench: Bench, quick: Settings, tmp_path: Path, forks: Forks) -> None:
    rows = bench.rows
    stuck = await rows.job(Stage.PARSING)
    await rows.change(stuck.id, next_attempt_at_in=LONG_AGO)
    left = await rows.job(Stage.QUEUED, JobState.WORKING)
    await rows.change(left.id, lease_until_in=LONG_AGO)
    failed = await rows.job(Stage.PARSED, JobState.DEADLETTER, error_retryable=True)
    hopeless = await rows.job(Stage.QUEUED, JobState.DEADLETTER, error_retryable=False)
    contradictory = await done(bench, pages_done=1, pages_total=3)
    lost = await done(bench)
    await rows.bucket.delete(f"results/{lost.document_id}/{lost.id}/textract.json")
    bare = await rows.document(b"gone")
    await rows.bucket.delete(bare.s3_key)
    cached = f"doc:state:{new_id()}"
    await bench.tools.redis.set(cached, b"{}")
    planted = {
        ("stuck", f"job {stuck.id}"),
        ("stuck", f"job {left.id}"),
        ("failed", f"job {failed.id}"),
        ("job_fields", f"job {contradictory.id}"),
        ("result_lost", f"document {lost.document_id}"),
        ("document_without_object", f"document {bare.id}"),
        ("stale_cache", cached),
    }

    code, found = await repaired(forks, quick, tmp_path)
    assert (code, {(each["kind"], each["subject"]) for each in found}) == (1, planted)
    assert all(each["mended"] is None and each["remedy"] for each in found)
    assert (await rows.find(failed.id)).state is JobState.DEADLETTER
    assert await bench.tools.redis.exists(cached)

    code, found = await repaired(forks, quick, tmp_path, "--apply")
    assert code == 1  # nobody but a person can bring the document's bytes back
    assert {each["kind"] for each in found if not each["mended"]} == {"document_without_object"}
    assert (await rows.find(left.id)).state is JobState.QUEUED
    assert (await rows.find(failed.id)).state is JobState.QUEUED
    assert (await rows.find(hopeless.id)).state is JobState.DEADLETTER
    assert (await rows.find(contradictory.id)).pages_done == 3
    assert not await bench.tools.redis.exists(cached)

    _, found = await repaired(forks, quick, tmp_path)
    assert [(each["kind"], each["subject"]) for each in found] == [("document_without_object", f"document {bare.id}")]


async def test_which_of_the_failed_are_tried_again_can_be_said(
    bench: Bench, quick: Settings, tmp_path: Path, forks: Forks
) -> None:
    hopeless = await bench.rows.job(Stage.QUEUED, JobState.DEADLETTER, error_retryable=False)
    await bench.rows.job(Stage.QUEUED, JobState.DEADLETTER, error_retryable=True)
    assert await repaired(forks, quick, tmp_path, "--failed", "none") == (0, [])
    code, found = await repaired(forks, quick, tmp_path, "--failed", "all", "--apply")
    assert (code, len(found)) == (0, 2)
    assert (await bench.rows.find(hopeless.id)).state is JobState.QUEUED


async def test_objects_without_a_row_are_removed_once_they_are_old(bench: Bench) -> None:
    """The bucket is that of all tests: only our own objects are looked at, and mended."""
    bucket, document = bench.rows.bucket, await bench.rows.document(b"kept")
    orphan = f"documents/{new_id()}.pdf"
    await bucket.put(orphan, b"nobody's", "application/pdf")
    begun = await bucket.client.create_multipart_upload(Bucket=bucket.name, Key=f"uploads/{new_id()}")

    young = Objects(bench.tools.sessions, bucket)
    assert orphan not in [each.subject async for each in young.objects_without_row()]
    assert begun["Key"] not in [each.subject async for each in young.unfinished_uploads()]

    old = Objects(bench.tools.sessions, bucket, grace=-timedelta(hours=1))
    found = {each.subject: each async for each in old.objects_without_row()}
    assert document.s3_key not in found
    mend = found[orphan].mend
    assert mend is not None
    await mend()
    assert await bucket.head(orphan) is None

    uploads = {each.subject: each async for each in old.unfinished_uploads()}
    drop = uploads[begun["Key"]].mend
    assert drop is not None
    await drop()
    assert begun["Key"] not in [each.subject async for each in old.unfinished_uploads()]

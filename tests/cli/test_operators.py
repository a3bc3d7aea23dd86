"""`quire keys`, `check`, `monitor`, `loadtest` and `openapi`."""

import json
import subprocess
import sys

from tests.cli.conftest import Command


def test_keys_are_made_listed_and_revoked(quire: Command) -> None:
    made = json.loads(quire("keys", "create", "--project", "other", "--name", "ci", "--days", "2", "--json").stdout)
    listed = [json.loads(line) for line in quire("keys", "list", "--project", "other", "--json").stdout.splitlines()]
    assert [(key["id"], key["name"]) for key in listed] == [(made["id"], "ci")]
    assert made["key"] not in json.dumps(listed)
    assert quire("jobs", "list", QUIRE_API_KEY=made["key"]).returncode == 0
    assert quire("keys", "revoke", made["prefix"]).returncode == 0
    assert "revoked" in quire("keys", "list").stdout
    unknown = quire("keys", "revoke", "qk_none")
    assert (unknown.returncode, "[key_not_found]" in unknown.stderr) == (2, True)
    assert "weight 2," in quire("keys", "limit", "other", "--weight", "2").stdout
    assert quire("keys", "limit", "other", "--weight", "-1").returncode == 2
    assert quire("keys", "create", DATABASE_URL="postgresql://quire@127.0.0.1:9/quire").returncode == 3


def test_all_is_well_on_a_stack_that_runs(quire: Command) -> None:
    checked = quire("check", "--json")
    found = [json.loads(line) for line in checked.stdout.splitlines()]
    assert checked.returncode == 0, [each for each in found if each["grade"] == "wrong"]
    names = {"settings", "postgres", "pgvector", "tables", "redis", "bucket", "engines", "quotas", "queues", "clock"}
    assert names <= {each["name"] for each in found if each["grade"] == "ok"}


def test_each_thing_that_is_wrong_is_named_with_what_to_do(quire: Command) -> None:
    checked = quire("check", DATABASE_URL="postgresql://quire@127.0.0.1:9/quire", REDIS_URI="redis://elsewhere")
    assert checked.returncode == 1
    assert "Did you mean REDIS_URL?" in checked.stdout
    assert "WRONG postgres:" in checked.stdout
    assert "Traceback" not in checked.stderr
    misset = quire("check", QUIRE_PORT="a lot", MAX_ATTEMPTS="0")
    assert misset.returncode == 1
    assert "QUIRE_PORT can't be used:" in misset.stdout
    assert "MAX_ATTEMPTS can't be used:" in misset.stdout
    nowhere = quire("check", LOCAL_TEXTRACT_ENDPOINT_URL="")
    assert (nowhere.returncode, nowhere.stderr) == (1, "")
    assert "LOCAL_TEXTRACT_ENDPOINT_URL is not set" in nowhere.stdout


def test_the_monitor_prints_all_queues_once(quire: Command) -> None:
    shown = quire("monitor", "--once")
    assert shown.returncode == 0, shown.stderr
    assert all(name in shown.stdout for name in ("batch.high", "entity", "WORKER", "ENGINE", "local"))
    picture = json.loads(quire("monitor", "--json").stdout)
    assert all(queue["workers"] == 1 for queue in picture["queues"])
    assert quire("monitor").returncode == 2  # there is no terminal here


def test_a_load_test_counts_its_documents(quire: Command) -> None:
    tested = quire("loadtest", "--count", "3", "--concurrency", "2", "--json")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    said = json.loads(tested.stdout)
    assert (said["documents"], said["done"], said["failures"]) == (3, 3, {})
    assert said["done_seconds"]["p50"] >= said["submit_seconds"]["p50"] > 0
    assert "parsing" in said["stage_seconds"]


def test_the_openapi_document_is_printed(quire: Command) -> None:
    assert "/v1/batches" in json.loads(quire("openapi").stdout)["paths"]


def test_settings_that_are_wrong_keep_the_api_from_starting(quire: Command) -> None:
    refused = quire("api", MAX_ATTEMPTS="0")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert refused.stderr.startswith("MAX_ATTEMPTS can't be used:")


def test_the_shell_can_complete_it(quire: Command) -> None:
    """As bash asks what may come next."""
    asked = {"_QUIRE_COMPLETE": "complete_bash", "COMP_WORDS": "quire jo", "COMP_CWORD": "1"}
    line = [sys.executable, "-c", "import sys; sys.argv[0] = 'quire'; from app.cli.main import main; main()"]
    answer = subprocess.run(
        line, cwd=quire.folder, env={**quire.environment, **asked}, capture_output=True, text=True, check=False
    )
    assert answer.stdout.split() == ["jobs"]

"""`quire submit`, `status`, `result`, `batch` and `jobs` against a server that reads."""

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.documents import letter

UNKNOWN = "019aa6c1-8f00-7d41-8c1e-3b5d7f9a1c2e"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with two documents, one of them two levels down, and a file that is none."""
    folder = tmp_path / "filings"
    (folder / "deep" / "down").mkdir(parents=True)
    (folder / "one.pdf").write_bytes(letter(f"The first page {tmp_path}"))
    (folder / "deep" / "down" / "two.pdf").write_bytes(letter(f"The second page {tmp_path}"))
    (folder / "notes.txt").write_text("not of the batch")
    return folder


def test_a_document_goes_in_and_its_text_comes_out(quire: Command, files: Path) -> None:
    submitted = quire("submit", files / "one.pdf", "--wait", "--json")
    assert submitted.returncode == 0, submitted.stderr
    said = json.loads(submitted.stdout)
    assert said["job"]["state"] == "done"
    assert "first page" in quire("result", said["document"]["id"]).stdout
    shown = quire("status", said["document"]["id"])
    assert said["job"]["id"] in shown.stdout
    assert "done" in quire("jobs", "show", said["job"]["id"]).stdout
    listed = quire("jobs", "list", "--document", said["document"]["id"], "--since", "1h", "--json")
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == [said["job"]["id"]]


def test_a_document_that_cannot_be_read_makes_the_exit_code_1(quire: Command, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\n" + str(tmp_path).encode() * 9)
    submitted = quire("submit", broken, "--wait")
    assert submitted.returncode == 1
    assert "[document_corrupt]" in submitted.stdout
    assert "document_corrupt" in quire("jobs", "dead-letters").stdout
    job_id = json.loads(quire("jobs", "list", "--state", "deadletter", "--json").stdout.splitlines()[0])["id"]
    assert quire("jobs", "retry", job_id).returncode == 0
    refused = quire("jobs", "cancel", UNKNOWN)
    assert (refused.returncode, "[job_not_found]" in refused.stderr) == (1, True)


def test_retrying_all_has_to_be_said(quire: Command) -> None:
    refused = quire("jobs", "retry")
    assert (refused.returncode, "--all" in refused.stderr) == (2, True)
    assert quire("jobs", "retry", "--all", "--code", "no_such_code").returncode == 0


def test_a_folder_becomes_a_batch(quire: Command, files: Path) -> None:
    submitted = quire("batch", "submit", files, "--wait", "--json")
    assert submitted.returncode == 0, submitted.stderr
    batch = json.loads(submitted.stdout)["batch"]
    assert (batch["state"], batch["progress"]["documents_done"]) == ("done", 2)
    assert list(files.parent.glob(".*quire-journal")) == []
    report = [json.loads(line) for line in quire("batch", "report", batch["id"]).stdout.splitlines()]
    assert {item["external_id"] for item in report} == {"one.pdf", "deep/down/two.pdf"}
    assert batch["id"] in quire("batch", "list").stdout
    shown = quire("batch", "status", batch["id"], "--wait")
    assert (shown.returncode, "2 of 2 documents" in shown.stdout) == (0, True)
    assert "[state_conflict]" in quire("batch", "cancel", batch["id"]).stderr


def test_a_manifest_says_more_and_what_is_refused_is_named(quire: Command, files: Path) -> None:
    manifest = files / "manifest.csv"
    lines = ("path,document_id,external_id,priority,court", "one.pdf,,a-1,high,ca10", f",{UNKNOWN},a-2,high,ca9")
    manifest.write_text("\n".join(lines))
    submitted = quire("batch", "submit", manifest, "--wait")
    assert submitted.returncode == 1
    assert f"{UNKNOWN}: " in submitted.stderr
    assert "[document_not_found]" in submitted.stderr
    batch_id = submitted.stdout.split()[0]
    first, second = (json.loads(line) for line in quire("batch", "report", batch_id).stdout.splitlines())
    assert (first["metadata"], first["job"]["state"], first["job"]["priority"]) == ({"court": "ca10"}, "done", "high")
    assert second["status"] == "refused"


def test_a_manifest_that_is_wrong_sends_nothing(quire: Command, tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    for text, sentence in (
        ("name\nx\n", "one of them must be path"),
        ("path,priority\na.pdf,urgent\n", "line 2: there is no priority 'urgent'"),
        ("path,source\na.pdf,s3://b/k\n", "line 2: give exactly one of"),
    ):
        manifest.write_text(text)
        refused = quire("batch", "submit", manifest)
        assert (refused.returncode, sentence in refused.stderr) == (2, True), refused.stderr


def test_mistakes_are_one_sentence(quire: Command, files: Path) -> None:
    away = quire("status", UNKNOWN, QUIRE_URL="http://127.0.0.1:9")
    assert (away.returncode, away.stderr.count("\n"), "can't be reached" in away.stderr) == (3, 1, True)
    wrong = quire("submit", files / "one.pdf", QUIRE_API_KEY="qk_wrong")
    assert (wrong.returncode, "[unauthorized]" in wrong.stderr) == (2, True)
    missing = quire("submit", files / "none.pdf")
    assert (missing.returncode, missing.stderr) == (2, f"There is no such file: {files / 'none.pdf'}.\n")
    assert quire("status", UNKNOWN).returncode == 2


def test_ctrl_c_ends_it_with_130(quire: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            quire.line("jobs", "list"),
            cwd=quire.folder,
            env={**quire.environment, "QUIRE_URL": address},
            stderr=subprocess.PIPE,
            text=True,
            # What is run in the background of a shell ignores it, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (no locks are taken)
        )
        silent.settimeout(60)
        connection, _ = silent.accept()  # it asks, and never gets an answer
        with connection:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "")

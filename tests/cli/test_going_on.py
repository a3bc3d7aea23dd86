"""`quire batch submit` called again after it was cut off."""

import asyncio
import json
import re
from pathlib import Path

from app.config import Settings
from tests.cli.calling import command_on
from tests.cli.forks import Forks
from tests.documents import letter
from tests.service import running_api


async def test_what_was_sent_is_not_sent_again(quick: Settings, tmp_path: Path, forks: Forks) -> None:
    """The first call is refused once it has sent all, since it says too much; the second one sends nothing anew."""
    (tmp_path / "one.pdf").write_bytes(letter("One"))
    (tmp_path / "two.pdf").write_bytes(letter("Two"))
    (tmp_path / "void.pdf").touch()
    manifest, journal = tmp_path / "m.csv", tmp_path / ".m.csv.quire-journal"
    manifest.write_text(f"path,note\none.pdf,{'x' * 2000}\ntwo.pdf,\nvoid.pdf,\n")
    async with running_api(quick.model_copy(update={"batch_request_bytes": 1000})) as address:
        quire = await command_on(quick, address, tmp_path, forks)
        submit = "batch", "submit", manifest, "--preflight", "warn", "--json"
        refused = await asyncio.to_thread(quire, *submit)
        assert (refused.returncode, "[request_too_large]" in refused.stderr) == (2, True), refused.stderr
        before = re.findall(r'"upload_id":"([^"]+)"', journal.read_text())
        assert len(before) == 2
        manifest.write_text("path\none.pdf\ntwo.pdf\nvoid.pdf\n")
        (tmp_path / "one.pdf").write_bytes(letter("Changed meanwhile"))
        with journal.open("ab") as file:
            file.write(b'{"whole": "cut o')  # as a crash leaves it
        submitted = await asyncio.to_thread(quire, *submit)
        assert submitted.returncode == 1, submitted.stderr
        assert "Going on" in submitted.stderr
        said = json.loads(submitted.stdout)
        report = await asyncio.to_thread(quire, "batch", "report", said["batch"]["id"])
    asked = [json.loads(line)["asked"]["upload_id"] for line in report.stdout.splitlines()]
    assert (asked[0] in before, asked[1] in before) == (False, True)
    assert not journal.exists()


async def test_a_batch_that_was_made_is_told_of_again(
    quick: Settings, address: str, tmp_path: Path, forks: Forks
) -> None:
    """What was refused of it too; nothing is made twice, whatever has become of the files meanwhile."""
    (tmp_path / "one.pdf").write_bytes(letter("One"))
    (tmp_path / "void.pdf").touch()
    (tmp_path / "second.pdf").write_bytes(letter("Second"))
    manifest, journal = tmp_path / "m.csv", tmp_path / "kept"
    manifest.write_text("path,priority\none.pdf,high\nvoid.pdf,high\n")
    quire = await command_on(quick, address, tmp_path, forks)
    first = await asyncio.to_thread(quire, "batch", "submit", manifest, "--preflight", "warn", "--json")
    made = json.loads(first.stdout)
    run = {"server": address, "run": "the-first"}
    accepted = {"slice": 1, "batch_id": made["batch"]["id"], "refused": made["refused"]}
    journal.write_text(f"{json.dumps(run)}\n{json.dumps(accepted)}\n")  # as if cut off before the second batch
    manifest.write_text("path,priority\none.pdf,high\nvoid.pdf,high\nsecond.pdf,low\n")
    (tmp_path / "one.pdf").unlink()
    again = await asyncio.to_thread(
        quire, "batch", "submit", manifest, "--preflight", "warn", "--json", "--journal", journal
    )
    assert again.returncode == 1, again.stderr
    same, other = (json.loads(line) for line in again.stdout.splitlines())
    assert (same["batch"]["id"], same["refused"]) == (made["batch"]["id"], made["refused"])
    assert (other["batch"]["priority"], other["batch"]["item_count"], other["refused"]) == ("low", 1, [])

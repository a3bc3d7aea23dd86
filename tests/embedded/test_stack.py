"""The stack as a person meets it: it starts, keeps what it is given, survives what happens to it, and stops."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis

from tests.embedded import data
from tests.embedded.running import ROOT, a_stack, eventually

STOPS_WITHIN = 10


def test_everything_is_found_again_after_a_stop(tmp_path: Path) -> None:
    """A second start has the same data, the same ports and the same keys; a stop takes less than 10 s and leaves nothing."""
    with a_stack(tmp_path / "quire", "postgres,valkey,s3") as first:
        data.write_row(first)
        data.write_key(first)
        data.write_object(first)
        assert first.stop() < STOPS_WITHIN
        assert first.process.returncode == 0
        assert first.left_over() == []
    with a_stack(tmp_path / "quire", "postgres,valkey,s3") as second:
        assert second.environment == first.environment
        assert data.has_row(second)
        assert data.has_key(second)
        assert data.has_object(second)
    assert stat.S_IMODE((tmp_path / "quire" / "secrets.json").stat().st_mode) == 0o600


def test_everything_is_found_again_after_kill_9_of_the_whole_tree(tmp_path: Path) -> None:
    with a_stack(tmp_path / "quire", "postgres,valkey,s3") as first:
        data.write_row(first)
        data.write_key(first)
        data.write_object(first)
        time.sleep(1.2)  # Valkey writes its file down once a second.
        first.kill_all()
    with a_stack(tmp_path / "quire", "postgres,valkey,s3") as second:
        assert data.has_row(second)
        assert data.has_key(second)
        assert data.has_object(second)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_kill_9_of_the_supervisor_takes_the_servers_with_it(tmp_path: Path) -> None:
    with a_stack(tmp_path / "quire") as stack:
        stack.process.kill()
        stack.process.wait()
        assert stack.left_over(within=5) == []


def test_a_start_right_after_kill_9_of_the_supervisor(tmp_path: Path) -> None:
    """What is still on its way out, or was left running, is in nobody's way."""
    with a_stack(tmp_path / "quire") as first:
        data.write_row(first)
        first.process.kill()
        first.process.wait()
        with a_stack(tmp_path / "quire") as second:
            assert data.has_row(second)


def test_a_lock_file_that_names_a_stranger_is_in_nobodys_way(tmp_path: Path) -> None:
    """After a crash, the process id in Postgres's lock file may belong to somebody else of the same user."""
    with a_stack(tmp_path / "quire", "postgres") as first:
        data.write_row(first)
        first.kill_all()
    lock = tmp_path / "quire" / "postgres" / "postmaster.pid"
    owner = lock.stat()
    with subprocess.Popen(["sleep", "60"], user=owner.st_uid) as stranger:
        lock.write_text("\n".join([str(stranger.pid), *lock.read_text().split("\n")[1:]]))
        with a_stack(tmp_path / "quire", "postgres") as second:
            assert data.has_row(second)
        assert stranger.poll() is None
        stranger.kill()


async def test_a_postgres_that_dies_is_started_again(tmp_path: Path) -> None:
    """It comes back on the same port, with its data."""
    with a_stack(tmp_path / "quire", "postgres") as stack:
        url = stack.environment["DATABASE_URL"]
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE kept AS SELECT 1 AS value")
        stack.child("postgres").kill()
        eventually(lambda: "postgres is back" in stack.said)
        connection.terminate()
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT value FROM kept") == 1
        await connection.close()
        assert "postgres died (SIGKILL); starting it again" in stack.said


def test_a_valkey_and_a_seaweedfs_that_die_are_started_again(tmp_path: Path) -> None:
    with a_stack(tmp_path / "quire", "valkey,s3") as stack:
        data.write_object(stack)
        stack.child("valkey").kill()
        stack.child("weed").kill()
        eventually(lambda: "valkey is back" in stack.said and "seaweedfs is back" in stack.said)
        with redis.Redis.from_url(stack.environment["REDIS_URL"]) as client:
            assert client.ping()
        assert data.has_object(stack)


def test_a_second_signal_ends_everything_at_once(tmp_path: Path) -> None:
    with a_stack(tmp_path / "quire", "postgres,s3") as stack:
        stack.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        stack.process.send_signal(signal.SIGINT)
        assert stack.process.wait(10) == 128 + signal.SIGINT
        assert stack.left_over(within=5) == []


def test_it_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    with a_stack(tmp_path / "quire", "valkey") as stack:
        assert stack.process.stdin is not None
        stack.process.stdin.close()
        assert stack.process.wait(5) == 0


def test_a_signal_during_the_start_stops_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app.embedded", "--only", "postgres", "--data-dir", str(tmp_path / "quire")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        eventually((tmp_path / "quire" / "postgres.new").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    assert not [found for found in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(found.info["cmdline"])]


def test_a_second_stack_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with a_stack(tmp_path / "quire", "valkey") as first, a_stack(tmp_path / "quire", "valkey") as second:
        assert second.process.returncode == 1
        assert f"running already on {tmp_path / 'quire'} (process {first.process.pid})" in second.said


def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with a_stack(tmp_path / "quire", "postgres,api", QUIRE_PORT=str(port)) as stack:
            assert stack.process.returncode == 1
            assert f"Port {port} on 127.0.0.1 is taken" in stack.said
            assert f"QUIRE_PORT={port + 1} make run" in stack.said
            assert not (tmp_path / "quire" / "postgres").exists()


def test_a_part_that_fails_to_start_stops_everything_with_its_last_words(tmp_path: Path) -> None:
    with a_stack(tmp_path / "quire", "valkey,s3,textract", TEXTRACT_SERVER_RETENTION_SECONDS="-1") as stack:
        assert stack.process.returncode == 1
        assert "quire-textract ended at once" in stack.said
        assert "greater than 0" in stack.said
    assert not list((tmp_path / "quire" / "processes").iterdir())


def test_paths_may_be_long_and_strange(tmp_path: Path) -> None:
    """Spaces, quotes, and more than the 107 bytes that the path of a Unix socket may have."""
    folder = tmp_path / ('it\'s a "very" long way ' + "x" * 120) / "my quire"
    folder.parent.mkdir()
    with a_stack(folder, "postgres,valkey,s3") as stack:
        data.write_row(stack)
        data.write_key(stack)
        data.write_object(stack)


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_an_ordinary_user_can_run_it(tmp_path: Path) -> None:
    user = 65534
    home = Path("/tmp") / f"quire-user-{os.getpid()}"
    try:
        subprocess.run([sys.executable, "-c", "import app.embedded.stack"], user=user, cwd=ROOT, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("an ordinary user can't run this Python: it is in a folder that only root may enter")
    home.mkdir()
    os.chown(home, user, user)
    try:
        with a_stack(home / "quire", "postgres,valkey,s3", user=user, HOME=str(home)) as stack:
            data.write_row(stack)
            data.write_object(stack)
            assert {process.uids().real for process in stack.family} == {user}
    finally:
        shutil.rmtree(home)

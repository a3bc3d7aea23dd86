"""Calls `quire` at the price of a fork: a program that imports all of the command once, and forks for every call."""

import ctypes
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import app.cli
from tests.databases import ROOT

PR_SET_PDEATHSIG = 1


class Forks:
    """Calls of the command, one at a time, each in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def call(
        self, arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Call it in a folder, and return what it said once it has ended."""
        with tempfile.TemporaryDirectory(dir=self._folder) as said:
            output, errors = Path(said, "output"), Path(said, "errors")
            told = {
                "arguments": [*arguments],
                "folder": str(folder),
                "environment": dict(environment),
                "output": str(output),
                "errors": str(errors),
            }
            code = self._asked(json.dumps(told))
            return subprocess.CompletedProcess([*arguments], code, output.read_text(), errors.read_text())

    def close(self) -> None:
        """End the program, and a call that is under way with it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=15)
            self._process = None

    def _asked(self, line: str) -> int:
        process = self._process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            return int(process.stdout.readline())
        except BaseException:
            self.close()  # else the next caller would get this one's answer
            raise

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.cli.forks"],
            cwd=self._folder,
            env={
                **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                "PYTHONPATH": str(ROOT),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def main() -> None:
    """Fork for every line, and answer with the exit code."""
    for found in pkgutil.iter_modules(app.cli.__path__, "app.cli."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


def _become(told: Mapping[str, Any]) -> NoReturn:
    """Be the command, as a shell would have started it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
    for number, path in enumerate((os.devnull, told["output"], told["errors"])):
        file = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["quire", *told["arguments"]]
    code = 1
    try:
        importlib.import_module("app.cli.main").main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 (as the interpreter itself would)
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()

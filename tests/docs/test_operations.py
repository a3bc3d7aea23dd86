"""What operators look up is there: every log event and every metric."""

import re

from tests.docs.generated import ROOT

LOGGED = re.compile(r"\blog\.(?:debug|info|warning|error|exception)\(\s*\"([a-z_]+)\"")
METRIC = re.compile(r"\"(quire_[a-z_]+)\"")


def found_in_code(pattern: re.Pattern[str]) -> set[str]:
    files = [file for folder in ("app", "workers") for file in (ROOT / folder).rglob("*.py")]
    return {name for file in files for name in pattern.findall(file.read_text())}


def explained(pattern: str) -> set[str]:
    page = (ROOT / "docs" / "operations.md").read_text()
    return set(re.findall(rf"^\| `({pattern})[`{{]", page, re.MULTILINE))


def test_every_log_event_is_explained() -> None:
    assert found_in_code(LOGGED) - explained("(?!quire_)[a-z_]+") == set()


def test_every_metric_is_explained() -> None:
    # A counter is shown with an ending that its definition leaves out.
    assert {name.removesuffix("_total") for name in explained("quire_[a-z_]+")} == found_in_code(METRIC)

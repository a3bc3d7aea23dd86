"""How many page processes are used is decided by what the machine and its control group give, and said."""

import logging
from pathlib import Path
from typing import Any

import pytest

from app.textract_server import capacity
from app.textract_server.capacity import asks_second_opinions, page_process_count, usable_cores
from app.textract_server.settings import Settings


def settings(**chosen: Any) -> Settings:
    keys = {"textract_server_access_key_id": "key", "textract_server_secret_access_key": "secret"}
    values: dict[str, Any] = {**keys, **chosen}
    return Settings(_env_file=None, **values)


def group(folder: Path, **files: str) -> Path:
    """Write a control group's files; dots are underscores in the names given."""
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 2**31), ("100000 100000", 1), ("150000 100000", 2), ("50000 100000", 1)]
)
def test_a_control_groups_share_of_the_cores_counts(tmp_path: Path, quota: str, cores: int) -> None:
    assert capacity._control_group_cores(group(tmp_path, cpu_max=quota)) == cores


def test_without_a_control_group_nothing_is_bounded_by_it(tmp_path: Path) -> None:
    assert capacity._control_group_cores(tmp_path) == 2**31
    assert capacity._control_group_bytes(tmp_path) == 2**63
    assert capacity._control_group_bytes(group(tmp_path, memory_max="max", memory_current="1")) == 2**63


def test_what_the_group_has_taken_already_is_not_free(tmp_path: Path) -> None:
    assert capacity._control_group_bytes(group(tmp_path, memory_max="1000", memory_current="400")) == 600


def test_more_processes_than_cores_are_not_started_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    many = usable_cores() + 3
    with caplog.at_level(logging.WARNING):
        assert page_process_count(settings(ocr_workers=many)) <= usable_cores()
    assert f"OCR_WORKERS is {many}" in caplog.text
    assert "using" in caplog.text


def test_more_than_the_most_is_a_contradiction() -> None:
    with pytest.raises(ValueError, match=r"OCR_WORKERS is 5, more than OCR_MAX_WORKERS \(4\)"):
        page_process_count(settings(ocr_workers=5, ocr_max_workers=4))


def test_without_parallel_reading_there_is_one() -> None:
    assert page_process_count(settings(ocr_workers=2, ocr_parallel_disabled=True)) == 1


def test_second_opinions_are_given_where_they_are_wanted() -> None:
    assert asks_second_opinions(settings(ocr_second_opinion="on"))
    assert not asks_second_opinions(settings(ocr_second_opinion="off"))

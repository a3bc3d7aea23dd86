"""What the docs say of settings, errors, stages and states is what the code has."""

import re
from pathlib import Path
from typing import Any

import pytest

from app.config import Settings as ServiceSettings
from app.textract_server.settings import Settings as TextractServerSettings
from tests.docs.generated import FILES, MARKS, PARTS, ROOT, GeneratedFile, errors_by_code, moves


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path.name)
def test_what_is_generated_is_current(file: GeneratedFile) -> None:
    assert file.is_current(), f"{file.path.name} is out of date; run: .venv/bin/python -m tests.docs"


def test_every_generated_part_stands_on_some_page() -> None:
    named = {found["name"] for file in FILES for found in MARKS.finditer(file.path.read_text())}
    assert named == set(PARTS)


def test_the_env_example_names_every_setting_once() -> None:
    named = re.findall(r"^#([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    settings = ServiceSettings.model_fields | TextractServerSettings.model_fields
    assert sorted(named) == sorted(name.upper() for name in settings)


def test_the_env_example_uncommented_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ServiceSettings.model_fields | TextractServerSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    uncommented = re.sub(r"^#(?=[A-Z])", "", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    (tmp_path / "env").write_text(uncommented)
    assert ServiceSettings(_env_file=tmp_path / "env") == ServiceSettings(_env_file=None)
    keys: dict[str, Any] = {"textract_server_access_key_id": "a", "textract_server_secret_access_key": "b"}
    assert TextractServerSettings(_env_file=tmp_path / "env", **keys) == TextractServerSettings(_env_file=None, **keys)


def test_every_error_code_has_a_section_that_a_problems_type_leads_to() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    assert re.findall(r"^### `([a-z_]+)`$", page, re.MULTILINE) == list(errors_by_code())


def test_every_move_between_states_is_explained() -> None:
    page = (ROOT / "docs" / "state-machine.md").read_text()
    assert sorted(re.findall(r"^\| `([a-z]+)` → `([a-z]+)` \|", page, re.MULTILINE)) == sorted(moves())

"""Settings that are wrong are told before anything is started, in a sentence each."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.config import ENGINES, Settings
from app.mistakes import mistakes
from app.ocr.engine import EngineName, Feature
from app.price_table import PRICED
from tests.databases import ROOT

SNS = "Of TEXTRACT_SNS_TOPIC_ARN and TEXTRACT_SNS_ROLE_ARN only one is set: set both, or neither."
ENGINE_NAMES = (
    "OCR_ENGINES can't be used: name textract, local, or both with a comma between, each once, the preferred one first; "
    "correct it in the environment or in .env."
)
NOWHERE = (
    "OCR_ENGINES names local, and LOCAL_TEXTRACT_ENDPOINT_URL is not set: set it to where `quire-textract` runs.\n"
)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"ocr_engines": "textract,textract"}, ENGINE_NAMES),
        ({"ocr_engines": "tesseract"}, ENGINE_NAMES),
        ({"ocr_engines": "textract, local"}, ENGINE_NAMES),
        ({"textract_prices": "{"}, "TEXTRACT_PRICES is not JSON such as"),
        ({"textract_prices": '{"FROMS": 1}'}, "TEXTRACT_PRICES has no feature 'FROMS'; there are TEXT,"),
        ({"textract_prices": '{"TEXT": 1.5}'}, "TEXTRACT_PRICES must give TEXT a whole number of micro-dollars"),
        ({"textract_sns_topic_arn": "arn:topic"}, SNS),
        ({"textract_sns_role_arn": "arn:role"}, SNS),
        ({"textract_kms_key_id": "alias/key"}, "TEXTRACT_KMS_KEY_ID is set without TEXTRACT_OUTPUT_BUCKET,"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(values: dict[str, Any], sentence: str) -> None:
    """One for each mistake, which begins with the setting's name and ends with a full stop."""
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, **values)
    (said,) = mistakes(refused.value)
    assert said.startswith(sentence)
    assert said.endswith(".")
    assert not said.endswith("..")


def test_what_goes_together_is_taken() -> None:
    """Both engines, both halves, and a key for the results of a bucket."""
    values: dict[str, Any] = {"textract_sns_topic_arn": "arn:topic", "textract_sns_role_arn": "arn:role"}
    values |= {"textract_output_bucket": "results", "textract_kms_key_id": "alias/key"}
    values |= {"ocr_engines": "local,textract", "local_textract_endpoint_url": "http://127.0.0.1:8020"}
    settings = Settings(_env_file=None, textract_prices='{"TEXT": 600}', **values)
    assert settings.engine_nowhere is None


def test_the_settings_know_all_engines_and_features() -> None:
    """They stand below the engines, and have the names twice."""
    assert frozenset(EngineName) == ENGINES
    assert sorted(Feature) == sorted(PRICED)


@pytest.mark.parametrize("module", ["workers", "app.serve"])
@pytest.mark.parametrize(
    ("said", "sentence"),
    [({"OCR_ENGINES": "local"}, NOWHERE), ({"TEXTRACT_PRICES": "cheap"}, "TEXTRACT_PRICES is not JSON such as")],
)
def test_a_process_that_would_ask_engines_does_not_start(
    tmp_path: Path, module: str, said: dict[str, str], sentence: str
) -> None:
    """It says why, and ends with 2: nothing is asked in the place of what was meant."""
    ended = called(tmp_path, module, **said)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert ended.stderr.startswith(sentence)


def test_the_whole_of_quire_starts_nothing(tmp_path: Path) -> None:
    """Each mistake a line, before the first server."""
    ended = called(tmp_path, "app.embedded.up", TEXTRACT_PRICES="cheap", MAX_ATTEMPTS="0", OCR_ENGINES="local,local")
    lines = sorted(ended.stderr.splitlines())
    assert (ended.returncode, len(lines)) == (2, 2), ended.stderr
    assert [line.partition(" ")[0] for line in lines] == ["MAX_ATTEMPTS", "OCR_ENGINES"]
    assert not (tmp_path / ".quire").exists()


def test_what_asks_no_engine_needs_none(tmp_path: Path) -> None:
    """`quire up` places the engine itself, and the OpenAPI document can be written anywhere."""
    assert called(tmp_path, "app.main", "openapi.json", OCR_ENGINES="local").returncode == 0
    assert (tmp_path / "openapi.json").exists()


def called(folder: Path, module: str, *arguments: str, **said: str) -> subprocess.CompletedProcess[str]:
    """A process of ours, started in an empty folder, with nothing set but what is given."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    line = [sys.executable, "-m", module, *arguments]
    environment = {**kept, "PYTHONPATH": str(ROOT), **said}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=110, check=False)

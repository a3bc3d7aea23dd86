"""The SDK's session: the rules of where a request goes are looked at once, and say the same."""

from collections.abc import Iterator
from typing import Any

from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import Loader

from app.aws import ENDPOINT_RULES, LeanLoader


def _referred_to(rules: Any) -> Iterator[str]:
    if isinstance(rules, dict):
        if isinstance(rules.get("ref"), str):
            yield rules["ref"]
        for value in rules.values():
            yield from _referred_to(value)
    elif isinstance(rules, list):
        for value in rules:
            yield from _referred_to(value)


def test_parameters_that_a_rule_looks_at_stay() -> None:
    for service in ("s3", "textract", "sqs"):
        all_of_them = Loader().load_service_model(service, ENDPOINT_RULES)
        left = LeanLoader().load_service_model(service, ENDPOINT_RULES)
        assert left["rules"] == all_of_them["rules"]
        looked_at = set(_referred_to(all_of_them["rules"])) & set(all_of_them["parameters"])
        assert looked_at <= set(left["parameters"])


def test_no_rule_of_s3_looks_at_the_key_of_an_object() -> None:
    """Else each object would take a walk through all rules again."""
    whole, lean = (each.load_service_model("s3", ENDPOINT_RULES) for each in (Loader(), LeanLoader()))
    assert "Key" in whole["parameters"]
    assert "Key" not in lean["parameters"]
    asked = {"Bucket": "quire", "Region": "eu-west-1", "UseFIPS": False, "UseDualStack": False}
    for more in ({}, {"Endpoint": "http://127.0.0.1:9000", "ForcePathStyle": True}):
        before = EndpointProvider(whole, _partitions()).resolve_endpoint(**asked, **more, Key="a/b")
        assert EndpointProvider(lean, _partitions()).resolve_endpoint(**asked, **more).url == before.url


def _partitions() -> Any:
    return Loader().load_data("partitions")

"""What this fleet may ask of an engine."""

import pytest

from app.config import Settings
from app.ocr.engine import EngineName, Operation
from app.ocr.quotas import Quota, quotas_of


def settings_of(**values: object) -> Settings:
    """Settings with these values, and a share of everything unless they say otherwise."""
    return Settings.model_validate({"textract_quota_share": 1.0, **values})


@pytest.mark.parametrize(
    ("region", "operation", "quota"),
    [
        ("us-east-1", Operation.DETECTION, Quota(15, 25, 25, 600)),
        ("us-east-1", Operation.ANALYSIS, Quota(10, 10, 10, 600)),
        ("us-east-2", Operation.DETECTION, Quota(5, 10, 10, 100)),
        ("eu-west-1", Operation.ANALYSIS, Quota(5, 5, 5, 100)),
        ("eu-central-1", Operation.DETECTION, Quota(1, 5, 1, 100)),
        ("eu-central-1", Operation.ANALYSIS, Quota(2, 5, 1, 100)),
    ],
)
def test_a_region_has_its_documented_quotas(region: str, operation: Operation, quota: Quota) -> None:
    """Without settings, what AWS documents for the region holds; regions that it doesn't name have the least."""
    assert quotas_of(settings_of(aws_region=region), EngineName.TEXTRACT)[operation] == quota


def test_the_share_is_of_rates_and_not_of_slots() -> None:
    """A share of 0.9 leaves a tenth of the calls to others, and every concurrent job to this fleet."""
    quotas = quotas_of(settings_of(textract_quota_share=0.9), EngineName.TEXTRACT)
    assert quotas[Operation.DETECTION] == Quota(13.5, 22.5, 22.5, 600)


def test_settings_go_before_the_defaults_of_a_region() -> None:
    """A quota that AWS has raised is told by its setting; those that aren't told stay the region's."""
    settings = settings_of(
        aws_region="eu-west-1",
        textract_quota_share=0.5,
        textract_start_per_second=40,
        textract_get_analysis_per_second=60,
        textract_analyze_per_second=8,
        textract_max_concurrent_jobs=1000,
    )
    quotas = quotas_of(settings, EngineName.TEXTRACT)
    assert quotas[Operation.DETECTION] == Quota(20, 2.5, 2.5, 1000)
    assert quotas[Operation.ANALYSIS] == Quota(2.5, 30, 4, 1000)


def test_the_local_engine_has_settings_of_its_own() -> None:
    """Neither region nor share nor AWS quotas touch a server of one's own."""
    settings = settings_of(
        aws_region="eu-west-1",
        textract_quota_share=0.5,
        textract_start_per_second=1,
        local_textract_start_per_second=300,
        local_textract_get_per_second=500,
        local_textract_detect_per_second=7,
        local_textract_max_concurrent_jobs=12_000,
    )
    quotas = quotas_of(settings, EngineName.LOCAL)
    assert quotas == dict.fromkeys(Operation, Quota(300, 500, 7, 12_000))

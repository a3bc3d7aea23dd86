"""How often an engine may be called, and how many jobs it runs at once: what AWS documents, and what settings say."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.config import Settings
from app.ocr.engine import EngineName, Operation


@dataclass(frozen=True, slots=True)
class Quota:
    """What an account may ask of one operation: calls a second of each kind, and jobs that run at once."""

    start_per_second: float
    get_per_second: float
    read_per_second: float
    """The synchronous call: DetectDocumentText, or AnalyzeDocument."""
    concurrent_jobs: int


Quotas = Mapping[Operation, Quota]


def _region(detection: Quota, analysis: Quota) -> Quotas:
    return MappingProxyType({Operation.DETECTION: detection, Operation.ANALYSIS: analysis})


# "Amazon Textract endpoints and quotas" in the AWS General Reference. Quotas of concurrent jobs hold for each
# operation by itself ("Quotas in Amazon Textract" in the Amazon Textract Developer Guide).
DEFAULT_QUOTAS: Mapping[str, Quotas] = MappingProxyType(
    {
        "us-east-1": _region(Quota(15, 25, 25, 600), Quota(10, 10, 10, 600)),
        "us-west-2": _region(Quota(15, 25, 25, 600), Quota(10, 10, 10, 600)),
        "us-east-2": _region(Quota(5, 10, 10, 100), Quota(10, 10, 10, 100)),
        "eu-west-1": _region(Quota(5, 5, 5, 100), Quota(5, 5, 5, 100)),
        "ap-south-1": _region(Quota(5, 5, 5, 100), Quota(5, 5, 5, 100)),
    }
)
"""The documented quotas of an account, by region, as they are before AWS raises any of them."""

OTHER_REGIONS: Quotas = _region(Quota(1, 5, 1, 100), Quota(2, 5, 1, 100))
"""The same for every region that isn't named in `DEFAULT_QUOTAS`."""


def quotas_of(settings: Settings, engine: EngineName) -> Quotas:
    """What this fleet may ask of an engine, by operation: its share of the rates, and all of the concurrent jobs."""
    if engine is EngineName.LOCAL:
        return _local_quotas(settings)
    defaults = DEFAULT_QUOTAS.get(settings.aws_region, OTHER_REGIONS)
    told = {
        Operation.DETECTION: (
            settings.textract_start_per_second,
            settings.textract_get_per_second,
            settings.textract_detect_per_second,
        ),
        Operation.ANALYSIS: (
            settings.textract_start_analysis_per_second,
            settings.textract_get_analysis_per_second,
            settings.textract_analyze_per_second,
        ),
    }
    return {operation: _share(settings, defaults[operation], *told[operation]) for operation in Operation}


def _share(settings: Settings, default: Quota, start: float | None, get: float | None, read: float | None) -> Quota:
    share = settings.textract_quota_share
    return Quota(
        start_per_second=share * (start or default.start_per_second),
        get_per_second=share * (get or default.get_per_second),
        read_per_second=share * (read or default.read_per_second),
        concurrent_jobs=settings.textract_max_concurrent_jobs or default.concurrent_jobs,
    )


def _local_quotas(settings: Settings) -> Quotas:
    quota = Quota(
        start_per_second=settings.local_textract_start_per_second,
        get_per_second=settings.local_textract_get_per_second,
        read_per_second=settings.local_textract_detect_per_second,
        concurrent_jobs=settings.local_textract_max_concurrent_jobs,
    )
    return dict.fromkeys(Operation, quota)

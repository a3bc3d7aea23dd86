"""The two families of operations: what finds text, and what finds tables and forms too. All they differ in stands here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """The operations of one family by name, and the member in which their answers tell the model's version."""

    start: str
    get: str
    at_once: str
    model_version: str


DETECTION = Family(
    "StartDocumentTextDetection", "GetDocumentTextDetection", "DetectDocumentText", "DetectDocumentTextModelVersion"
)
ANALYSIS = Family("StartDocumentAnalysis", "GetDocumentAnalysis", "AnalyzeDocument", "AnalyzeDocumentModelVersion")
FAMILIES = (DETECTION, ANALYSIS)

"""Which tests run first, and which run in one process, where several processes share them."""

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it ships no types

FIRST = (
    "tests/cli/",
    "tests/clients/",
    "tests/textract_server/test_reading.py",
    "tests/textract_server/test_jobs.py",
    "tests/faults/",
    "tests/embedded/test_stack.py",
    "tests/formats/test_corpus.py",
    "tests/textract_server/test_corpus.py",
    "tests/textract_server/test_second_opinion.py",
    "tests/workers/test_workers.py",
    "tests/pipeline/test_admission.py",
    "tests/pipeline/test_fallback.py",
    "tests/webhooks/test_webhooks.py",
    "tests/formats/test_long_documents.py",
    "tests/entities/test_local_extractor.py",
    "tests/textract_server/test_notices.py",
    "tests/text/test_corpus.py",
    "tests/api/",
    "tests/pipeline/",
)
"""The dear ones, the dearest first: whoever takes one up last keeps everybody waiting."""

TOGETHER = ("tests/cli/",)
"""Folders of which one process runs all: its tests share servers that take long to start."""


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """File by file, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(nodeid.split("::", 1)[0])
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def place_of(nodeid: str) -> int:
    """How early a test runs: the lower, the earlier."""
    return next((place for place, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))

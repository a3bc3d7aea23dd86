"""First portions of results: in memory for who collects here next, in Redis for all others, and never relied on."""

import os
from dataclasses import replace

from app.ocr.engine import OcrStatus, PageWarning, ResultPart
from app.pipeline.portions import LARGEST_BYTES, Portions
from tests.bench import Bench

PORTION = ResultPart(
    status=OcrStatus.PARTIAL_SUCCESS,
    blocks=[{"BlockType": "PAGE", "Id": "a", "Page": 1}],
    page_count=2,
    model_version="1.0",
    message="A page is missing.",
    warnings=(PageWarning("PAGE_CHARACTER_LIMIT_EXCEEDED", (2,)),),
)


async def test_a_portion_is_there_once_for_any_process(bench: Bench) -> None:
    """As it was kept, with its warnings; the second who asks has to fetch it."""
    await bench.tools.portions.keep("one", PORTION, here=False)
    others = Portions(bench.tools.redis)
    raw = replace(PORTION, raw_blocks=b'[ {"BlockType": "PAGE", "Id": "a", "Page": 1}]')
    await bench.tools.portions.keep("raw", raw, here=False)
    assert await others.take("raw") == PORTION
    assert (await others.take("one"), await others.take("one")) == (PORTION, None)


async def test_a_whole_result_stays_in_memory_for_who_collects_it_here(bench: Bench) -> None:
    """And no other process sees it; one that goes on in another portion is kept for all."""
    portions = Portions(bench.tools.redis)
    await portions.keep("whole", PORTION, here=True)
    assert portions.has("whole")
    assert await Portions(bench.tools.redis).take("whole") is None
    assert await portions.take("whole") is PORTION
    assert not portions.has("whole")
    await portions.keep("whole", PORTION, here=True)
    portions.forget("whole")
    assert await portions.take("whole") is None
    begun = ResultPart(status=OcrStatus.SUCCEEDED, blocks=[], page_count=1, next_token="more")
    await portions.keep("begun", begun, here=True)
    assert not portions.has("begun")
    assert await Portions(bench.tools.redis).take("begun") == begun


async def test_what_is_too_large_or_damaged_is_fetched_again(bench: Bench) -> None:
    """It is not kept, or not used."""
    large = ResultPart(status=OcrStatus.SUCCEEDED, blocks=[{"Id": os.urandom(LARGEST_BYTES).hex()}], page_count=1)
    await bench.tools.portions.keep("large", large, here=False)
    assert await bench.tools.portions.take("large") is None
    await bench.tools.redis.set("job:textract:result:damaged", b"not a portion")
    assert await bench.tools.portions.take("damaged") is None

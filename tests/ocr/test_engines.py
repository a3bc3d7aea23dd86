"""What every engine must do, whoever it is: the server that comes with Quire, and the fake that other tests rely on."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import uuid4

import pytest
from reportlab.lib.pagesizes import LETTER  # type: ignore[import-untyped]  # it ships no types
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]  # it ships no types

from app.config import Settings
from app.errors import DocumentUnreachable, OcrJobLost, OcrRequestInvalid, UnsupportedMediaType
from app.ocr.engine import Block, EngineName, Feature, OcrStatus, Operation, ReadRequest, ResultPart, Source
from app.ocr.output import OutputStore
from app.ocr.textract import TextractEngine, open_engine
from app.resources import aws_session
from app.storage.s3 import CONFIG, Bucket
from tests.documents import letter
from tests.ocr.textract import FakeTextract, document_of, running_fake, with_table

LOCAL = EngineName.LOCAL
TEXT = ReadRequest()
TABLES = ReadRequest(frozenset({Feature.TEXT, Feature.TABLES}))
LINES = "The court finds that\nthe motion was filed\nin good time"
ONE_PAGE, TWO_PAGES = letter(LINES), letter(LINES, LINES)


def ruled(rows: int, columns: int) -> bytes:
    """A PDF of one page with a ruled table, a word in each cell."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=LETTER)
    canvas.setFont("Helvetica", 18)
    lefts, bottoms = [72 + 150 * column for column in range(columns + 1)], [400 + 50 * row for row in range(rows + 1)]
    canvas.grid(lefts, bottoms)
    for row, bottom in enumerate(bottoms[:-1]):
        for column, left in enumerate(lefts[:-1]):
            canvas.drawString(left + 20, bottom + 18, f"Amount{row}{column}")
    canvas.save()
    return file.getvalue()


TABLE = ruled(rows=2, columns=3)


@dataclass(frozen=True, slots=True)
class Account:
    """An engine, and the bucket that it reads from."""

    engine: TextractEngine
    upload: Callable[[bytes], Awaitable[Source]]
    """Puts a document into the bucket."""
    nowhere: Source
    """A place in the bucket where nothing is."""
    output: OutputStore | None = None
    """Where results may be stored, if they can be."""
    token: str = field(default_factory=lambda: uuid4().hex)

    async def start(self, document: bytes = ONE_PAGE, request: ReadRequest = TEXT) -> str:
        """Start a job for a document."""
        return await self.engine.start(await self.upload(document), request, token=uuid4().hex, tag="a-tag")

    async def result(self, engine_job_id: str, operation: Operation = Operation.DETECTION) -> list[ResultPart]:
        """All portions of a job's result, once it has ended."""
        async with asyncio.timeout(100):
            part = await self.engine.get(engine_job_id, operation)
            while part.status is OcrStatus.IN_PROGRESS:
                await asyncio.sleep(0.1)
                part = await self.engine.get(engine_job_id, operation)
        parts = [part]
        while (token := parts[-1].next_token) is not None:
            parts.append(await self.engine.get(engine_job_id, operation, token))
        return parts


@pytest.fixture(params=["the fake", "the server"])
async def account(request: pytest.FixtureRequest) -> AsyncIterator[Account]:
    """Each engine there is, with a bucket that can be written to."""
    if request.param == "the fake":
        async with running_fake() as fake, open_engine(aws_session(fake.settings), fake.settings, LOCAL) as engine:
            yield faked(fake, engine)
    else:
        async with served(request.getfixturevalue("settings")) as account:
            yield account


@pytest.fixture
async def analysing(account: Account) -> Account:
    """The same, where there is analysis."""
    try:
        await account.engine.get("f" * 64, Operation.ANALYSIS)
    except OcrJobLost:
        return account
    except OcrRequestInvalid as error:
        pytest.skip(f"analysis isn't served: {error.detail}")
    raise AssertionError("an engine knows a job that nobody has started")


def faked(fake: FakeTextract, engine: TextractEngine) -> Account:
    """The fake has no bucket: it is told what it would read there."""

    async def upload(document: bytes) -> Source:
        blocks = document_of(2 if document == TWO_PAGES else 1)
        fake.blocks = blocks if document == TWO_PAGES else with_table(blocks)
        return Source("a-bucket", uuid4().hex)

    fake.missing.add("nothing-here")
    return Account(engine, upload, Source("a-bucket", "nothing-here"))


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[Account]:
    """The Textract-compatible server over a real bucket, whichever engine the settings call it."""
    name = LOCAL if settings.local_textract_endpoint_url else EngineName.TEXTRACT
    session = aws_session(settings)
    async with (
        session.client("s3", endpoint_url=settings.aws_endpoint_url_s3, config=CONFIG) as client,
        open_engine(session, settings, name) as engine,
    ):
        bucket = Bucket(client, settings.s3_bucket)

        async def upload(document: bytes) -> Source:
            key = f"engines/{uuid4()}.pdf"
            await bucket.put(key, document, "application/pdf")
            return Source(bucket.name, key)

        output = OutputStore(client, bucket.name, f"output-{uuid4()}")
        yield Account(engine, upload, Source(bucket.name, "engines/nothing-here.pdf"), output)


async def test_a_token_names_one_job(account: Account) -> None:
    """The same Start twice, or twice at once, is one job."""
    source = await account.upload(ONE_PAGE)
    starts = [account.engine.start(source, TEXT, token=account.token, tag="a-tag") for _ in range(3)]
    first, second, third = [await starts[0], *await asyncio.gather(*starts[1:])]
    assert first == second == third
    assert await account.engine.start(source, TEXT, token=uuid4().hex, tag="a-tag") != first


async def test_a_token_with_other_parameters_is_refused(account: Account) -> None:
    """Another document, or another tag, under a token that was used is a request that can't be right."""
    source = await account.upload(ONE_PAGE)
    await account.engine.start(source, TEXT, token=account.token, tag="a-tag")
    for other, tag in ((await account.upload(ONE_PAGE), "a-tag"), (source, "another-tag")):
        with pytest.raises(OcrRequestInvalid):
            await account.engine.start(other, TEXT, token=account.token, tag=tag)


async def test_a_job_that_isnt_known_is_lost(account: Account) -> None:
    """It is to be started again."""
    with pytest.raises(OcrJobLost):
        await account.engine.get("f" * 64, Operation.DETECTION)


async def test_an_object_that_isnt_there_is_out_of_reach(account: Account) -> None:
    """By a job or at once; it may still turn up."""
    with pytest.raises(DocumentUnreachable):
        await account.engine.start(account.nowhere, TEXT, token=account.token, tag="a-tag")
    with pytest.raises(DocumentUnreachable):
        await account.engine.read(account.nowhere, TEXT)


async def test_a_result_arrives_portion_by_portion(account: Account) -> None:
    """However small the portions, together they are the result: nothing lost, nothing doubled, each saying the same."""
    job_id = await account.start(TWO_PAGES)
    (whole,) = await account.result(job_id)
    parts = await replace(account, engine=replace(account.engine, max_results=7)).result(job_id)
    assert len(parts) > 2
    assert max(len(part.blocks) for part in parts) == 7
    assert [block for part in parts for block in part.blocks] == whole.blocks
    assert {(part.status, part.page_count, part.model_version) for part in parts} == {(OcrStatus.SUCCEEDED, 2, "1.0")}
    add_up(whole.blocks, pages=2)


async def test_a_page_is_read_at_once(account: Account) -> None:
    """From its bytes or from the bucket, with the same blocks as a job's, numbered as a job numbers them."""
    source = await account.upload(ONE_PAGE)
    for document in (ONE_PAGE, source):
        part = await account.engine.read(document, TEXT)
        assert (part.status, part.page_count, part.next_token) == (OcrStatus.SUCCEEDED, 1, None)
        assert part.model_version == "1.0"
        add_up(part.blocks, pages=1)
    (of_a_job,) = await account.result(await account.start(ONE_PAGE))
    assert texts(part.blocks) == texts(of_a_job.blocks) != []


async def test_two_pages_are_not_read_at_once(account: Account) -> None:
    """They need a job."""
    source = await account.upload(TWO_PAGES)
    for document in (TWO_PAGES, source):
        with pytest.raises(UnsupportedMediaType):
            await account.engine.read(document, TEXT)


async def test_an_analysis_is_a_job_of_its_own(analysing: Account) -> None:
    """A token counts for each operation by itself, and only the operation that began a job knows it."""
    source = await analysing.upload(ONE_PAGE)
    detection = await analysing.engine.start(source, TEXT, token=analysing.token, tag="a-tag")
    analysis = await analysing.engine.start(source, TABLES, token=analysing.token, tag="a-tag")
    assert analysis != detection
    assert await analysing.engine.start(source, TABLES, token=analysing.token, tag="a-tag") == analysis
    with pytest.raises(OcrJobLost):
        await analysing.engine.get(analysis, Operation.DETECTION)
    with pytest.raises(OcrJobLost):
        await analysing.engine.get(detection, Operation.ANALYSIS)
    (part,) = await analysing.result(analysis, Operation.ANALYSIS)
    assert (part.status, part.page_count, part.model_version) == (OcrStatus.SUCCEEDED, 1, "1.0")
    add_up(part.blocks, pages=1)


async def test_tables_are_found_by_jobs_and_at_once(analysing: Account) -> None:
    """A table's cells are its children, and the words in them are theirs."""
    (of_a_job,) = await analysing.result(await analysing.start(TABLE, TABLES), Operation.ANALYSIS)
    for blocks in (of_a_job.blocks, (await analysing.engine.read(TABLE, TABLES)).blocks):
        add_up(blocks, pages=1)
        kinds = {block["Id"]: block["BlockType"] for block in blocks}
        (table,) = [block for block in blocks if block["BlockType"] == "TABLE"]
        assert {kinds[child] for child in children(table)} == {"CELL"}
        cells = [block for block in blocks if block["BlockType"] == "CELL"]
        assert len(cells) == 6
        assert {kinds[child] for cell in cells for child in children(cell)} == {"WORD"}


async def test_stored_results_are_those_that_get_gives(account: Account) -> None:
    """Once a job has ended its result is in the bucket, whole, and says the same."""
    if account.output is None:
        pytest.skip("the fake has no bucket")
    storing = replace(account, engine=replace(account.engine, output=account.output))
    job_id = await storing.start(TWO_PAGES)
    (told,) = await storing.result(job_id)
    (stored,) = [part async for part in storing.engine.stored_results(job_id, Operation.DETECTION)]
    assert stored == told
    assert len(stored.blocks) > 0


def add_up(blocks: list[Block], *, pages: int) -> None:
    """Every block has a page and an id of its own, and every child is there."""
    known = {block["Id"] for block in blocks}
    assert len(known) == len(blocks)
    assert [block["Page"] for block in blocks if block["BlockType"] == "PAGE"] == list(range(1, pages + 1))
    assert {block["Page"] for block in blocks} == set(range(1, pages + 1))
    assert {child for block in blocks for child in children(block)} <= known
    assert {"PAGE", "LINE", "WORD"} <= {block["BlockType"] for block in blocks}


def children(block: Block) -> list[str]:
    """The ids of the blocks that one contains."""
    return [each for told in block.get("Relationships", ()) if told["Type"] == "CHILD" for each in told["Ids"]]


def texts(blocks: list[Block]) -> list[str]:
    """The lines of a page."""
    return [block["Text"] for block in blocks if block["BlockType"] == "LINE"]

"""`start_textract_job`: have an engine begin to read, at its moment, at its price, and once.

Nobody waits here: a job that may not start yet goes back into the backlog, from where the sweep admits it in its turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.db import one_statement
from app.documents import repository as documents
from app.documents.intake import MediaType
from app.documents.models import Document
from app.errors import (
    DocumentCorrupt,
    DocumentUnreachable,
    OcrRequestInvalid,
    OcrSlotsFull,
    OcrUnavailable,
    QuireError,
    WaitsForTurn,
)
from app.jobs import textract_jobs
from app.jobs.models import OPEN_STATUSES, Job, TextractJob, TextractJobStatus
from app.jobs.states import Stage
from app.jobs.textract_jobs import Beginning, EverOfJob, member_of
from app.ocr.engine import ReadRequest
from app.ocr.pacing import Lane, Permit, Refusal
from app.ocr.router import Choice
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.parts import Part, delete_parts, parts_of
from app.pipeline.polling import patience
from app.pipeline.reading_at_once import ReadingAtOnce
from app.pipeline.reuse import reading_changes, reuse, take_over_paid, take_reading
from app.pipeline.spending import begin_within_cap, choose_engine
from app.pipeline.tokens import textract_token
from app.turns import sleep_aside

SYNCHRONOUS_BYTES = 10 * 1024 * 1024
"""Textract's own limit of a document that is read while the caller waits."""

JUST_SEEN = timedelta(seconds=10)
"""How long after a job's first stage began its document counts as seen."""

READ_AT_ONCE_INSTEAD = (WaitsForTurn, OcrSlotsFull, DocumentUnreachable, OcrRequestInvalid)
"""What keeps a job from starting and not a synchronous call: that has quotas of its own, no topic and no output bucket,
and can be given the bytes."""


class PartMissing(Exception):
    """A file that a document was split into is not in the bucket, where it can be put again."""


async def start_textract_job(job: Job, tools: Tools) -> Outcome:
    """Start reading a document, unless it has been read or is being read already. Raises a `Parked` where it has to wait."""
    try:
        outcome = await _start(job, tools)
    except QuireError as error:
        if job.parts or not isinstance(error, WaitsForTurn):  # else it has no slot
            await _free_slots(job, tools)
        raise
    if outcome.to is not None or len(tools.ocr.engines) > 1:
        await _free_slots(job, tools)
    return outcome


async def _start(job: Job, tools: Tools) -> Outcome:
    # Before anything is looked for: whoever read the same until now has left its result behind by then.
    elsewhere = await take_reading(job, tools)
    async with one_statement(tools.sessions) as session:
        document, known = await documents.look_before_reading(session, job)
    if known.elsewhere and (reused := await reuse(job, document, job.content_key or "", tools)) is not None:
        await delete_parts(job, tools)
        return reused
    if elsewhere is not None:
        raise elsewhere
    ever = EverOfJob(())
    if known.begun:
        async with one_statement(tools.sessions) as session:
            ever = await textract_jobs.ever_of_job(session, job.id)
    if known.paid_elsewhere and (paid := await take_over_paid(job, ever, tools)) is not None:
        return paid
    request = ReadRequest.from_options(job.options)
    if request.queries and len(job.parts) > 1:
        raise OcrRequestInvalid(
            "Questions can't be put to a document so large that it is read in parts: split it by hand."
        )
    choice = await choose_engine(job, request, tools)
    try:
        return await Starting(job, document, request, choice, ever, tools).run()
    finally:
        await tools.ocr.router.give_back(choice)  # a probe that was used is none any more


async def _free_slots(job: Job, tools: Tools) -> None:
    """Give back the slots that the job was admitted to and that no OCR job of its parts has taken."""
    async with one_statement(tools.sessions) as session:
        rows = (await textract_jobs.ever_of_job(session, job.id)).in_force
    taken = {(Lane(row.engine, row.operation), row.part) for row in rows if row.status in OPEN_STATUSES}
    for lane in (lane for lane in tools.ocr.lanes if lane.operation is job.operation):
        for part in range(1, max(1, len(job.parts)) + 1):
            if (lane, part) not in taken:
                await tools.ocr.pacer.release(lane, member_of(job.id, part))


@dataclass(frozen=True, slots=True)
class Starting:
    """One job's start, part by part."""

    job: Job
    document: Document
    request: ReadRequest
    choice: Choice
    ever: EverOfJob
    """The OCR jobs that the job has had so far."""
    tools: Tools

    async def run(self) -> Outcome:
        """Start every part that isn't yet, or read the one page at once."""
        begun = self.ever.in_force
        rows = {row.part: row for row in begun if self._counts(row)}
        if not begun and not self._prefers_a_job and (permit := await self._permit_at_once()):
            return await self._read_at_once(permit)
        if self.job.textract_generation:
            async with one_statement(self.tools.sessions) as session:
                await documents.forget_failed_pages(session, self.job.id)
        to_start = [part for part in parts_of(self.job, self.document) if part.number not in rows]
        try:
            while to_start:
                rows[to_start[0].number] = await self._start(to_start)
                del to_start[0]
        except PartMissing:
            return Outcome(to=Stage.QUEUED, details={"message": "The document's parts are gone; it is split again."})
        except READ_AT_ONCE_INSTEAD as error:
            if await self._may_be_running() or not (permit := await self._permit_at_once()):
                raise
            return await self._read_at_once(permit, error)
        return await self._outcome([rows[number] for number in sorted(rows)])

    def _counts(self, row: TextractJob) -> bool:
        """Whether a part needs no other OCR job. What of a generation before this one wasn't read whole is read anew."""
        if row.status is TextractJobStatus.STARTING:
            return False
        whole = row.status in {TextractJobStatus.IN_PROGRESS, TextractJobStatus.SUCCEEDED}
        return whole or row.generation == self.job.textract_generation

    async def _may_be_running(self) -> bool:
        """Whether there is an OCR job that the engine may be at work on: its answer may be all that was lost."""
        async with one_statement(self.tools.sessions) as session:
            rows = (await textract_jobs.ever_of_job(session, self.job.id)).in_force
        return any(row.status in OPEN_STATUSES for row in rows)

    async def _outcome(self, rows: list[TextractJob]) -> Outcome:
        first_poll = await self.tools.estimates.first_poll(self._lane, max(row.page_count or 1 for row in rows))
        ever = {row.id: row for row in (*self.ever.rows, *rows)}
        changes = reading_changes(rows, ever.values())
        now = datetime.now(UTC)
        changes |= {"fallback_reason": self.choice.fallback_reason, "textract_start_time": now}
        changes |= {"textract_deadline": now + patience(self.job, self.tools.settings)}
        details = {"textract_job_id": rows[0].textract_job_id, "engine": rows[0].engine}
        if self.choice.fallback_reason:
            details["fallback_reason"] = self.choice.fallback_reason
        return Outcome(changes=changes, details=details, due_in=timedelta(seconds=first_poll))

    async def _start(self, parts: Sequence[Part]) -> TextractJob:
        """Start the first of some parts. Raises `WaitsForTurn` where the pace or the slots don't allow it now."""
        part, member = parts[0], member_of(self.job.id, parts[0].number)
        await self._check_object(part)
        permit = await self.tools.ocr.pacer.start(self._lane, member)
        if permit.refusal is not None:
            raise WaitsForTurn(_reason(permit.refusal), retry_in_seconds=0)
        # The token is written down before the call that it is for.
        row = await begin_within_cap(self.job, [self._beginning(each) for each in parts], self.tools)
        if row.status is not TextractJobStatus.STARTING:
            return row
        await sleep_aside(permit.wait_seconds)
        try:
            textract_job_id = await self.tools.ocr.start(
                self.choice, part.source, self.request, token=row.token, tag=str(self.document.id)
            )
        except QuireError as error:
            # Whether it was started may not be known: then the row and the slot stay until that is.
            if not isinstance(error, OcrUnavailable) or not error.may_have_arrived:
                async with one_statement(self.tools.sessions) as session:
                    await textract_jobs.refused(session, row, error.detail)
            raise
        async with one_statement(self.tools.sessions) as session:
            await textract_jobs.started(session, row, textract_job_id)
        row.textract_job_id, row.status = textract_job_id, TextractJobStatus.IN_PROGRESS
        return row

    async def _check_object(self, part: Part) -> None:
        """Textract would say no more of a missing object than that it can't be read. Raises `PartMissing` for a part.

        What was validated a moment ago was there then, and isn't asked for again.
        """
        bucket = self.tools.bucket
        if self.job.started_at is not None and datetime.now(UTC) - self.job.started_at < JUST_SEEN:
            return
        if part.source.bucket == bucket.name and await bucket.head(part.source.key) is None:
            if self.job.parts:
                raise PartMissing
            raise DocumentCorrupt("The document's bytes are gone from the bucket; submit it again.")

    def _beginning(self, part: Part) -> Beginning:
        engine = self.choice.engine
        return Beginning(
            part=part.number,
            first_page=part.first_page,
            page_count=part.page_count,
            engine=engine.name,
            operation=self.request.operation,
            token=textract_token(self.job, self.document, part.source, engine),
            price_microdollars=self.tools.ocr.prices.price_per_page(engine.name, self.request),
        )

    @property
    def _lane(self) -> Lane:
        return Lane(self.choice.engine.name, self.request.operation)

    @property
    def _prefers_a_job(self) -> bool:
        return self.document.media_type is not MediaType.PDF or self.tools.settings.textract_use_async_for_pdf

    async def _permit_at_once(self) -> Permit | None:
        """A permit for the synchronous call; None where the document isn't one for it, or it has no room now."""
        if self.job.pages_total != 1 or self.job.parts or self.document.size_bytes > SYNCHRONOUS_BYTES:
            return None
        permit = await self.tools.ocr.pacer.read(self._lane)
        return permit if permit.refusal is None else None

    async def _read_at_once(self, permit: Permit, error: QuireError | None = None) -> Outcome:
        paid = sum(row.cost_microdollars for row in self.ever.rows)
        told = (self.job, self.document, self.request, self.choice, self.tools, permit)
        return await ReadingAtOnce(*told, paid_microdollars=paid, instead_of=error).run()


def _reason(refusal: Refusal) -> str:
    if refusal is Refusal.SLOTS_FULL:
        return OcrSlotsFull.message
    return WaitsForTurn.message

"""Relationships of a filing on pleading paper: whole sentences as evidence, without the numbers in the margin."""

import re

from app.db import table_of
from app.knowledge.models import Entity, Relationship
from app.pipeline.runner import Pipeline
from app.queue import QueueName
from tests.bench import WORKER, Bench
from tests.pipeline.texts import read_job

LINES = (
    "UNITED STATES DISTRICT COURT",
    "NORTHERN DISTRICT OF CALIFORNIA",
    "Case No. 3:19-cv-02345",
    "Charles R. Goodwin,",
    "Plaintiff,",
    "v.",
    "Acme Widgets, Inc.,",
    "Defendant.",
    "ORDER",
    "The court has read what both sides have written and has heard their",
    "witnesses. It finds that the widgets which Acme Widgets, Inc. had agreed",
    "in writing to deliver within a month were never brought to the house of",
    "Charles R. Goodwin, who had paid for all of them on the day that he had",
    "ordered them. What the carrier says about the weather of that week is no",
    "excuse, for the roads were open again after a day, and other goods came",
    "through on time. It is therefore to be seen what the loss amounts to. A",
    "buyer who has to look for goods elsewhere may ask for what these cost",
    "him beyond the price that was agreed. He has to show that he looked for",
    "them in good time and did not pay more than others did. The receipts",
    "that were handed in show as much. The motion to dismiss is denied, and",
    "the parties are to tell the court within two weeks whether they would",
    "rather settle what remains between them.",
)
PLEADING_PAPER = "\n".join(f"{number} {line}" for number, line in enumerate(LINES, start=1))


async def test_a_filing_on_pleading_paper(bench: Bench) -> None:
    """Names on different lines of a sentence are related, and the sentence is told as it reads."""
    job = await read_job(bench, [PLEADING_PAPER])
    await Pipeline(bench.tools, bench.queue, WORKER, list(QueueName)).advance(job.id, job.stage)
    relationships, entities = table_of(Relationship), table_of(Entity)
    async with bench.tools.sessions() as session:
        names = {row.id: row.name for row in await session.execute(entities.select())}
        rows = (await session.execute(relationships.select().where(relationships.c.job_id == job.id))).all()
    edges = {(row.type, row.role, names[row.source_id], names[row.target_id]): row.evidence for row in rows}
    parties = {(role, name) for kind, role, name, _ in edges if kind == "party_to"}
    assert parties == {("plaintiff", "Charles R. Goodwin"), ("defendant", "Acme Widgets, Inc.")}
    told = [said["sentence"] for evidence in edges.values() for said in evidence]
    assert any(said.startswith("It finds that") and said.endswith("had ordered them.") for said in told)
    for said in told:
        assert said
        assert not re.search(r"(?:^| )\d{1,2}(?: |$)", said), said


async def test_evidence_is_told_on_the_page_that_it_begins_on(bench: Bench) -> None:
    """A paragraph goes on over the end of a page: what it says behind that is on the next page, as are its boxes."""
    first = "\n".join(
        ("Case No. 3:19-cv-02345", *LINES[9:-1], "rather settle what remains between them, as others have")
    )
    second = "done who were in their place before. See Bell Atl. Corp. v. Twombly, 550 U.S. 544, 570 (2007).\nIt is so ordered."
    job = await read_job(bench, [first, second])
    await Pipeline(bench.tools, bench.queue, WORKER, list(QueueName)).advance(job.id, job.stage)
    relationships = table_of(Relationship)
    async with bench.tools.sessions() as session:
        rows = (await session.execute(relationships.select().where(relationships.c.job_id == job.id))).all()
    (cited,) = [row for row in rows if row.type == "cites"]
    assert [(said["page"], {box["page"] for box in said["boxes"]}) for said in cited.evidence] == [(2, {2})]
    said = [said for row in rows for said in row.evidence]
    assert all(each["page"] == each["boxes"][0]["page"] for each in said)

"""(K4) Entities: precision and recall by type, on passages written for it and on public court filings labelled by hand.

The filings are read twice: each labelled stretch as one passage, from the corpus's own text of it; and as the pipeline reads
them, from the pages of the document in its own passages. A mention counts as right where its type and its text are those of a label, spaces, articles and titles aside; as touching
where it has a label's type and a part of its range.
"""

import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.entities.local_extractor import LocalExtractor
from app.entities.mentions import EntityExtractor, EntityType, Mention, Passage
from benchmarks.entity_filings import Filing, pipeline_filings
from benchmarks.entity_labels import Label, Labelled, our_passages, public_filings

TELL_MISSES = "ENTITY_MISSES"
"""Set to see what is missed and what is found in error, one by one."""

_ASIDE = re.compile(r"^(?:(?:the|an?|mr|mrs|ms|dr|hon|judge|chief|no)\b\.?\s*)+|[\s,.;:]+$", re.IGNORECASE)


@dataclass(slots=True)
class Counts:
    """How many labels of a type there are, how many mentions, and how many of them are right."""

    labels: int = 0
    mentions: int = 0
    right: int = 0
    touching: int = 0

    def line(self, name: str) -> str:
        """One line of the table."""
        return (
            f"    {name:14} {self.labels:4} labels {self.mentions:4} mentions   "
            f"precision {_share(self.right, self.mentions)}   recall {_share(self.right, self.labels)}   "
            f"touching {_share(self.touching, self.labels)}"
        )


async def run() -> None:
    """Print all tables."""
    print("\n(K4) entities: precision and recall by type")
    extractor = LocalExtractor()
    try:
        await _tell("passages written for it", our_passages(), extractor)
        corpus = os.environ.get("QUIRE_CORPUS")
        if corpus is None:
            print("  public court filings: skipped, for they need QUIRE_CORPUS")
            return
        await _tell("public court filings, a stretch as one passage", public_filings(Path(corpus)), extractor)
        await _tell_pipeline(list(pipeline_filings(Path(corpus))), extractor)
    finally:
        await extractor.aclose()


async def _tell(title: str, texts: Sequence[Labelled], extractor: EntityExtractor) -> None:
    await extractor.extract([Passage("Warm up.", 0, 1)])
    began = time.perf_counter()
    found = [(await extractor.extract([Passage(text.text, 0, 1)]))[0] for text in texts]
    seconds = time.perf_counter() - began
    characters = sum(len(text.text) for text in texts)
    print(f"  {title}: {len(texts)} texts, {characters:,} characters, {characters / seconds:,.0f} a second")
    _tell_counts(texts, found)


async def _tell_pipeline(filings: Sequence[Filing], extractor: EntityExtractor) -> None:
    """The stretches of the filings, found in the whole documents as the pipeline reads them."""
    found = [
        filing.of_stretch([mention for those in await extractor.extract(filing.passages) for mention in those])
        for filing in filings
    ]
    print(
        f"  public court filings as the pipeline reads them: {len(filings)} documents; "
        f"{sum(each.not_read for each in filings)} of the labels are in headers and footers, which are kept apart, and "
        f"{sum(each.not_there for each in filings)} more are read otherwise than they are written"
    )
    _tell_counts([filing.labelled for filing in filings], found)


def _tell_counts(texts: Sequence[Labelled], found: Sequence[Sequence[Mention]]) -> None:
    for kind, counts in counted(zip(texts, found, strict=True)).items():
        print(counts.line(kind))
    for source, share in _by_source(texts, found).items():
        print(f"    of those by {source:10} {share}")


def counted(read: Iterable[tuple[Labelled, Sequence[Mention]]]) -> dict[str, Counts]:
    """The counts of each type, and of all together, the last."""
    counts = {str(kind): Counts() for kind in (*EntityType, "all")}
    for text, mentions in read:
        right = {_key(text, mention) for mention in mentions} & {_key(text, label) for label in text.labels}
        for label in text.labels:
            touched = any(_touches(mention, label) for mention in mentions)
            for count in (counts[label.type], counts["all"]):
                count.labels += 1
                count.right += _key(text, label) in right
                count.touching += touched
        for mention in mentions:
            counts[mention.type].mentions += 1
            counts["all"].mentions += 1
        if TELL_MISSES in os.environ:
            _tell_misses(text, mentions, right)
    return counts


def _by_source(texts: Sequence[Labelled], found: Sequence[Sequence[Mention]]) -> dict[str, str]:
    """How often each source is right."""
    told: dict[str, list[bool]] = {}
    for text, mentions in zip(texts, found, strict=True):
        labels = {_key(text, label) for label in text.labels}
        for mention in mentions:
            told.setdefault(mention.source, []).append(_key(text, mention) in labels)
    return {source: f"{sum(right):4} of {len(right):4} are right" for source, right in sorted(told.items())}


def _touches(mention: Mention, label: Label) -> bool:
    return mention.type is label.type and mention.start < label.end and label.start < mention.end


def _tell_misses(text: Labelled, mentions: Sequence[Mention], right: set[tuple[EntityType, int, str]]) -> None:
    for label in text.labels:
        if _key(text, label) not in right:
            print(f"      {text.name}: missed {label.type} {text.text[label.start : label.end]!r}")
    for mention in mentions:
        if _key(text, mention) not in right:
            print(f"      {text.name}: wrong  {mention.type} {mention.text!r} ({mention.source})")


def _key(text: Labelled, each: Label | Mention) -> tuple[EntityType, int, str]:
    """What has to be the same: the type, the text without what may be left off, and about where it ends."""
    words = " ".join(text.text[each.start : each.end].split())
    bare = _ASIDE.sub("", _ASIDE.sub("", words)).rstrip(".")
    end = each.start + len(text.text[each.start : each.end].rstrip(" .,;\n"))
    return each.type, end, bare.lower()


def _share(part: int, whole: int) -> str:
    return f"{part / whole:6.1%}" if whole else "   –  "

"""All that is found without asking anyone: from passages to mentions, in one plain call."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import chain

from app.entities.case_names import without_cases
from app.entities.citations import CitationFinder
from app.entities.echoes import with_echoes
from app.entities.filings import FilingFinder
from app.entities.finding import Finder, as_mention, settled
from app.entities.mentions import Mention, Passage
from app.entities.neighbours import neighbourhoods
from app.entities.patterns import PatternFinder
from app.entities.readable import readable
from app.entities.spacy_extractor import SOURCE, SpacyFinder


@cache
def _finders(names: bool) -> tuple[Finder, ...]:
    """By form; with `names`, those of people, organisations and places too."""
    by_form: tuple[Finder, ...] = (CitationFinder(), PatternFinder())
    return (*by_form, FilingFinder(), SpacyFinder()) if names else by_form


def read(passages: Sequence[Passage], *, names: bool = True) -> list[list[Mention]]:
    """The mentions of each passage. Passages of one call are read together: a name in full explains its short forms."""
    near = list(neighbourhoods(passages))
    texts = [readable(passage.text) for passage, _ in near]
    by_finder = [finder.find(texts) for finder in _finders(names)]
    settled_each = [settled(chain(*those)) for those in zip(*by_finder, strict=True)]
    found = with_echoes(texts, without_cases(texts, settled_each, SOURCE))
    mentions: list[list[Mention]] = [[] for _ in passages]
    for those, text, (passage, numbers) in zip(found, texts, near, strict=True):
        starts = [passages[number].start for number in numbers]
        for each in those:
            mention = as_mention(each, text, passage)
            if mention is not None:
                mentions[numbers[bisect_right(starts, mention.start) - 1]].append(mention)
    return mentions

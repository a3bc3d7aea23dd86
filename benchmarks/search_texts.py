"""What chunks and queries are made of: real words in made-up order, or passages of real texts put together anew."""

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pydoc_data.topics import topics as python_reference
from typing import Protocol

from app.embeddings.wordllama_embedder import load

WORDS_EACH = 180
TOPICS = 300
TOPIC_WORDS = 60
OWN_WORDS = 12
SENTENCES_AT_ONCE = 3
LEAST_WORDS = 6

_NOT_SEARCHED = (
    "that these those were been being have having does doing because until while with about against between into through "
    "during before after above below from down over under again further then once here there when where both each more most "
    "other some such only same than very will just should your yours this them they their what which whom himself herself "
    "itself ours hers theirs yourself themselves"
)
NOT_SEARCHED = frozenset(_NOT_SEARCHED.split())
"""Long words that Postgres's English configuration leaves out: a search for one of them alone finds nothing."""


class Texts(Protocol):
    """Where the texts of chunks come from, and the queries that are asked of them."""

    rng: random.Random
    everywhere: str
    """The most frequent word that can be searched for."""

    def text(self, topic: int) -> str:
        """A chunk about one of `TOPICS` topics."""
        ...

    def query(self, *, common: bool = False) -> str:
        """What somebody might look for: two or three words, or one of them beside one that is everywhere."""
        ...


@dataclass(slots=True)
class Vocabulary:
    """Words by how often they are used, and the words of each topic."""

    rng: random.Random
    words: list[str]
    weights: list[float] = field(init=False)
    topics: list[list[str]] = field(init=False)
    common: list[str] = field(init=False)
    everywhere: str = field(init=False)

    def __post_init__(self) -> None:
        # Source of the shape: Zipf's law, as real texts follow it.
        self.weights = [1 / (rank + 3) for rank in range(len(self.words))]
        self.topics = [self.rng.sample(self.words[200:], TOPIC_WORDS) for _ in range(TOPICS)]
        self.common = [word for word in self.words if word not in NOT_SEARCHED][:20]
        self.everywhere = self.common[0]

    def text(self, topic: int) -> str:
        """A chunk about a topic. A word that is in it is likely to be in it again, as in real texts."""
        own = self.rng.sample(self.topics[topic], OWN_WORDS) + self.rng.sample(self.words, OWN_WORDS)
        special = self.rng.choices(own, [1 / (rank + 1) for rank in range(len(own))], k=WORDS_EACH // 2)
        words = self.rng.choices(self.words, self.weights, k=WORDS_EACH // 2) + special
        self.rng.shuffle(words)
        return " ".join(words)

    def query(self, *, common: bool = False) -> str:
        """Words of a topic."""
        topic = self.rng.choice(self.topics)
        if common:
            return f"{self.rng.choice(self.common)} {self.rng.choice(topic)}"
        return " ".join(self.rng.sample(topic, self.rng.choice((2, 2, 3))))


def vocabulary(seed: int = 4) -> Vocabulary:
    """The whole words among the model's tokens, whose numbers follow how often they are used."""
    tokens = load().tokenizer.get_vocab()
    words = [(number, token[1:]) for token, number in tokens.items() if token.startswith("▁")]
    known = [
        word for _, word in sorted(words) if len(word) > 3 and word.isascii() and word.isalpha() and word.islower()
    ]
    return Vocabulary(random.Random(seed), known)


@dataclass(slots=True)
class Passages:
    """Sentences of real texts, in their order: a chunk is runs of them from places of one stretch of a text."""

    rng: random.Random
    sentences: list[str]
    common: list[str] = field(init=False)
    everywhere: str = field(init=False)

    def __post_init__(self) -> None:
        words = Counter(word for sentence in self.sentences for word in set(_long_words(sentence)) - NOT_SEARCHED)
        self.common = [word for word, _ in words.most_common(20)]
        self.everywhere = self.common[0]

    def text(self, topic: int) -> str:
        """Runs of sentences, until they are as long as chunks are; most from around one place, some from anywhere."""
        count, chosen, words = len(self.sentences), [], 0
        while words < WORDS_EACH:
            around = topic * count // TOPICS + self.rng.randrange(count // TOPICS * 4)
            first = around if self.rng.random() < 0.7 else self.rng.randrange(count)
            for number in range(first, first + SENTENCES_AT_ONCE):
                chosen.append(self.sentences[number % count])
                words += chosen[-1].count(" ") + 1
        return " ".join(chosen)

    def query(self, *, common: bool = False) -> str:
        """Words of one sentence, as somebody remembers it."""
        words: list[str] = []
        while len(words) < 3:
            words = [word for word in _long_words(self.rng.choice(self.sentences)) if word not in self.common]
        if common:
            return f"{self.rng.choice(self.common)} {self.rng.choice(words)}"
        return " ".join(self.rng.sample(words, self.rng.choice((2, 2, 3))))


def passages(corpus: Path, seed: int = 4) -> Passages:
    """Sentences of the documents' texts in a corpus, and of Python's own reference, for there are too few of the former."""
    files = sorted((corpus / "documents" / "gt").rglob("*.txt"))
    texts = [file.read_text(errors="replace") for file in files] + list(python_reference.values())
    sentences = dict.fromkeys(sentence for text in texts for sentence in _sentences(text))
    return Passages(random.Random(seed), list(sentences))


def _sentences(text: str) -> Sequence[str]:
    parts = (" ".join(part.split()) for part in re.split(r"(?<=[.;:?!])\s+|\n\s*\n", text.replace("\x00", "")))
    return [part for part in parts if len(_long_words(part)) >= LEAST_WORDS]


def _long_words(text: str) -> list[str]:
    return re.findall(r"[a-z]{4,}", text)

"""SpaCy's entity recogniser for names alone, at a third of what its pipeline takes: words that come again are known already.

Nothing that it finds differs from what `Language.pipe` finds; the tests hold both against each other.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from app.entities.name_network import Decoder, Encoder, Floats

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

MOST_WORDS = 16_000
"""So many words are known at once, with 400 bytes each; then it begins anew."""

WORDS_AT_ONCE = 1_000
"""Texts are read together up to so many words: more wouldn't stay in a processor's cache."""

_CHUNK = re.compile(r"\S+|\s+")


@dataclass(frozen=True, slots=True)
class Name:
    """What the model takes for a name, by its characters in the text."""

    label: str
    start: int
    end: int


@dataclass(slots=True)
class KnownChunks:
    """Has a tokenizer keep what it makes of each stretch between blanks.

    By itself it keeps none behind the first abbreviation of a text.
    """

    tokenizer: Any
    """SpaCy's."""
    _seen: set[str] = field(default_factory=set)

    def doc(self, text: str) -> "Doc":
        """The words of a text."""
        if len(self._seen) < self.tokenizer.max_cache_size:
            fresh = set(_CHUNK.findall(text)) - self._seen
            for chunk in fresh:
                self.tokenizer(chunk)
            self._seen |= fresh
        doc: Doc = self.tokenizer(text)
        return doc


@dataclass(slots=True)
class WordVectors:
    """The vectors of words by themselves, which depend on how they are written alone."""

    embed: Any
    """The layers from a word's attributes to its vector."""
    columns: list[int | str]
    """Those attributes."""
    table: Floats
    _rows: dict[tuple[int, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, embed: Any) -> Self:
        """Of the chain that takes documents."""
        extract, _, hashed, mixed, _ = embed.layers
        width = mixed.get_dim("nO")
        return cls((hashed, mixed), extract.attrs["columns"], np.empty((MOST_WORDS, width), dtype=np.float32))

    def of_doc(self, doc: "Doc") -> Floats:
        """The vectors of a text's words."""
        spelled, meant = doc.to_array(["ORTH", "NORM"]).T.tolist()
        words = list(zip(spelled, meant, strict=True))
        fresh = {word: place for place, word in enumerate(words) if word not in self._rows}
        if len(self._rows) + len(fresh) > MOST_WORDS:
            self._rows.clear()
            fresh = {word: place for place, word in enumerate(words)}
        if len(fresh) > MOST_WORDS:
            return self._embedded(doc, list(range(len(words))))
        if fresh:
            first = len(self._rows)
            self.table[first : first + len(fresh)] = self._embedded(doc, list(fresh.values()))
            self._rows.update(zip(fresh, range(first, first + len(fresh)), strict=True))
        return self.table[[self._rows[word] for word in words]]

    def _embedded(self, doc: "Doc", places: list[int]) -> Floats:
        vectors: Any = doc.to_array(self.columns)[places].astype(np.uint64)
        for layer in self.embed:
            vectors = layer.predict(vectors)
        found: Floats = vectors
        return found


@dataclass(frozen=True, slots=True)
class Recognizer:
    """Finds names in texts."""

    chunks: KnownChunks
    words: WordVectors
    encoder: Encoder
    decoder: Decoder

    @classmethod
    def of(cls, language: "Language") -> Self:
        """Of a pipeline's `ner`, with vectors of its own. Raises `ValueError` where it is of another make."""
        ner: Any = language.get_pipe("ner")
        tok2vec, lower, upper = (ner.model.get_ref(name) for name in ("tok2vec", "lower", "upper"))
        inner, _, reduce = tok2vec.layers
        embed, encode = inner.layers
        names = [ner.moves.get_class_name(number) for number in range(ner.moves.n_moves)]
        return cls(
            KnownChunks(language.tokenizer),
            WordVectors.of(embed),
            Encoder.of(encode),
            Decoder.of(reduce, lower, upper, names),
        )

    def names(self, texts: Sequence[str]) -> list[list[Name]]:
        """What each text names, in its order."""
        docs = [self.chunks.doc(text) for text in texts]
        found: list[list[Name]] = [[] for _ in texts]
        for numbers in _together(docs):
            for number, name in self._read([docs[number] for number in numbers]):
                found[numbers[number]].append(name)
        return found

    def _read(self, docs: Sequence["Doc"]) -> Iterator[tuple[int, Name]]:
        """The names in some texts, each with the number of its text."""
        vectors = self.encoder.encoded([self.words.of_doc(doc) for doc in docs])
        place, length, blank = np.concatenate([doc.to_array(["IDX", "LENGTH", "IS_SPACE"]) for doc in docs]).T
        behind = np.cumsum([len(doc) for doc in docs])
        ends = np.zeros(len(vectors), dtype=np.bool_)
        ends[behind - 1] = True
        for first, last, label in self.decoder.names(vectors, ends, blank.astype(np.bool_)):
            name = Name(label, int(place[first]), int(place[last - 1] + length[last - 1]))
            yield int(np.searchsorted(behind, first, side="right")), name


def _together(docs: Sequence["Doc"]) -> Iterator[list[int]]:
    """The numbers of texts that are read together, of those with any words."""
    numbers: list[int] = []
    words = 0
    for number, doc in enumerate(docs):
        if numbers and words + len(doc) > WORDS_AT_ONCE:
            yield numbers
            numbers, words = [], 0
        if len(doc):
            numbers.append(number)
            words += len(doc)
    if numbers:
        yield numbers

"""The arithmetic of spaCy's entity recogniser, done for many words at once.

The weights and what is computed of them are spaCy's (a `TransitionBasedParser` of state `ner` over a `MaxoutWindowEncoder`),
and so is the result. Left out is what only training and other models need; and a word outside of any name is scored with all
others, since what is known of it there doesn't depend on what was decided before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

EPSILON = np.float32(1e-8)
"""What the variance of a vector is raised by, so that it is never divided by nothing."""

IMPOSSIBLE = np.float32(-np.inf)
FEATURES = 3
"""A state is told by the next word, and within a name by its first word and the one before, too."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A maxout layer over each vector with its neighbours, its output scaled and added to its input."""

    weights: Floats
    """Inputs by outputs, the outputs of one piece after those of the other."""
    bias: Floats
    gain: Floats
    shift: Floats

    @classmethod
    def of(cls, residual: Any) -> Self:
        """The layer that a residual layer of thinc's has in it. Raises `ValueError` where it is of another kind."""
        found = {layer.name: layer for layer in residual.walk()}
        if not {"expand_window", "maxout", "layernorm"} <= found.keys():
            raise ValueError(f"The encoder's layer is no maxout layer over a window: {residual.name}.")
        maxout, norm = found["maxout"], found["layernorm"]
        weights, bias = maxout.get_param("W"), maxout.get_param("b")
        return cls(
            weights=np.ascontiguousarray(weights.transpose(2, 1, 0).reshape(weights.shape[2], -1)),
            bias=np.ascontiguousarray(bias.T.reshape(-1)),
            gain=norm.get_param("G"),
            shift=norm.get_param("b"),
        )

    def add_to(self, padded: Floats) -> None:
        """Add what the layer makes of some vectors to them; the first and the last are but neighbours of others."""
        width = padded.shape[1]
        windows = np.concatenate((padded[:-2], padded[1:-1], padded[2:]), axis=1)
        pieces = windows @ self.weights
        pieces += self.bias
        best = pieces[:, :width]
        for first in range(width, pieces.shape[1], width):
            best = np.maximum(best, pieces[:, first : first + width])
        best = best - best.mean(axis=1, keepdims=True)
        variance = np.square(best).mean(axis=1, keepdims=True) + EPSILON
        best *= variance ** np.float32(-0.5)
        best *= self.gain
        best += self.shift
        padded[1:-1] += best


@dataclass(frozen=True, slots=True)
class Encoder:
    """From the vectors of words by themselves to those of words where they stand."""

    layers: tuple[Layer, ...]

    @classmethod
    def of(cls, encode: Any) -> Self:
        """The layers of a `MaxoutWindowEncoder`."""
        return cls(tuple(Layer.of(residual) for residual in encode.layers[0].layers))

    def encoded(self, texts: Sequence[Floats]) -> Floats:
        """The vectors of some texts' words, one text after the other; none tells of another text."""
        apart, width = len(self.layers), texts[0].shape[1]
        places = np.cumsum([apart + 1, *(len(text) + apart for text in texts)])
        padded = np.zeros((places[-1] + 1, width), dtype=np.float32)
        for place, text in zip(places, texts, strict=False):
            padded[place : place + len(text)] = text
        for layer in self.layers:
            layer.add_to(padded)
        return np.concatenate([padded[place : place + len(text)] for place, text in zip(places, texts, strict=False)])


@dataclass(frozen=True, slots=True)
class Moves:
    """What may be done at a word, as the numbers of the scores for it; each list has a place for each label."""

    labels: tuple[str, ...]
    begin: tuple[int, ...]
    inside: tuple[int, ...]
    last: tuple[int, ...]
    alone: tuple[int, ...]
    outside: int

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """The moves by their names: `B-ORG`, `I-ORG`, `L-ORG`, `U-ORG`, `O`."""
        labels = tuple(name.removeprefix("B-") for name in names if name.startswith("B-"))
        begin, inside, last, alone = (
            tuple(names.index(f"{action}-{label}") for label in labels) for action in ("B", "I", "L", "U")
        )
        return cls(labels, begin, inside, last, alone, names.index("O"))


@dataclass(frozen=True, slots=True)
class Decoder:
    """From the vectors of words to names."""

    moves: Moves
    reduce: Floats
    reduce_bias: Floats
    states: Floats
    """From a word's reduced vector to what it adds to a state in each of its roles; each role's pieces one after the other."""
    nobody: Floats
    """What a role adds that no word has; for each role."""
    bias: Floats
    scores: Floats
    scores_bias: Floats

    @classmethod
    def of(cls, reduce: Any, lower: Any, upper: Any, names: Sequence[str]) -> Self:
        """Of the layers of a parser's model. Raises `ValueError` where its states are told by something else."""
        states, nobody, bias = lower.get_param("W"), lower.get_param("pad"), lower.get_param("b")
        roles, width, pieces, reduced = states.shape
        if roles != FEATURES or pieces != 2:  # noqa: PLR2004 (a higher and a lower one)
            raise ValueError(f"The states have {roles} roles of {pieces} pieces.")
        return cls(
            moves=Moves.of(names),
            reduce=np.ascontiguousarray(reduce.get_param("W").T),
            reduce_bias=reduce.get_param("b"),
            states=np.ascontiguousarray(states.transpose(3, 0, 2, 1).reshape(reduced, -1)),
            nobody=np.ascontiguousarray(nobody[0].transpose(0, 2, 1).reshape(roles, pieces * width)),
            bias=np.ascontiguousarray(bias.T.reshape(-1)),
            scores=np.ascontiguousarray(upper.get_param("W").T),
            scores_bias=upper.get_param("b"),
        )

    def names(self, vectors: Floats, ends: Flags, blank: Flags) -> Iterator[tuple[int, int, str]]:
        """The names among some words: from which to before which, and the label.

        `ends` says which words are the last of a text, and `blank` which are nothing but blanks and begin no name.
        """
        reduced: Floats = vectors @ self.reduce
        reduced += self.reduce_bias
        states: Floats = reduced @ self.states
        adds = states.reshape(len(vectors), FEATURES, -1)
        first = self._outside(adds, ends, blank)
        behind = 0
        for place in np.flatnonzero(first != self.moves.outside).tolist():
            if place < behind:
                continue
            move = int(first[place])
            behind = place + 1
            if move in self.moves.begin:
                label = self.moves.begin.index(move)
                behind = self._end(adds, ends, place, label)
            else:
                label = self.moves.alone.index(move)
            yield place, behind, self.moves.labels[label]

    def _outside(self, adds: Floats, ends: Flags, blank: Flags) -> NDArray[np.intp]:
        """The best move at each word, were it outside of any name."""
        state = adds[:, 0] + self.nobody[1]
        state += self.nobody[2]
        state += self.bias
        width = state.shape[1] // 2
        scores = np.maximum(state[:, :width], state[:, width:]) @ self.scores
        scores += self.scores_bias
        begin, alone = np.array(self.moves.begin), np.array(self.moves.alone)
        possible = np.full(scores.shape[1], IMPOSSIBLE)
        possible[[*begin, *alone, self.moves.outside]] = 0
        scores += possible
        scores[np.ix_(ends | blank, begin)] = IMPOSSIBLE
        scores[np.ix_(blank, alone)] = IMPOSSIBLE
        best: NDArray[np.intp] = scores.argmax(axis=1)
        return best

    def _end(self, adds: Floats, ends: Flags, start: int, label: int) -> int:
        """Behind which word a name ends that begins with one, and has another at least."""
        moves = [self.moves.inside[label], self.moves.last[label]]
        weights, bias = self.scores[:, moves], self.scores_bias[moves]
        width = weights.shape[0]
        place = start + 1
        while not ends[place]:
            state = adds[place, 0] + adds[start, 1]
            state += adds[place - 1, 2]
            state += self.bias
            inside, last = np.maximum(state[:width], state[width:]) @ weights + bias
            if last > inside:
                break
            place += 1
        return place + 1

"""Texts in requests that an endpoint takes: so many at most, of so many tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

BYTES_PER_TOKEN = 3
"""An estimate on the safe side: English has about 4.2 bytes a token, Chinese about 2.5 to 3 (in UTF-8, by the usual tokenizers)."""


@dataclass(slots=True)
class Batch:
    """The texts of one request."""

    texts: list[str] = field(default_factory=list)
    tokens: int = 0


def batches(texts: Sequence[str], *, items: int, tokens: int, text_tokens: int) -> Iterator[Batch]:
    """Texts in their order, as many to a batch as it may have; a text that is longer than it may be is cut off."""
    batch = Batch()
    for text in texts:
        sent = beginning(text, text_tokens)
        estimate = estimated_tokens(sent)
        if batch.texts and (len(batch.texts) == items or batch.tokens + estimate > tokens):
            yield batch
            batch = Batch()
        batch.texts.append(sent)
        batch.tokens += estimate
    if batch.texts:
        yield batch


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, rather too many than too few."""
    return len(text.encode(errors="replace")) // BYTES_PER_TOKEN + 1


def beginning(text: str, most_tokens: int) -> str:
    """As much of a text as has so many tokens; never nothing, which endpoints refuse."""
    # Lone surrogates are no text that JSON in UTF-8 could carry.
    sent = text.encode(errors="replace")[: most_tokens * BYTES_PER_TOKEN].decode(errors="ignore")
    return sent if sent.strip() else "."

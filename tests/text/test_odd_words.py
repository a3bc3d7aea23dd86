"""Words that nobody writes: a text layer may hold anything."""

import pytest

from app.text.chunking import ChunkLimits, chunk
from app.text.tokens import count_tokens
from tests.text.typesetting import line, page, read


@pytest.mark.parametrize(
    "sign", ["1", "A", ".", "-", "I.", "(a)", "_", "|", "•", "\N{COMBINING ACUTE ACCENT}", "\u0660"]
)
def test_a_word_of_thousands_of_signs_is_cut_into_chunks(sign: str) -> None:
    """Nothing fails of it, nothing is lost, and what stands beside it is read as ever."""
    word = sign * 20_000
    elements = read([page(1, [line("A title", 0.05), line(word, 0.2), line("The end is here.", 0.5)])])
    limits = ChunkLimits()
    chunks = list(chunk(elements, limits, count_tokens))
    said = "".join(each.text for each in chunks)
    assert said.count(sign) >= 20_000
    assert "The end is here." in said
    assert all(count_tokens(each.text) <= limits.max_tokens for each in chunks)

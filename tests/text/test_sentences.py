"""Where sentences end, as chunks are cut."""

import pytest

from app.text.sentences import sentence_ranges


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("He left. She stayed.", ["He left.", "She stayed."]),
        ("Is it so?! Yes... It is.", ["Is it so?!", "Yes...", "It is."]),
        ("“It is.”1 He said no more.", ["“It is.”1", "He said no more."]),
        ("Mr. Hale v. Marsh, Inc. was heard.", ["Mr. Hale v. Marsh, Inc. was heard."]),
        ("a line\n\n\nanother", ["a line", "another"]),
        ("Definitions ........ 4 and on", ["Definitions ........", "4 and on"]),
        ("", []),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_ranges(text)] == sentences


@pytest.mark.parametrize("mark", [".", "?!", "…", ". ", '."', "\n"])
def test_endless_marks_are_gone_through_once(mark: str) -> None:
    """Once for each of them would take minutes."""
    ranges = list(sentence_ranges("a" + mark * 100_000))
    assert ranges[0][0] == 0

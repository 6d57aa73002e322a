"""Likeness: equal but for what changes by itself, nearly equal, and different texts; and what is too short to say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.governor.likeness import ALIKE, BITS, alike, likeness_of

TEXT = "I run the failing test again to see whether the import of the settings module works with the new path."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at 2026-11-21T10:00:00.123Z", "at 2026-12-01T23:59:59Z"),
        ("at 2026-11-21", "at 2027-01-01"),
        ("at 10:04:11", "at 9:41"),
        ("for 3 files", "for 1,204.5 files"),
        ("session 01a1fffc-de12-7ef0-bc64-19ec4c76b7c1", "session bb3280fa-1111-4222-8333-444455556666"),
        ("commit 5f9d8c7", "commit 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"),
        ("at 0x7ffe12", "at 0xdeadbeef"),
        ("call toolu_01NzjV452AG", "call toolu_09abcdefgh2"),
        ("in /tmp/pytest-of-dev/pytest-12/x.log", "in /private/tmp/q8/y"),
        ("in /var/folders/zz/zyx/T/a", "in /tmp/b"),
        ("AND SHOUTS", "and shouts"),
    ],
)
def test_what_changes_by_itself_does_not_count(one: str, other: str) -> None:
    """Times, ids, numbers and temporary paths are different in every round of the same loop."""
    assert likeness_of(f"{TEXT} {one}") == likeness_of(f"{TEXT} {other}")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (TEXT.replace("again", "once more"), True),
        (TEXT.replace("see whether", "check if"), True),
        ("Okay. " + TEXT, True),
        (
            "The ledger keeps one entry per charge; a move is two entries, so the audit can rebuild every total from them.",
            False,
        ),
        (
            "Now the parser accepts an empty policy file, and three tests of its error messages had to say so as well.",
            False,
        ),
    ],
)
def test_reworded_texts_are_alike_and_others_are_not(other: str, same: bool) -> None:
    """A few changed words leave a text alike; another subject does not."""
    one, two = likeness_of(TEXT), likeness_of(other)
    assert one is not None
    assert two is not None
    assert alike(one, two) is same


@pytest.mark.parametrize("text", ["", "   ", "Now let me run the tests.", "1 2 3 4 5 6 7", "...", "\ud800"])
def test_too_short_to_be_compared(text: str) -> None:
    """Every agent says 'Now let me run the tests.'; that is no repetition."""
    assert likeness_of(text) is None


def test_a_text_of_little_words_is_compared_by_them() -> None:
    """Nothing but stop words still gives a fingerprint."""
    assert likeness_of("it is not that it was so and now it is not so") is not None


@given(st.text(max_size=6_000))
def test_any_text_has_a_small_fingerprint_or_none(text: str) -> None:
    """Whatever an agent says, the result fits a signed 64-bit integer and is like itself."""
    found = likeness_of(text)
    if found is not None:
        assert 0 <= found < 1 << BITS
        assert alike(found, found)
        assert not alike(found, found ^ ((1 << ALIKE + 1) - 1))

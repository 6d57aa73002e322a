"""One model, many spellings."""

import pytest

from tabstop.model_id import bare, same_model, with_variant, without_variant


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", True),
        ("claude-sonnet-4-5", "claude-sonnet-4-5@20250929", True),
        ("claude-sonnet-4-5[1m]", "Claude-Sonnet-4-5", True),
        ("claude-opus-5-5[fast]", "claude-opus-5-5", True),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5", True),
        ("gpt-5-2025-08-07", "gpt-5", True),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022", True),
        ("claude-opus-4-1", "claude-opus-4-15", False),
        ("gpt-5", "gpt-5-mini", False),
    ],
)
def test_dates_regions_and_variants_do_not_make_another_model(one: str, other: str, same: bool) -> None:
    """A client may date the model in one place and not in the next."""
    assert same_model(one, other) is same
    assert (bare(one) == bare(other)) is same


def test_a_variant_is_written_behind_the_id() -> None:
    """As Claude Code itself writes `[1m]`; a word with no meaning for prices is not written."""
    assert with_variant("claude-opus-5-5", "fast") == "claude-opus-5-5[fast]"
    assert with_variant("claude-opus-5-5[1m]", "fast") == "claude-opus-5-5[fast]"
    assert with_variant("claude-opus-5-5", "standard") == "claude-opus-5-5"
    assert without_variant("claude-opus-5-5[fast]") == without_variant("claude-opus-5-5") == "claude-opus-5-5"

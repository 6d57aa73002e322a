"""GitHub's example payloads are there, and each caller gets its own."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.github_payloads import octokit_events

Examples = Callable[[str], list[dict[str, Any]]]

pytestmark = pytest.mark.node


@pytest.mark.parametrize("event", ["pull_request", "check_run", "check_suite", "merge_group", "installation", "push"])
def test_the_events_we_handle_have_examples(event: str, example_payloads: Examples) -> None:
    """Every example is a payload of its event; changing one changes nobody else's."""
    examples = example_payloads(event)
    assert examples
    examples[0]["sender"] = None
    assert example_payloads(event)[0].get("sender") is not None


def test_there_are_as_many_as_published(example_payloads: Examples) -> None:
    """58 events, 329 payloads in 7.6.1: a half-installed package would show here."""
    assert (len(octokit_events()), sum(len(example_payloads(event)) for event in octokit_events())) == (58, 329)

"""What `policy check` says of values that count and may surprise: who answers in CI, where a summary is made, what is unlimited."""

import pytest

from tabstop.policy.document import PolicyKind
from tabstop.policy.effective import examine
from tests.policy.builders import organization

EVERYTHING = "{tokens: unlimited, tool_calls: unlimited, iterations: unlimited, wall_clock: unlimited, cost: unlimited}"
DEFAULTS = "`tokens: 10M`, `tool_calls: 500`, `iterations: 200`, `wall_clock: 2h`, `cost: $10`"
IN_CI = "In CI nobody can answer, so there it becomes summary."
ELSEWHERE = "Only the wrapper (`tabstop run`) and the proxy can make a last answer; with hooks alone the session halts there, and says so."


def said(text: str, org: str | None = None) -> list[str]:
    above = None if org is None else organization(org)
    found = examine(text, PolicyKind.REPOSITORY, organization=above, name="web")
    assert found.problems == ()
    return [f"{note.line} {note.sentence}" for note in found.notes if "usual is" not in note.sentence]


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("session: {on_limit: ask}", [f"1 `session.on_limit` is ask. {IN_CI} {ELSEWHERE}"]),
        ("session:\n  on_tokens: ask", [f"2 `session.on_tokens` is ask. {IN_CI} {ELSEWHERE}"]),
        ("session: {on_limit: summary}", [f"1 `session.on_limit` is summary. {ELSEWHERE}"]),
        ("session: {on_limit: suspend, on_tokens: halt}", []),
        ("throttle: {calls_per_minute: unlimited}", ["1 `throttle.calls_per_minute` is unlimited."]),
        ("throttle: {retry: off}\nbreaker: {repeats: off}\ndegrade: off", []),
        (
            "runaway: {likeness: {threshold: 9}}",
            [
                "1 `runaway.likeness.threshold` is 9, but only the last 8 answers are compared (`runaway.likeness.sample`): it is never reached."
            ],
        ),
        ("runaway: {likeness: {threshold: 9, sample: 9}}", []),
        ("session: {tokens: unlimited, cost: unlimited}", []),
    ],
)
def test_what_may_surprise(text: str, notes: list[str]) -> None:
    """An author reads where the words do not do what they say, and each `unlimited`."""
    assert said(text) == notes


def test_each_unlimited_limit_is_noted() -> None:
    """`unlimited` has to be written out, and whoever reads the check sees it."""
    found = examine(f"session: {EVERYTHING}", PolicyKind.REPOSITORY, name="web")
    unlimited = [note.key_path for note in found.notes if "is unlimited" in note.sentence]
    assert unlimited == [f"session.{name}" for name in ("tokens", "tool_calls", "iterations", "wall_clock", "cost")]


def test_without_any_limit_the_defaults_are_said() -> None:
    """No session starts without an exit condition, and its author reads which one it gets."""
    note = f"No limit of a session is left. A session that no budget bounds gets the defaults, and says so: {DEFAULTS}."
    assert said(f"session: {EVERYTHING}") == [f"1 {note}"]
    almost = EVERYTHING.replace("tool_calls: unlimited, ", "")
    assert said(f"session: {almost}") == []
    assert said(f"tab: $5\nsession: {almost}", "session: {tool_calls: unlimited}\nmay_loosen: [session]") == [
        f"2 {note}"
    ]
    assert said("tab: $5", f"session: {EVERYTHING}") == []

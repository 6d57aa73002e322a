"""Promise 12 as a table: who sees whose figures and whose name, on which surface."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.budget import Scope
from tabstop.explain import explain
from tabstop.verdict import Finding, Outcome, Signal, verdict_of
from tabstop.visibility import Reader, Surface, for_reader, verdict_for

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
SUBJECT = {"engineer": "alice", "downgrade": "alice", "organization": "", "tab": "claude/fix-login"}


def a_finding(scope: str) -> Finding:
    """A spent budget of this scope with every figure set, so that one that leaks is seen."""
    return Finding(
        Signal.BUDGET,
        Outcome.STOP,
        scope,
        subject=SUBJECT.get(scope, "acme/web"),
        unit="usd",
        cap=7_770_000_000,
        spent=8_880_000_000,
        held=1_110_000_000,
        asked=2_220_000_000,
        raised=3_330_000_000,
        cause="spent",
        window="November 2026",
        until=DECEMBER,
        remedy="Ask carol for a raise of this budget (an overdrive).",
        why="alice is on probation",
    )


PRIVATE = Reader(Surface.PULL_REQUEST)
PUBLIC = Reader(Surface.PULL_REQUEST, public=True)
LOG = Reader(Surface.JOB_LOG)
PUBLIC_LOG = Reader(Surface.JOB_LOG, public=True)
CHANNEL = Reader(Surface.CHANNEL)
PUBLIC_CHANNEL = Reader(Surface.CHANNEL, public=True)
NAMING_CHANNEL = Reader(Surface.CHANNEL, names=True)
ALICE = Reader(Surface.ENGINEER, login="Alice")
BOB = Reader(Surface.ENGINEER, login="bob")
NOBODY = Reader(Surface.ENGINEER)
APPROVER = Reader(Surface.APPROVER, public=True)

# scope: who sees its figures; everybody else sees the state only.
FIGURES = {
    "tab": {PRIVATE, PUBLIC, LOG, PUBLIC_LOG, CHANNEL, PUBLIC_CHANNEL, NAMING_CHANNEL, ALICE, BOB, NOBODY, APPROVER},
    "repository": {PRIVATE, LOG, CHANNEL, NAMING_CHANNEL, ALICE, BOB, NOBODY, APPROVER},
    "guest": {PRIVATE, LOG, CHANNEL, NAMING_CHANNEL, ALICE, BOB, NOBODY, APPROVER},
    "engineer": {ALICE, APPROVER},
    "downgrade": {ALICE, APPROVER},
    "organization": {APPROVER},
}
# Who learns whose budget it is.
NAMES = {PRIVATE, LOG, NAMING_CHANNEL, ALICE, APPROVER}
READERS = (PRIVATE, PUBLIC, LOG, PUBLIC_LOG, CHANNEL, PUBLIC_CHANNEL, NAMING_CHANNEL, ALICE, BOB, NOBODY, APPROVER)


def test_the_table_covers_every_scope_and_surface() -> None:
    """A new scope or surface needs a row here before it is shown anywhere."""
    assert set(FIGURES) == {str(scope) for scope in Scope}
    assert {reader.surface for reader in READERS} == set(Surface)


@pytest.mark.parametrize("reader", READERS, ids=str)
@pytest.mark.parametrize("scope", FIGURES)
def test_who_sees_figures(scope: str, reader: Reader) -> None:
    """Shared surfaces show the tab's own figures; other figures go to the engineer themselves and to approvers."""
    shown = for_reader(a_finding(scope), reader)
    figures = (shown.unit, shown.cap, shown.spent, shown.held, shown.asked, shown.raised, shown.why)
    if reader in FIGURES[scope]:
        whole = a_finding(scope)
        assert figures == (whole.unit, whole.cap, whole.spent, whole.held, whole.asked, whole.raised, whole.why)
    else:
        assert figures == ("", None, 0, 0, 0, 0, "")
        said = explain(shown, NOW)
        assert not any(secret in said for secret in ("7.77", "8.88", "1.11", "2.22", "3.33", "probation")), said
    assert (shown.outcome, shown.cause, shown.until) == (Outcome.STOP, "spent", DECEMBER)


@pytest.mark.parametrize("reader", READERS, ids=str)
@pytest.mark.parametrize("scope", ["engineer", "downgrade"])
def test_who_learns_whose_budget_it_is(scope: str, reader: Reader) -> None:
    """No name of a person in a channel unless the policy says so, none where the whole world reads."""
    said = explain(for_reader(a_finding(scope), reader), NOW)
    assert ("alice" in said) == (reader in NAMES), said


@pytest.mark.parametrize("scope", FIGURES)
def test_approvers_are_people_too(scope: str) -> None:
    """A remedy names who may grant a raise, and a channel without names says `an approver`."""
    assert "carol" in explain(for_reader(a_finding(scope), PRIVATE), NOW)
    said = explain(for_reader(a_finding(scope), CHANNEL), NOW)
    assert "carol" not in said
    assert "an approver" in said


def test_a_sentence_about_a_person_loses_the_name() -> None:
    """Findings with a sentence of their own name their subject in it; a channel reads `this engineer`."""
    access = Finding(
        Signal.ACCESS, Outcome.STOP, "token", sentence="alice is no member.", subject="alice", remedy="Ask alice."
    )
    shown = for_reader(access, CHANNEL)
    assert (shown.sentence, shown.subject, shown.remedy) == ("this engineer is no member.", "", "Ask this engineer.")
    assert for_reader(access, NAMING_CHANNEL) == access
    assert for_reader(replace(access, subject=""), CHANNEL).sentence == access.sentence


def test_a_remedy_that_names_nobody_stays() -> None:
    """Waiting for other sessions is advice for everybody; a tab without windows cannot be waited out."""
    held = replace(a_finding("tab"), cause="held", remedy="Other sessions hold what is left.")
    assert for_reader(held, CHANNEL).remedy == "Other sessions hold what is left."
    lifetime = replace(a_finding("tab"), until=None)
    assert for_reader(lifetime, CHANNEL).remedy == "Ask an approver for a raise of this budget (an overdrive)."


@given(
    scope=st.sampled_from(sorted(FIGURES)),
    outcome=st.sampled_from(Outcome),
    reader=st.builds(Reader, st.sampled_from(Surface), st.booleans(), st.booleans(), st.sampled_from(["", "alice"])),
)
def test_hiding_twice_hides_nothing_more(scope: str, outcome: Outcome, reader: Reader) -> None:
    """What was reduced for a job log may be reduced again for a channel; the verdict's outcome never changes."""
    verdict = verdict_of(replace(a_finding(scope), outcome=outcome))
    once = verdict_for(verdict, reader)
    assert verdict_for(once, reader) == once
    assert once.outcome is verdict.outcome

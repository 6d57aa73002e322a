"""What a channel reads: golden files of every Slack message, Block Kit's limits, and promise 12 in words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from slack_sdk.models.blocks import Block

from app.render.notices import Link, Notice, Occasion, crossed_notice, refused_notice, tripped_notice
from app.render.slack import HEADER_LIMIT, MOST_BLOCKS, SECTION_LIMIT, mrkdwn, slack_message
from app.slack_api.protocol import ChatMessage
from tabstop.breaker_memory import BreakerMetric, RememberedBreaker, Trip
from tabstop.breaker_words import at_start
from tabstop.budget import Scope, asking, standing
from tabstop.money import dollars
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.visibility import Reader, Surface
from tests.render.tabs import BRANCH, NOW, a_budget, amount
from tests.support.golden import expect

CHANNEL = Reader(Surface.CHANNEL)
NAMES = Reader(Surface.CHANNEL, names=True)
PUBLIC = Reader(Surface.CHANNEL, public=True)
ALICE = Reader(Surface.ENGINEER, login="alice")
LINKS = (
    Link("acme/web#7", "https://github.com/acme/web/pull/7"),
    Link("workflow run", "https://github.com/acme/web/actions/runs/99"),
)
SUBJECTS = {Scope.TAB: BRANCH, Scope.ENGINEER: "alice", Scope.DOWNGRADE: "alice", Scope.ORGANIZATION: ""}


def crossed(
    scope: Scope, cap: str, spent: str, step: int, reader: Reader = CHANNEL, why: str = "", unplaced: str = "0"
) -> Notice:
    """A budget that crossed a step."""
    budget = a_budget(scope, cap, amount(spent), why=why, unplaced=amount(unplaced))
    finding = standing(budget, (75, 90), SUBJECTS.get(scope, "acme/web"))
    where = "" if scope in {Scope.ENGINEER, Scope.ORGANIZATION} else "acme/web"
    return crossed_notice(
        finding, step, reader=reader, where=where, approvers=("carol", "team:platform"), at=NOW, links=LINKS[:1]
    )


def refused(*findings: Finding, reader: Reader = CHANNEL) -> Notice:
    """A start that was refused for these reasons."""
    return refused_notice(
        findings,
        reader=reader,
        agent="claude-code",
        where="acme/web",
        branch=BRANCH,
        asked_by="alice",
        at=NOW,
        links=LINKS,
    )


def stop(scope: Scope, cap: str, spent: str, held: str = "0") -> Finding:
    """The finding that refuses a hold of $2.00."""
    budget = a_budget(scope, cap, amount(spent), held=amount(held))
    found = asking(budget, amount("2"), SUBJECTS.get(scope, "acme/web"), NOW + timedelta(minutes=1))
    assert found is not None
    if found.cause == "held":
        return replace(found, remedy="Other sessions hold what is left; ask again when one has ended.")
    return replace(found, remedy="Ask `carol` for a raise of this budget (an overdrive).")


TRIP = Trip("ses_1", BreakerMetric.TOOL_FAILURES, "mcp__github__get", 100, 60, NOW)
OPEN = RememberedBreaker(TRIP, NOW + timedelta(minutes=15))


def tripped(trip: Trip, open_until: datetime | None, reader: Reader = CHANNEL, *, again: bool = False) -> Notice:
    """A breaker that tripped in a session."""
    return tripped_notice(
        trip,
        open_until,
        reader=reader,
        agent="claude-code",
        where="acme/web",
        branch=BRANCH,
        again=again,
        at=trip.at,
        links=LINKS,
    )


HOSTILE = "<!channel> *b* _i_ ~s~ <https://evil.example|x> `<b>` & @here"
NOTICES = {
    "step": crossed(Scope.TAB, "50", "38.20", 75),
    "red": crossed(Scope.TAB, "50", "50.13", 100),
    "red-repository": crossed(Scope.REPOSITORY, "500", "500.40", 100, why="payments is on call until launch"),
    "red-repository-public": crossed(Scope.REPOSITORY, "500", "500.40", 100, PUBLIC, why="a plan"),
    "step-repository-unplaced": crossed(Scope.REPOSITORY, "500", "400", 75, unplaced="61.30"),
    "step-engineer": crossed(Scope.ENGINEER, "1000", "912", 90),
    "red-engineer": crossed(Scope.ENGINEER, "1000", "1000.40", 100),
    "red-engineer-names": crossed(Scope.ENGINEER, "1000", "1000.40", 100, NAMES),
    "step-organization": crossed(Scope.ORGANIZATION, "20000", "18050", 90, unplaced="7"),
    "refused-spent": refused(stop(Scope.TAB, "50", "50.13")),
    "refused-held": refused(stop(Scope.TAB, "50", "40", "9")),
    "refused-several-names": refused(stop(Scope.TAB, "50", "50.13"), stop(Scope.ENGINEER, "10", "10"), reader=NAMES),
    "refused-engineer": refused(stop(Scope.ENGINEER, "1000", "1000.40")),
    "refused-paused": refused(
        Finding(
            Signal.PAUSE, Outcome.STOP, "organization", sentence="An operator has paused new sessions.", remedy="Ask."
        )
    ),
    "tripped": tripped(TRIP, NOW + timedelta(minutes=15)),
    "tripped-again": tripped(
        Trip("ses_2", BreakerMetric.COST_RATE, "", dollars("7.5"), dollars("5"), NOW),
        NOW + timedelta(hours=1),
        again=True,
    ),
    "tripped-not-remembered": tripped(TRIP, None),
    "tripped-direct": tripped(TRIP, NOW + timedelta(minutes=15), ALICE),
    "refused-breaker": refused(
        *at_start(OPEN, agent="claude-code", repository="acme/web", approvers=("carol",), now=NOW)
    ),
    "repeat": replace(crossed(Scope.TAB, "50", "50.13", 100), may_be_repeat=True),
    "hostile": refused_notice(
        [Finding(Signal.ACCESS, Outcome.STOP, "token", sentence=HOSTILE, remedy=HOSTILE)],
        reader=NAMES,
        agent=HOSTILE,
        where="acme/web",
        branch=HOSTILE,
        asked_by=HOSTILE,
        at=NOW,
        links=(Link(HOSTILE, "https://github.com/acme/web"),),
    ),
}


def shown(message: ChatMessage) -> str:
    """A message as one file: what a notification shows, then its blocks' texts."""
    lines = [f"{message.channel}: {message.text}", "=" * 72]
    for block in message.blocks:
        texts = [block["text"]] if "text" in block else block["elements"]
        lines += [f"[{block['type']}] {text['text']}" for text in texts]
    return "\n".join([*lines, ""])


@pytest.mark.parametrize("name", NOTICES)
def test_what_the_channel_reads(name: str) -> None:
    """Every text people see is kept as a file."""
    expect(f"slack/{name}.txt", shown(slack_message("#ai-spend", NOTICES[name])))


def fits(message: ChatMessage) -> None:
    """Block Kit's limits, by slack-sdk's own models; those do not count the blocks."""
    assert 0 < len(message.blocks) <= MOST_BLOCKS
    for block in Block.parse_all(list(message.blocks)):
        block.to_dict()  # raises SlackObjectFormationError
    json.dumps(message.blocks)
    assert len(message.text) < 40_000


@pytest.mark.parametrize("name", NOTICES)
def test_a_message_fits_block_kit(name: str) -> None:
    """Slack refuses what is over a limit, so nothing is."""
    fits(slack_message("#ai-spend", NOTICES[name]))


@pytest.mark.parametrize("line", ["x" * 9_000, "<" * 9_000, "`&` " * 3_000, "*" * 9_000])
def test_a_long_message_is_cut(line: str) -> None:
    """A reason of any length, and any number of them, still arrives."""
    notice = Notice(Occasion.RED, CHANNEL, line, (line,) * 70, NOW, links=LINKS)
    message = slack_message("#ai-spend", notice)
    fits(message)
    assert "And 23 more reasons." in message.blocks[-2]["text"]["text"]
    assert len(message.blocks[0]["text"]["text"]) <= HEADER_LIMIT
    assert all(len(b["text"]["text"]) <= SECTION_LIMIT for b in message.blocks[1:-1])


def test_nothing_from_outside_is_a_mention_or_a_link() -> None:
    """Slack makes mentions and links of angle brackets only, and those are ours alone."""
    message = slack_message("#ai-spend", NOTICES["hostile"])
    texts = [b["text"]["text"] for b in message.blocks[1:-1]]
    assert not any("<" in text for text in texts)
    assert message.blocks[-1]["elements"][0]["text"].count("<") == 1
    assert "<" not in message.text
    assert mrkdwn("*b* a_b `x*y`") == "\u200b*\u200bb\u200b*\u200b a_b `x*y`"


@pytest.mark.parametrize("name", ["step-engineer", "red-engineer", "refused-engineer", "red-repository-public"])
def test_a_channel_learns_neither_names_nor_figures_of_people(name: str) -> None:
    """Promise 12: an engineer's budget appears as a state, nobody is named, public repositories hide their figures."""
    said = shown(slack_message("#ai-spend", NOTICES[name]))
    for secret in ("alice", "carol", "platform", "$", "912", "1,000", "a plan", "90 %"):
        assert secret not in said.replace("At 100 %", ""), (secret, said)


def test_what_survives_an_outage() -> None:
    """Warnings are told at most once; red, refusals and trips are worth a repeat."""
    assert [o for o in Occasion if not o.survives] == [Occasion.STEP]
    assert NOTICES["step"].occasion is Occasion.STEP
    assert NOTICES["red"].occasion is Occasion.RED
    assert NOTICES["refused-held"].occasion is Occasion.REFUSED
    assert dollars("50") > 0


def test_the_figures_are_those_of_what_the_title_names() -> None:
    """Of several reasons the worst is in the title; where its figures are not for a channel, no other's stand in."""
    several = refused(stop(Scope.ENGINEER, "10", "10"), stop(Scope.REPOSITORY, "20", "21"))
    assert "engineer's budget" in several.title
    assert several.figures == ""
    assert any("$21.00 spent of $20.00" in line for line in several.lines)

"""Builders: groups of calls, facts and reports with the detail a test is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from tabstop.evidence import CommitMade, PullRequestLink
from tabstop.money import dollars
from tabstop.report.by import By
from tabstop.report.facts import Facts, PullRequest, Repository
from tabstop.report.placing import Linked, Placed, place
from tabstop.report.report import Charts, Report
from tabstop.report.tally import Plans, day_in, tally, total, unplaced, unpriced
from tabstop.usage_groups import UsageGroup

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NO_PLANS = Plans()
HOSTILE = '<script>alert("1")</script>'
FORMULA = '=HYPERLINK("http://x")'


def at(text: str) -> int:
    """Seconds since 1970 of `2026-11-18 09:00`, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def group(
    cost: str | None = "1",
    *,
    when: str = "2026-11-18 09:00",
    agent: str = "claude-code",
    session: str = "s1",
    model: str = "claude-sonnet-4-5",
    repository: str = "acme/widget",
    branch: str = "feature/login",
    commit: str = "",
    folder: str = "",
    calls: int = 10,
    output: int = 1_000,
    estimated: int = 0,
    aggregate: bool = False,
) -> UsageGroup:
    """Calls of a quarter of an hour. cost: dollars; None for a model without a price."""
    nano = 0 if cost is None else dollars(cost)
    unknown = (calls or 1) if cost is None else 0
    tokens = 200, 90_000, 4_000, 0, output
    return UsageGroup(
        agent,
        session,
        model,
        repository,
        branch,
        commit,
        folder,
        at(when),
        aggregate,
        calls,
        *tokens,
        0,
        nano,
        unknown,
        estimated,
    )


def link(
    number: int, branch: str, *, repository: str = "acme/widget", when: str = "2026-11-18 09:30"
) -> PullRequestLink:
    """A pull request that the agent's client saw."""
    return PullRequestLink(repository, number, branch, datetime.fromtimestamp(at(when), UTC))


def linked(
    *links: PullRequestLink, commits: Sequence[CommitMade] = (), session: str = "s1"
) -> dict[tuple[str, str], Linked]:
    """What one session of Claude Code tells."""
    return {("claude-code", session): Linked(links, tuple(commits))}


def a_month() -> tuple[list[UsageGroup], dict[tuple[str, str], Linked], Facts]:
    """Two repositories, four agents, hostile names, a model without a price, work that lies nowhere."""
    groups = [
        group("12.30", session="s1", when="2026-11-03 09:00", calls=120),
        group("4.05", session="s2", when="2026-11-04 23:45", model="claude-opus-5-5", calls=31),
        group("0.0042", session="s3", branch="main", when="2026-11-05 10:00", calls=1),
        group("2", session="s4", branch=HOSTILE, when="2026-11-06 10:00"),
        group("1.10", session="s5", branch=FORMULA, when="2026-11-06 11:00", agent="codex", model="gpt-5.5"),
        group("7.77", session="s6", branch="fix/a-leak-with-a-name-that-is-much-longer-than-any-terminal-is-wide-at-all", when="2026-11-10 08:00"),
        group(None, session="s7", branch="claude/refactor", agent="opencode", model="frobnicate-9", when="2026-11-11 08:00"),
        group("3", session="s8", branch="claude/refactor", when="2026-11-11 09:00", estimated=2),
        group(None, session="s9", branch="docs/all", agent="opencode", model="frobnicate-9", when="2026-11-12 08:00", calls=3),
        group("0.50", session="s10", repository="", branch="", agent="gemini-cli", model="gemini-2.5-pro", when="2026-11-15 08:00"),
        group("5", session="s11", repository="acme/payments", branch="chore/deps", when="2026-11-19 08:00"),
    ]  # fmt: skip
    pulls = (
        PullRequest("acme/widget", 41, "feature/login", "Let people log in with a passkey", "merged", "https://github.com/acme/widget/pull/41", default_branch="main"),
        PullRequest("acme/widget", 57, groups[5].branch, 'Fix the leak \u202e"><img src=x onerror=alert(1)>', "open", "https://github.com/acme/widget/pull/57"),
        PullRequest("acme/payments", 7, "chore/deps", "Bump everything", "closed", "javascript:alert(1)"),
    )  # fmt: skip
    here = Repository(
        "acme/widget", "main", frozenset({"main", "claude/refactor", "docs/all"}), frozenset({"docs/all"})
    )
    return groups, {}, Facts(repositories={"acme/widget": here}, pull_requests=pulls)


def placed_month() -> tuple[list[Placed], Facts]:
    """The month, placed."""
    groups, links, facts = a_month()
    return place(groups, links, facts), facts


def report(
    placed: Sequence[Placed],
    facts: Facts,
    by: By = By.PR,
    *,
    plans: Plans = NO_PLANS,
    zone: tzinfo = UTC,
    **more: object,
) -> Report:
    """A report of these."""
    return Report(
        by=by,
        rows=tally(placed, by, facts, plans=plans, day_of=day_in(zone)),
        total=total(placed, plans),
        unplaced=unplaced(placed, plans),
        made_at=NOW,
        timezone=str(zone),
        unpriced=unpriced(placed),
        files=len(placed),
        **more,  # type: ignore[arg-type]
    )


def charts(placed: Sequence[Placed], facts: Facts, plans: Plans) -> Charts:
    """For a page."""
    agents = tally(placed, By.AGENT, facts, plans=plans, day_of=day_in(UTC))
    days = {
        row.name: tally(
            [one for one in placed if one.group.agent == row.name], By.DAY, facts, plans=plans, day_of=day_in(UTC)
        )
        for row in agents
    }
    return Charts(days, tally(placed, By.MODEL, facts, plans=plans, day_of=day_in(UTC)), agents)

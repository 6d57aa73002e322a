"""TabFacts: everything the check and the comment of one pull request are made of, gathered before anything is worded.

What a shared surface may not show is not in here: budgets beside the tab's own come as a state, with their figures
only where this repository may show them (promise 12). So a template cannot leak what it was never given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.ledger.books import Cause, SessionRow, Tab
from app.registry import InForce, Organization, PullRequest, Repository
from tabstop.breaker_memory import RememberedBreaker
from tabstop.budget import Amount, Budget, Scope
from tabstop.conclusion import Conclusion
from tabstop.money import Nano
from tabstop.policy.change import Change
from tabstop.policy.problem import Note, Problem
from tabstop.verdict import Finding, Outcome, Verdict
from tabstop.window_share import WindowShare

CHECK_NAME = "tabstop / budget"
"""The check run's name. Required checks and rulesets name it, so it never changes."""

MARKER = "<!-- tabstop:budget -->"
"""The hidden line by which we find our own comment again; the comment's body contains it."""

POLICY_PATH = ".github/tabstop.yml"
"""Where a repository's policy lies; the organization's lies at the same path of its `.github` repository."""

SHOWN_SESSIONS = 50
"""How many sessions are gathered, newest first; `TabFacts.session_count` says how many there are."""


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session of the tab. login: of its engineer; empty when nobody is known or the identity was erased."""

    session: SessionRow
    login: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget beside the tab's own stands.

    subject: the login or the repository's name; empty for the organization. until: when its window ends.
    finding: its figures (`tabstop.verdict.Finding`), or None where this surface shows the state only.
    """

    scope: Scope
    outcome: Outcome
    subject: str = ""
    until: datetime | None = None
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class PolicyEdit:
    """What a pull request that edits the policy would make of it.

    organization: whether it is the organization's file. removed: whether the file is deleted.
    problems, notes: with lines of the file at the pull request's head. changes: limits that would change if it were
    merged, old → new; only as far as the file can be read.
    """

    path: str
    organization: bool = False
    removed: bool = False
    problems: tuple[Problem, ...] = ()
    notes: tuple[Note, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class SharedTab:
    """Another open pull request whose head is the same commit, so that one check answers for both."""

    number: int
    branch: str
    conclusion: Conclusion


@dataclass(frozen=True, slots=True)
class Links:
    """Where people read more; each is empty when there is no such page.

    pull_request, policy: on GitHub (policy: the file in force, or the page that creates it). details: on our own server.
    """

    pull_request: str = ""
    policy: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True)
class TabFacts:
    """One pull request and its tab as they stand at `now`.

    verdict: `tabstop.standing.how_stands`, the tab's own findings only. conclusion: of the check on the head commit; the
    worst of the tabs that share it. own_conclusion: of this tab alone.
    budgets: the tab's own; one with nothing spent before its first session, so that there is always a cap to show.
    standings: engineers (of the tab's sessions), repository and organization, worst first; only those that exist.
    sessions: newest first, at most `SHOWN_SESSIONS` of `session_count`.
    unpriced: calls without a known price. notional: dollars a subscription's or credits' usage would have cost.
    unattributed: sessions without an engineer, of all of them.
    window_shares: how far vendors' windows moved while its sessions ran, each with the session's engineer.
    policy_edit: set when the pull request edits the policy. shared_with: other pull requests at this commit.
    pull_request.comment_id: set when our comment is there already; one that is no longer needed is then brought up to
    date rather than left wrong. Nothing shown may depend on `now` to the second: a text that differs is sent again.
    overrun_causes: what took spend past the cap, largest first; empty while nothing did or nobody asked the ledger.
    breakers: of the repository, by agent, those that are not closed; they refuse starts and say nothing about merging.
    marker: to be put into the comment.
    """

    organization: Organization
    repository: Repository
    pull_request: PullRequest
    tab: Tab
    policy: InForce
    verdict: Verdict
    conclusion: Conclusion
    own_conclusion: Conclusion
    budgets: tuple[Budget, ...]
    now: datetime
    standings: tuple[Standing, ...] = ()
    sessions: tuple[ShownSession, ...] = ()
    session_count: int = 0
    unpriced: int = 0
    notional: Nano = 0
    unattributed: int = 0
    window_shares: tuple[tuple[int | None, WindowShare], ...] = ()
    policy_edit: PolicyEdit | None = None
    shared_with: tuple[SharedTab, ...] = ()
    links: Links = Links()
    overrun_causes: tuple[tuple[Cause, Amount], ...] = ()
    breakers: tuple[tuple[str, RememberedBreaker], ...] = ()
    marker: str = MARKER

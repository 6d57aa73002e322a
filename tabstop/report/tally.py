"""Tally: placed calls added up by pull request, branch, repository, model, agent or day."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum

import msgspec

from tabstop.attribution import Confidence
from tabstop.money import Nano
from tabstop.report.by import By
from tabstop.report.facts import Facts, PullRequest, Repository
from tabstop.report.placing import Placed
from tabstop.usage import Tokens
from tabstop.usage_groups import UsageGroup


class Of(StrEnum):
    """What a row is of."""

    PULL_REQUEST = "pull request"
    BRANCH = "branch"
    REPOSITORY = "repository"
    """All of it; with `By.PR` and `By.BRANCH` only what has no branch of its own."""
    UNPLACED = "unplaced"
    """No repository is known."""
    MODEL = "model"
    AGENT = "agent"
    DAY = "day"


class Sum(msgspec.Struct):
    """Amounts added up.

    cost: nano-dollars of priced calls that are billed by token. notional: the same of those a plan pays for: what the API would
    have cost; the two are never added. unpriced: calls without a price, which are in neither. notional_unpriced: those of them
    that a plan pays for. priced, notional_priced: groups that have a price known of any of their calls, be it zero. estimated:
    priced calls whose price is not certain. sessions: (agent, session).
    """

    cost: Nano = 0
    notional: Nano = 0
    calls: int = 0
    unpriced: int = 0
    estimated: int = 0
    notional_calls: int = 0
    notional_unpriced: int = 0
    priced: int = 0
    notional_priced: int = 0
    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    web_searches: int = 0
    first: int = 0
    last: int = 0
    sessions: set[tuple[str, str]] = set()

    def add(self, group: UsageGroup, *, notional: bool) -> None:
        """Add a group of calls. notional: a plan pays for them."""
        # An aggregate counts no calls.
        priced = bool(group.cost) or group.unpriced < max(group.calls, group.aggregate)
        if notional:
            self.notional += group.cost
            self.notional_calls += group.calls
            self.notional_unpriced += group.unpriced
            self.notional_priced += priced
        else:
            self.cost += group.cost
            self.priced += priced
        self.calls += group.calls
        self.unpriced += group.unpriced
        self.estimated += group.estimated
        self.input += group.input
        self.cache_read += group.cache_read
        self.cache_write_5m += group.cache_write_5m
        self.cache_write_1h += group.cache_write_1h
        self.output += group.output
        self.web_searches += group.web_searches
        self.first = min(self.first or group.began, group.began)
        self.last = max(self.last or group.began, group.began)
        self.sessions.add((group.agent, group.session))

    def merge(self, other: Sum) -> None:
        """Add what another has."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.first = min(filter(None, (self.first, other.first)), default=0)
        self.last = max(filter(None, (self.last, other.last)), default=0)
        self.sessions |= other.sessions

    @property
    def tokens(self) -> Tokens:
        """By kind."""
        return Tokens(self.input, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.output)

    @property
    def billed(self) -> Nano | None:
        """The cost; None where it is made of nothing but calls without a price: unknown, never zero."""
        return None if self.billed_unpriced and not self.priced else self.cost

    @property
    def billed_unpriced(self) -> int:
        """Calls without a price that are billed by token."""
        return self.unpriced - self.notional_unpriced

    @property
    def by_plan(self) -> Nano | None:
        """What the API would have cost for what a plan pays; None where nothing of that has a price."""
        return None if self.notional_unpriced and not self.notional_priced else self.notional

    @property
    def weight(self) -> tuple[int, int]:
        """To sort by: dollars of whatever kind, then tokens."""
        return self.cost + self.notional, self.tokens.total


_COUNTS = tuple(name for name in Sum.__struct_fields__ if name not in {"first", "last", "sessions"})


class Row(msgspec.Struct):
    """One row. name: the model, agent or day (`2026-11-01`). state: of the pull request (`open`, `draft`, `merged`, `closed`);

    of a branch, as local git tells: `contained` when all its commits are in the default branch, `gone` when it is not here any
    more, `here`; empty where nothing tells. confidence, reason: those of the group that cost most.
    """

    of: Of
    repository: str = ""
    branch: str = ""
    pull_request: PullRequest | None = None
    name: str = ""
    state: str = ""
    default_branch: str = ""
    confidence: Confidence | None = None
    reason: str = ""
    sum: Sum = msgspec.field(default_factory=Sum)
    heaviest: int = -1


class Plans(msgspec.Struct, frozen=True):
    """What a plan pays for: every call of these agents, and of these sessions (agent, session)."""

    agents: Container[str] = ()
    sessions: Container[tuple[str, str]] = ()

    def pay_for(self, group: UsageGroup) -> bool:
        """Whether its dollars are notional."""
        return group.agent in self.agents or (group.agent, group.session) in self.sessions


Key = tuple[str, ...]
DayOf = Callable[[int], date]


def day_in(zone: tzinfo | None) -> DayOf:
    """The day of a moment (seconds since 1970 UTC) in this time zone; None for this machine's."""
    known: dict[int, date] = {}

    def day(moment: int) -> date:
        if moment not in known:
            at = datetime.fromtimestamp(moment, UTC)
            try:
                known[moment] = at.astimezone(zone).date()
            except OverflowError:  # a damaged log tells the last day there is, and east of Greenwich that is over
                known[moment] = at.date()
        return known[moment]

    return day


def tally(placed: Iterable[Placed], by: By, facts: Facts, *, plans: Plans, day_of: DayOf) -> list[Row]:
    """Add up. The dearest first; days in order, the newest last."""
    pulls = {(one.repository.lower(), one.number): one for one in facts.pull_requests}
    rows: dict[Key, Row] = {}
    for one in placed:
        key = _key(one, by, day_of)
        row = rows.get(key)
        if row is None:
            row = rows[key] = _row(one, by, key, facts, pulls)
        row.sum.add(one.group, notional=plans.pay_for(one.group))
        if one.group.cost > row.heaviest and row.of in {Of.PULL_REQUEST, Of.BRANCH, Of.REPOSITORY, Of.UNPLACED}:
            row.heaviest, row.confidence, row.reason = one.group.cost, one.confidence, one.reason
            if row.of is Of.REPOSITORY:
                row.default_branch = _default_branch(one, facts) or one.checked_out
    if by is By.DAY:
        return sorted(rows.values(), key=lambda row: row.name)
    return sorted(rows.values(), key=lambda row: (*(-n for n in row.sum.weight), row.repository, row.branch, row.name))


def total(placed: Iterable[Placed], plans: Plans) -> Sum:
    """All of it."""
    found = Sum()
    for one in placed:
        found.add(one.group, notional=plans.pay_for(one.group))
    return found


def unplaced(placed: Iterable[Placed], plans: Plans) -> Sum:
    """What of it is on no pull request and no branch."""
    return total((one for one in placed if not one.branch and one.pull_request is None), plans)


def unpriced(placed: Iterable[Placed]) -> dict[str, int]:
    """Calls without a price, by model, the most first."""
    found: dict[str, int] = {}
    for one in placed:
        if one.group.unpriced:
            found[one.group.model] = found.get(one.group.model, 0) + one.group.unpriced
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _key(one: Placed, by: By, day_of: DayOf) -> Key:
    if by is By.DAY:
        return (day_of(one.group.began).isoformat(),)
    if by is By.MODEL:
        return (one.group.model,)
    if by is By.AGENT:
        return (one.group.agent,)
    repository = one.repository.lower()
    if by is By.REPO:
        return (repository,)
    if by is By.PR and one.pull_request is not None:
        return repository, "#", str(one.pull_request)
    return repository, one.branch


def _row(one: Placed, by: By, key: Key, facts: Facts, pulls: Mapping[tuple[str, int], PullRequest]) -> Row:
    named = {By.DAY: Of.DAY, By.MODEL: Of.MODEL, By.AGENT: Of.AGENT}.get(by)
    if named is not None:
        return Row(named, name=key[0])
    if not one.repository:
        return Row(Of.UNPLACED)
    if by is By.REPO or not (one.branch or one.pull_request):
        return Row(Of.REPOSITORY, one.repository)
    default = _default_branch(one, facts)
    if by is By.PR and one.pull_request is not None:
        number = one.pull_request
        pull = pulls.get((one.repository.lower(), number)) or _untold(one, number, facts)
        return Row(Of.PULL_REQUEST, one.repository, one.branch, pull, state=pull.state, default_branch=default)
    state = _branch_state(one.branch, facts.repositories.get(one.repository.lower()))
    return Row(Of.BRANCH, one.repository, one.branch, state=state, default_branch=default)


def _default_branch(one: Placed, facts: Facts) -> str:
    """As git tells it; empty where it does not."""
    known = facts.repositories.get(one.repository.lower())
    return known.default_branch if known else ""


def _untold(one: Placed, number: int, facts: Facts) -> PullRequest:
    """One that GitHub was not asked about, or did not tell of."""
    on_github = any(one.repository.lower() in known.on_github for known in facts.repositories.values())
    url = f"https://github.com/{one.repository}/pull/{number}" if on_github else ""
    return PullRequest(one.repository, number, one.branch, url=url)


def _branch_state(branch: str, known: Repository | None) -> str:
    if known is None or not known.branches:
        return ""
    if branch in known.merged:
        return "contained"
    return "here" if branch in known.branches else "gone"

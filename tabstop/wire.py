"""The versioned JSON contract between what runs beside an agent and the server. Standard library only.

Unknown fields are ignored, so that an older side understands a newer one. Money is nano-dollars, time ISO 8601 UTC.
`tabstop.wire_json` turns these into JSON and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from tabstop.breaker_memory import BreakerMetric
from tabstop.evidence import CommitMade, PullRequestLink
from tabstop.gauge import GaugeReading
from tabstop.gauge_rate import Outlook
from tabstop.governor.orders import EventKind
from tabstop.governor.settings import Rules
from tabstop.session import Limits
from tabstop.usage import Billing, Grain, Tokens, ToolCall
from tabstop.verdict import Signal, Verdict

VERSION = 1


@dataclass(frozen=True, slots=True)
class StartRequest:
    """`POST /api/v1/sessions`. Everything here is a claim; the token proves what counts.

    pull_request: number, when the run knows it (proven only on `pull_request` events, else checked through the API).
    branch, head_sha: of the work, not of a test merge commit. agent: `claude-code`, `codex`, `gemini-cli`, `opencode`.
    run_id, run_attempt: of the workflow run that asks, as GitHub numbers them; empty outside of one. They count only where
    another run tells of this session after the fact: then GitHub's record of this one says whose it is and where it lies.
    unadmitted_since: set only after the fact, for a session that began while the server could not be asked: since when it
    ran. It is recorded as unadmitted and never refused, since refusing would only hide what is spent.
    Its Idempotency-Key is that of the gate's question: what the gate was admitted to, or an earlier copy opened, is found again.
    thread: the vendor's own id of the session, where it is known: telemetry that the engineer's client sends of it joins this one.
    """

    agent: str
    repository: str = ""
    branch: str = ""
    head_sha: str = ""
    pull_request: int | None = None
    model: str = ""
    purpose: str = ""
    billing: Billing = Billing.UNKNOWN
    billing_evidence: str = ""
    unadmitted_since: datetime | None = None
    run_id: str = ""
    run_attempt: str = ""
    thread: str = ""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an admitted session may use.

    models: the only models allowed; empty for any. hold: nano-dollars set aside. enforcement: `exact` (proxy),
    `one call` (hooks, flags) or `none` (gate only). price_card: `tabstop.price_card.PriceCard` as JSON.
    governor: the rules its governor goes by; the defaults where the server does not tell.
    """

    limits: Limits
    hold: int = 0
    models: tuple[str, ...] = ()
    enforcement: str = "one call"
    price_card: dict[str, Any] = field(default_factory=dict)
    policy_commit: str = ""
    governor: Rules = field(default_factory=Rules)


@dataclass(frozen=True, slots=True)
class StartAnswer:
    """The answer to a start: 201 with session, token and allowance, or 403 with the same verdict and none of them.

    token: good for this session's usage and end only. lease_until: when the session counts as silent unless it is heard.
    page: where people read more. server_unreachable: what the policy in force wants done while the server is away, `allow`
    or `block`, so that an admitted gate can say that its workflow is looser; empty where the server does not tell.
    """

    verdict: Verdict
    session: str = ""
    token: str = ""
    allowance: Allowance | None = None
    lease_until: datetime | None = None
    page: str = ""
    server_unreachable: str = ""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Call:
    """One usage in a batch; fields as in `tabstop.usage.Usage`, the last three as in `tabstop.evidence.Evidence`."""

    keys: tuple[str, ...]
    model: str
    tokens: Tokens
    occurred_at: datetime
    thread: str = ""
    web_searches: int = 0
    grain: Grain = Grain.CALL
    cache_split_known: bool = True
    tool_calls: tuple[ToolCall, ...] = ()
    repository: str = ""
    branch: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class ClientTotal:
    """What the agent's own client says a thread used in all, per model, since this session began.

    Where the calls say less (compaction, side calls) one true-up entry carries the rest, and shrinks when the calls
    arrive from elsewhere.
    """

    thread: str
    model: str
    tokens: Tokens
    web_searches: int = 0


@dataclass(frozen=True, slots=True)
class BreakerTrip:
    """A breaker that tripped in the session. The same metric at the same time is the same trip.

    subject: a tool's name, or a runaway signal's (`token_spike`); letters, digits and `_.:-`, empty for none.
    value, threshold: whole numbers in the metric's unit: percent, calls, nano-dollars a minute, what the signal counts.
    """

    metric: BreakerMetric
    value: int
    threshold: int
    occurred_at: datetime
    subject: str = ""


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something its governor noticed or did in a session, in numbers; the server finds the words.

    The same kind, signal and scope at the same time is the same event. signal: None for what a person did.
    scope: which limit, runaway signal or step. subject: a tool's name or a subagent's kind. Both of letters, digits and `_.:-`.
    unit: what value and threshold count: `usd` (nano-dollars), `tokens`, or empty for whatever the scope counts.
    threshold: None where there is none. asked: of a question, how much more.
    """

    kind: EventKind
    occurred_at: datetime
    signal: Signal | None = None
    scope: str = ""
    subject: str = ""
    unit: str = ""
    value: int = 0
    threshold: int | None = None
    asked: int = 0


@dataclass(frozen=True, slots=True)
class UsageBatch:
    """`POST /api/v1/sessions/{id}/usage`. Sending it again, in whole or in part, changes nothing. An empty one says: alive.

    gauges: how full the vendors' windows were; of each the newest reading counts, in whatever order they arrive.
    pull_requests, commits: what the session's own client saw being opened and made, evidence for where its calls belong.
    """

    calls: tuple[Call, ...] = ()
    client_totals: tuple[ClientTotal, ...] = ()
    trips: tuple[BreakerTrip, ...] = ()
    events: tuple[SessionEvent, ...] = ()
    gauges: tuple[GaugeReading, ...] = ()
    billing: Billing | None = None
    billing_evidence: str = ""
    pull_requests: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Doubted:
    """A call that cannot have been made as it was told, and what became of it, in a sentence or two. keys: as they were sent."""

    keys: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class UsageAnswer:
    """What came of a batch. cost: the session's so far.

    orders: what the session should do now: `proceed`; `wind down`, finish what is begun; `suspend` and `halt`, only for its own
    limits or because an operator paused it. limits: its limits as they stand, raises included; None for no news of them.
    silent: the server had not heard of it for so long that it holds nothing any more: it may ask to be resumed.
    doubted: calls of the batch that are not counted, or at another time than they were told with. Sending them again changes nothing.
    """

    verdict: Verdict
    orders: tuple[str, ...] = ("proceed",)
    new: int = 0
    known: int = 0
    cost: int = 0
    notional: int = 0
    unpriced: int = 0
    limits: Limits | None = None
    silent: bool = False
    doubted: tuple[Doubted, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """`POST /api/v1/sessions/{id}/resume`, with the session's own token: it ended, and is about to go on with its totals.

    released_at: when a person last let it go on (`tabstop release`), which nobody may have told the server yet.
    """

    released_at: datetime | None = None
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class ResumeAnswer:
    """200, or 403 with the verdict that refuses and nothing else: a session that goes on is asked about like a start.

    limits: as they stand. token: a fresh one, good for as long as a new session's. A session that runs is only heard of.
    """

    verdict: Verdict
    limits: Limits | None = None
    token: str = ""
    lease_until: datetime | None = None
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class OverdriveRequest:
    """`POST /api/v1/sessions/{id}/overdrive`, with an approver's own token: more for one session.

    by_how_much: of each limit it names. why: for the audit log. lasts_seconds: after which the raise is taken back.
    """

    by_how_much: Limits
    why: str
    lasts_seconds: int | None = None
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class OverdriveAnswer:
    """200 with the raise, or 403 with the verdict that refuses and no raise: its budgets have no room for the session.

    limits: the session's, as they now stand. live: whether it holds money again or still, so that its agent may go on.
    """

    verdict: Verdict
    overdrive: int = 0
    limits: Limits | None = None
    expires_at: datetime | None = None
    live: bool = False
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class EndRequest:
    """`POST /api/v1/sessions/{id}/end`. outcome: see `tabstop.session.SessionOutcome`; detail: a sentence for people.

    What it held is free again, whatever the outcome; `ResumeRequest` lets it go on.
    skipped: what was not read and why, `reason → count`.
    branch, pull_request: what the run turned out to work on, where its start could not know (an agent that answers an
    issue makes its own branch): evidence for where its calls belong, as a link and a branch in a batch are.
    """

    outcome: str
    detail: str = ""
    duration_seconds: int | None = None
    skipped: dict[str, int] = field(default_factory=dict)
    branch: str = ""
    pull_request: int | None = None
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Placement:
    """What of a session lies at one place. confidence: in the words of `tabstop.attribution.Confidence`.

    branch, pull_request: of the tab; empty and None where it lies on none. repository: empty where it lies in none.
    elsewhere: it lies in another repository, which whoever asks is not told of.
    """

    confidence: str
    reason: str = ""
    repository: str = ""
    branch: str = ""
    pull_request: int | None = None
    elsewhere: bool = False
    cost: int = 0
    notional: int = 0
    tokens: int = 0
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class EndAnswer:
    """The session's totals, and how its tab stands now.

    placements: where what it used lies by now, the dearest part first; together they are the totals. Empty where nothing was used or
    the server does not tell. may_move: GitHub is still asked about what the session told of its work.
    """

    verdict: Verdict
    cost: int = 0
    notional: int = 0
    tokens: int = 0
    unpriced: int = 0
    tab_cost: int = 0
    page: str = ""
    placements: tuple[Placement, ...] = ()
    may_move: bool = False
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class GaugeNow(GaugeReading):
    """The newest reading of a window, and what it lets one expect. Shares are ten-thousandths of the window.

    used_now: null where the window has begun anew since: how full it is now, nobody has read. an_hour: the burn rate; null where too
    little is known of it. average: that rate is the one since the window began, for want of earlier readings; else it is of the recent
    past. full_at: when it is full at that rate; null where it lasts until it begins anew, at `resets_at`.
    """

    used_now: int | None = None
    an_hour: int | None = None
    average: bool = False
    full_at: datetime | None = None


def gauge_now(seen: Outlook) -> GaugeNow:
    """An outlook as it is told."""
    reading = {one.name: getattr(seen.reading, one.name) for one in fields(GaugeReading)}
    return GaugeNow(**reading, used_now=seen.used, an_hour=seen.an_hour, average=seen.average, full_at=seen.full_at)


@dataclass(frozen=True, slots=True)
class GaugesAnswer:
    """`GET /api/v1/gauges`, with an engineer's own token: each of their vendors' windows."""

    gauges: tuple[GaugeNow, ...] = ()
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Problem:
    """Any other answer, 4xx or 5xx: what happened, the likely cause, what to do, and when trying again can help.

    retry_after_seconds: None when repeating the same request cannot help.
    """

    title: str
    detail: str = ""
    remedy: str = ""
    retry_after_seconds: int | None = None
    version: int = VERSION

"""Settings of the governor: everything the policy can say about a running session, as plain values with their defaults.

Percent are whole percent, money is nano-dollars, durations are seconds, unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum

from tabstop.governor.orders import Step
from tabstop.money import NANO_PER_DOLLAR, Nano
from tabstop.session import Limits


class OnLimit(StrEnum):
    """What happens when a session reaches one of its limits."""

    HALT = "halt"
    SUSPEND = "suspend"
    """Stop, resumably."""
    SUMMARY = "summary"
    """One last bounded answer: done, left, how to resume. Then stop."""
    ASK = "ask"
    """Ask a person for more; in CI, where nobody can answer, a summary."""


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """What happens at a limit. tokens: the token limit's own answer, since reaching it is rarely the end of the work.

    summary_tokens: the longest last answer. ask_percent: how much more is asked for, of the limit as it was first.
    ask_seconds: after which silence means no.
    """

    on_limit: OnLimit = OnLimit.HALT
    on_tokens: OnLimit = OnLimit.SUSPEND
    summary_tokens: int = 2_000
    ask_percent: int = 50
    ask_seconds: int = 600


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of degradation, taken when the fullest limit is used by so much percent."""

    at: int
    step: Step


@dataclass(frozen=True, slots=True)
class Degradation:
    """The ladder, any order and share the policy likes. models: per provider, dearest first; a model of one ladder may be
    replaced by a later one of the same ladder.
    """

    ladder: tuple[Rung, ...] = (
        Rung(75, Step.CHEAPER_MODEL),
        Rung(80, Step.NO_SUBAGENTS),
        Rung(85, Step.COMPACT),
        Rung(90, Step.NO_TOOLS),
        Rung(95, Step.FINISH_SUBTASK),
    )
    models: tuple[tuple[str, ...], ...] = (
        ("claude-fable-5-2", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"),
        ("gpt-6-astra", "gpt-5.5", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna"),
        (
            "gemini-3.1-pro-preview",
            "gemini-2.5-pro",
            "gemini-3.8-flash",
            "gemini-3.5-flash-lite",
            "gemini-2.5-flash-lite",
        ),
    )


class Response(StrEnum):
    """What a runaway signal does."""

    OFF = "off"
    ALERT = "alert"
    THROTTLE = "throttle"
    DEGRADE = "degrade"
    TRIP = "trip"


@dataclass(frozen=True, slots=True)
class Detector:
    """One runaway signal.

    threshold: in the signal's own unit (see `Runaway`). sample: how much must have been seen before it says anything.
    response: what it does first; `persists`: after so many further observations in a row that still show it, it trips
    (0: never by itself).
    """

    threshold: int
    sample: int
    response: Response = Response.ALERT
    persists: int = 5


@dataclass(frozen=True, slots=True)
class Runaway:
    """The signals. Their thresholds and what their samples count:

    token_spike: percent of the running average of tokens a minute, cache reads left out; sample: answers.
    tool_spike: percent of the running average of tool calls a minute; sample: calls.
    tool_rate: tool calls a second, over the last `sample` calls.
    repeats: times a thread made the same call with nothing new in between, waiting counted less; sample: calls.
    likeness: answers of a thread that say nearly the same as its last one, itself included, among the last `sample`; or as its
    last two where both come equally often, as of one that goes back and forth.
    no_progress: iterations of a thread without a new tool call and without a change in the working tree; sample: iterations.
    backoff: seconds waited for the vendor without an answer; sample: failed requests, unless the vendor announced the wait.
    """

    token_spike: Detector = field(default_factory=lambda: Detector(500, 20))
    tool_spike: Detector = field(default_factory=lambda: Detector(500, 20))
    tool_rate: Detector = field(default_factory=lambda: Detector(10, 30, persists=2))
    repeats: Detector = field(default_factory=lambda: Detector(6, 6))
    likeness: Detector = field(default_factory=lambda: Detector(5, 8))
    no_progress: Detector = field(default_factory=lambda: Detector(15, 15))
    backoff: Detector = field(default_factory=lambda: Detector(300, 3, persists=10))


@dataclass(frozen=True, slots=True)
class Breaker:
    """When the breaker opens; None switches one of its three metrics off.

    failures_percent: of the last `window` calls of one tool, once `sample` were seen, or a tool that has only failed, at its
    `only_failed`th failure (commands with other work between: at twice as many). repeats: the same call so often among a
    thread's last `window` calls, nothing new between. cost_per_minute: nano-dollars, of at least `cost_sample` answers.
    cooldown: seconds until it lets one call through again. remember: whether the server keeps it, so that the next session of
    this repository and agent meets it.
    """

    failures_percent: int | None = 60
    sample: int = 10
    window: int = 20
    only_failed: int = 3
    repeats: int | None = 10
    cost_per_minute: Nano | None = 5 * NANO_PER_DOLLAR
    cost_sample: int = 3
    cooldown: int = 900
    remember: bool = True


@dataclass(frozen=True, slots=True)
class Throttle:
    """How fast a session may go. calls_per_minute: tool calls, 1 to 600, None for any number; identical_per_minute: the same
    tool with the same arguments, likewise. retry_pauses: the seconds, 0 to 60 each, to wait before a failed call is tried
    again, first try first; after the last one a person has to release the session (a command may fail twice as often: a red
    test is a result); None for no such brake.
    """

    calls_per_minute: int | None = 120
    identical_per_minute: int | None = 10
    retry_pauses: tuple[int, ...] | None = (1, 5)


class Sharing(StrEnum):
    """How a subagent's budget is found."""

    STATIC = "static"
    """By its kind."""
    PROPORTIONAL = "proportional"
    """A share of what its parent has left."""
    HYBRID = "hybrid"
    """By its kind, and never above that share."""


@dataclass(frozen=True, slots=True)
class KindBudget:
    """Tokens for one kind of subagent. kind: as the agent names it, a glob."""

    kind: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Subtasks:
    """What subagents may use, cache reads not counted. other: tokens of a kind without a budget of its own. fan_out: subagents that one thread may
    have at once. depth: how deep subagents may start subagents. total: subagents a session may start in all.
    """

    sharing: Sharing = Sharing.HYBRID
    kinds: tuple[KindBudget, ...] = (
        KindBudget("*research*", 100_000),
        KindBudget("*explore*", 100_000),
        KindBudget("*refactor*", 500_000),
    )
    other: int = 1_000_000
    share_percent: int = 25
    fan_out: int = 8
    depth: int = 3
    total: int = 50


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """interval: seconds between reports to the server. silence: seconds after which an agent that shows nothing is silent."""

    interval: int = 60
    silence: int = 600


class OnFull(StrEnum):
    """What a start meets that would run into its vendor's window."""

    WARN = "warn"
    DEFER = "defer"
    """Refused, with the time the window begins anew."""
    ALLOW = "allow"


class InSession(StrEnum):
    """What a running session does when its vendor's window is nearly full."""

    ALERT = "alert"
    SUSPEND = "suspend"
    """Stop, resumably, until the window begins anew."""


@dataclass(frozen=True, slots=True)
class PlanAllowance:
    """What one vendor's plan allows in a window, in tokens without cache reads; None where nobody has said."""

    five_hours: int | None = None
    week: int | None = None


@dataclass(frozen=True, slots=True)
class Windows:
    """How sessions and the windows of their vendors' plans get along.

    threshold: percent of a window from which it counts as nearly full. fit_sessions: whether an admitted session's time is cut to
    end before the window is full. accounts: the vendors' ids of accounts that a warning may name as having room.
    anthropic, openai: what their plans allow, for estimates where the vendor tells nothing.
    """

    on_full: OnFull = OnFull.WARN
    in_session: InSession = InSession.ALERT
    threshold: int = 90
    fit_sessions: bool = False
    accounts: tuple[str, ...] = ()
    anthropic: PlanAllowance = field(default_factory=PlanAllowance)
    openai: PlanAllowance = field(default_factory=PlanAllowance)


class UnknownPrice(StrEnum):
    """What usage without a price does: to a verdict, and to a session that has a cost limit."""

    WARN = "warn"
    BLOCK = "block"


class Unbounded(StrEnum):
    """What a proxy does with a request that has parts nobody can bound before: a file's id, a URL, a tool the vendor runs."""

    ALLOW_MARKED = "allow_marked"
    """It passes, and the session is told once that its cap is not exact from here."""
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the policy says about a running session, all but its limits. An admitted session is sent its own.

    By keyword only, so that of `Settings` the session and its limits come first.
    """

    exhaustion: Exhaustion = field(default_factory=Exhaustion)
    degradation: Degradation = field(default_factory=Degradation)
    runaway: Runaway = field(default_factory=Runaway)
    breaker: Breaker = field(default_factory=Breaker)
    throttle: Throttle = field(default_factory=Throttle)
    subtasks: Subtasks = field(default_factory=Subtasks)
    heartbeats: Heartbeats = field(default_factory=Heartbeats)
    windows: Windows = field(default_factory=Windows)
    unpriced: UnknownPrice = UnknownPrice.WARN
    unbounded: Unbounded = Unbounded.ALLOW_MARKED


@dataclass(frozen=True, slots=True)
class Settings(Rules):
    """All of it, for one session.

    session: the id people type to let it have more. ci: nobody sits at a terminal. can_summarize: whether the attach point
    can make the last answer itself (wrapper, proxy); hooks cannot.
    """

    session: str = "SESSION"
    limits: Limits = field(default_factory=Limits)
    ci: bool = False
    can_summarize: bool = False


def settings_of(rules: Rules, limits: Limits, session: str, *, ci: bool, can_summarize: bool) -> Settings:
    """The settings of one session, from what it was sent and from where its governor is attached."""
    said = {one.name: getattr(rules, one.name) for one in fields(Rules)}
    return Settings(**said, limits=limits, session=session, ci=ci, can_summarize=can_summarize)

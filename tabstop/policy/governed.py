"""The table of what a policy says about a running session: each row is a key of the file and a value of the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tabstop.governor.orders import Step
from tabstop.governor.rates import QUIET_CALLS, QUIET_TOKENS
from tabstop.governor.settings import InSession, OnFull, OnLimit, Response, Sharing
from tabstop.policy import forms as f
from tabstop.policy import notation as n
from tabstop.policy.forms import Form, ListForm
from tabstop.policy.key import Key
from tabstop.policy.looser import Limit, Looser, becomes, less, more, more_or_never, other, weaker
from tabstop.policy.model import Policy
from tabstop.policy.subtask_kinds import laid_over, looser_kinds, shown_kinds

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Said:
    """One value: its key's form and meaning, and how it is compared. The default is the model's own.

    each: the last part of its key where the file has one under any name: `<kind>`.
    """

    limit: Limit
    form: Form | ListForm
    meaning: str
    unit: str = ""
    also: tuple[str, ...] = ()
    each: str = ""

    @property
    def path(self) -> str:
        """Its key in the file."""
        return self.limit.path

    @property
    def key(self) -> Key:
        """The key that sets it, with its default as one would write it."""
        default = self.limit.shown(self.limit.of(Policy()))
        if self.each:
            return Key(
                f"{self.path}.{self.each}",
                self.form,
                "",
                f"{self.meaning} Known from the start: `{default}`.",
                self.unit,
            )
        if isinstance(self.form, ListForm):
            default = f"[{default}]" if default != "none" else "[]"
        return Key(self.path, self.form, default, self.meaning, self.unit, also=self.also)


def _said(
    path: str,
    attribute: str,
    form: Form | ListForm,
    shown: Callable[[Any], str],
    looser: Looser | None,
    meaning: str,
    unit: str = "",
    also: tuple[str, ...] = (),
) -> Said:
    """One row. attribute: `throttle.calls_per_minute`, where the value lies in `Policy`."""
    return Said(Limit(path, tuple(attribute.split(".")), shown, looser), form, meaning, unit, also)


def _or_off(shown: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "off" if value is None else shown(value)


def _pauses(pauses: tuple[int, ...]) -> str:
    return ", ".join(map(n.show_seconds, pauses)) or "none"


def _ladders(ladders: tuple[tuple[str, ...], ...]) -> str:
    return ", ".join(f"[{', '.join(models)}]" for models in ladders)


def _sooner_or_oftener(old: tuple[int, ...] | None, new: tuple[int, ...] | None) -> bool:
    if old is None or new is None:
        return old is not None
    return len(new) > len(old) or any(later < sooner for sooner, later in zip(old, new, strict=False))


def _less_than_both(old: Sharing, new: Sharing) -> bool:
    # Of the other two, each bounds what the other leaves open.
    return new is not old and new is not Sharing.HYBRID


def _not_kept(old: tuple[tuple[str, ...], ...], new: tuple[tuple[str, ...], ...]) -> bool:
    # The first ladder that names a model counts, so only one behind all others changes nothing for theirs.
    return new[: len(old)] != old


_OFF_SLIPS = ("none", "no", "never", "false", "unlimited", "disabled")
_SHARE = f.or_word(f.PERCENT, "off", None, _OFF_SLIPS)
_RATE = f.or_unlimited(f.whole(1, 600))
_PAUSES = ListForm(f.span(1, 60, "`1s` or `5s`"), 10, ascending=True, word="off")
_NEVER = f.or_word(f.whole(1), "never", 0, ("0", "off", "none"))
_ON_LIMIT = f.choice(
    OnLimit, slips=(("stop", "halt"), ("pause", "suspend"), ("summarize", "summary"), ("escalate", "ask"))
)
_RESPONSE = f.choice(
    Response,
    slips=(
        *((slip, "off") for slip in _OFF_SLIPS),
        *(("warn", "alert"), ("notify", "alert"), ("slow", "throttle")),
        *(("stop", "trip"), ("block", "trip"), ("halt", "trip"), ("break", "trip")),
    ),
)
_LADDER = ListForm(f.MODEL_ID, 10, at_least=2)
_GOES_ON = weaker(OnLimit.ASK, OnLimit.SUMMARY, (OnLimit.HALT, OnLimit.SUSPEND))

# fmt: off
_AT_LIMIT = (
    _said("session.on_limit", "exhaustion.on_limit", _ON_LIMIT, str, _GOES_ON, "What a session does at a limit: `halt`; `suspend`, to be resumed with its totals; `summary`, one last bounded answer, where the wrapper or the proxy can make it; `ask` a person for more, which in CI is `summary`.", also=("at_limit", "on_exhausted", "exhaustion")),
    _said("session.on_tokens", "exhaustion.on_tokens", _ON_LIMIT, str, _GOES_ON, "The same at the limit of tokens.", also=("at_tokens",)),
    _said("session.summary_tokens", "exhaustion.summary_tokens", f.SOME_TOKENS, n.show_tokens, more, "How long the last answer of `summary` may be. It is kept in reserve.", "tokens"),
    _said("session.ask.more", "exhaustion.ask_percent", f.percent(1, 1_000), n.show_percent, more, "How much more `ask` asks for, of the limit as it was first.", "percent", ("amount", "extra")),
    _said("session.ask.timeout", "exhaustion.ask_seconds", f.SPAN, n.show_seconds, more, "How long `ask` waits. After that silence means no.", also=("wait", "after")),
)
# fmt: on

_STEPS = {
    Step.CHEAPER_MODEL: "At this share of the limit that is used most, switch to a cheaper model of `degrade.models`, "
    "where what is ahead then costs less.",
    Step.NO_SUBAGENTS: "From this share on, start no new subagents.",
    Step.COMPACT: "At this share, compact the context.",
    Step.NO_TOOLS: "From this share on, use no more tools and rely on the context.",
    Step.FINISH_SUBTASK: "From this share on, finish the current subtask only.",
}


def _degradation() -> Iterator[Said]:
    for step, meaning in _STEPS.items():
        limit = Limit(
            f"degrade.{step.replace(' ', '_')}",
            ("degradation", "ladder", step),
            _or_off(n.show_percent),
            more,
        )
        yield Said(limit, _SHARE, meaning, "percent")
    meaning = "Ladders of models, each of one vendor, dearest first. A model may be replaced by a later one of the first ladder that names it."
    yield _said("degrade.models", "degradation.models", ListForm(_LADDER, 20), _ladders, _not_kept, meaning)


@dataclass(frozen=True, slots=True)
class _Signal:
    """A runaway signal: what it counts, and how many of what (`of`) it wants to have seen. over: it looks at the last so many.

    floor: below what it says nothing, whatever its threshold.
    """

    form: Form
    shown: Callable[[Any], str]
    threshold: str
    unit: str
    of: str
    over: bool = False
    floor: str = ""
    sample_looser: Looser = more

    @property
    def sample(self) -> str:
        """What its sample means."""
        return (
            f"Over how many of the last {self.of} it is taken."
            if self.over
            else f"How many {self.of} it must have seen first."
        )


_SPIKE = f.percent(101, 100_000)
_COUNT = f.whole(1)
_WINDOW = f.whole(1, 100)
_QUIET = " A minute of one thread's work with fewer than {} is never one."
_SIGNALS = {
    "token_spike": _Signal(_SPIKE, n.show_percent, "Tokens a minute, of the session's own average", "percent", "answers", floor=_QUIET.format(f"{QUIET_TOKENS:,} tokens (cache reads not counted)")),
    "tool_spike": _Signal(_SPIKE, n.show_percent, "Tool calls a minute, of the session's own average", "percent", "calls", floor=_QUIET.format(f"{QUIET_CALLS} calls")),
    "tool_rate": _Signal(_COUNT, n.show_whole, "Tool calls a second", "calls", "calls", over=True),
    "repeats": _Signal(_COUNT, n.show_whole, "Times the same call was made with nothing new in between", "calls", "calls"),
    "likeness": _Signal(_COUNT, n.show_whole, "Answers that say nearly the same as the last one, itself included, or as the last two, each as often", "answers", "answers", over=True, sample_looser=less),
    "no_progress": _Signal(_COUNT, n.show_whole, "Iterations without a new tool call and without a change in the working tree", "iterations", "iterations"),
    "backoff": _Signal(f.span(1, _DAY, "`30s` or `5m`"), n.show_seconds, "How long the agent waits for its vendor without an answer", "", "failed requests"),
}  # fmt: skip


def _runaway() -> Iterator[Said]:
    responds = weaker(Response.OFF, Response.ALERT, Response.THROTTLE, Response.DEGRADE, Response.TRIP)
    for name, signal in _SIGNALS.items():
        said = partial(_of_signal, f"runaway.{name}")
        meaning = f"{signal.threshold}: from here on it is a runaway.{signal.floor}"
        yield said("threshold", signal.form, signal.shown, more, meaning, signal.unit, ("at", "limit"))
        form = _WINDOW if signal.over else _COUNT
        yield said("sample", form, n.show_whole, signal.sample_looser, signal.sample, signal.of, ("window",))
        meaning = "What it does: `off`, `alert`, `throttle`, `degrade`, or `trip` the breaker."
        yield said("response", _RESPONSE, str, responds, meaning, also=("action", "do"))
        meaning = "How many further observations in a row that still show it trip the breaker."
        yield said("persists", _NEVER, _or_never, more_or_never, meaning, "observations")


def _of_signal(signal: str, name: str, *row: Any, **also: Any) -> Said:
    return _said(f"{signal}.{name}", f"{signal}.{name}", *row, **also)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _or_unknown(tokens: int | None) -> str:
    return "unknown" if tokens is None else n.show_tokens(tokens)


def _allowances() -> Iterator[Said]:
    for vendor in ("anthropic", "openai"):
        said = partial(_of_signal, f"windows.{vendor}")
        for name, window in (("five_hours", "5-hour window"), ("week", "week")):
            meaning = f"Tokens the plan allows in a {window}, cache reads not counted. With it a share is estimated where nothing is reported."
            yield said(name, _ALLOWED, _or_unknown, None, meaning, "tokens")


def _or_never(count: int) -> str:
    return n.show_whole(count) if count else "never"


# fmt: off
_BREAKER = (
    _said("breaker.failures", "breaker.failures_percent", f.or_word(f.percent(1, 100), "off", None, _OFF_SLIPS), _or_off(n.show_percent), more, "The breaker opens when this share of a tool's last `breaker.window` calls failed.", "percent", ("failure_rate", "failure_threshold")),
    _said("breaker.sample", "breaker.sample", _COUNT, n.show_whole, more, "How many calls of a tool it must have seen for that.", "calls", ("min_samples", "minimum")),
    _said("breaker.window", "breaker.window", _WINDOW, n.show_whole, other, "How many of the last calls it looks at.", "calls"),
    _said("breaker.only_failed", "breaker.only_failed", _COUNT, n.show_whole, more, "A tool that never worked opens it at this many failures. A tool that runs commands does at twice as many where other work lies between them; the same command run again after a change, such as red tests after an edit, is not counted.", "failures"),
    _said("breaker.repeats", "breaker.repeats", f.or_word(_COUNT, "off", None, _OFF_SLIPS), _or_off(n.show_whole), more, "The same call this often among the last `breaker.window`, with nothing new between, opens it.", "calls"),
    _said("breaker.cost_per_minute", "breaker.cost_per_minute", f.or_word(f.DOLLARS, "off", None, _OFF_SLIPS), _or_off(n.show_dollars), more, "More than this in one minute opens it.", "dollars", ("cost_rate", "burn_rate")),
    _said("breaker.cost_sample", "breaker.cost_sample", _COUNT, n.show_whole, more, "How many answers it must have seen for that.", "answers"),
    _said("breaker.cooldown", "breaker.cooldown", f.SPAN, n.show_seconds, less, "How long it stays open: in the session, and for the next starts of the same agent in this repository."),
    _said("breaker.remember", "breaker.remember", f.YES_NO, n.show_flag, becomes(False), "Whether a breaker that tripped in one session refuses the next ones."),
)
_THROTTLE = (
    _said("throttle.calls_per_minute", "throttle.calls_per_minute", _RATE, n.show_whole, more, "Tool calls a minute; a session that is faster waits.", "calls", ("rate", "per_minute", "calls")),
    _said("throttle.identical_per_minute", "throttle.identical_per_minute", _RATE, n.show_whole, more, "Calls a minute of the same tool with the same arguments.", "calls", ("identical",)),
    _said("throttle.retry", "throttle.retry_pauses", _PAUSES, _or_off(_pauses), _sooner_or_oftener, "The waits before a failed call is tried again. After the last one a person has to release the session; a command, whose failure may be a result such as a red test, after twice as many failures with nothing new between. `off` is no such brake.", also=("retries", "backoff", "retry_pauses")),
)
_SUBTASKS = (
    _said("subtasks.sharing", "subtasks.sharing", f.choice(Sharing), str, _less_than_both, "How a subagent's budget is found: `static`, by its kind; `proportional`, a share of what its parent has left; `hybrid`, by its kind and never above that share.", also=("mode", "strategy")),
    Said(Limit("subtasks.kinds", ("subtasks", "kinds"), shown_kinds, looser_kinds, ("subtasks",), laid_over), f.SOME_TOKENS, "Tokens for a subagent of this kind, cache reads not counted. The first that matches counts, without regard to case; the nearer file's come first.", "tokens", each="<kind>"),
    _said("subtasks.other", "subtasks.other", f.SOME_TOKENS, n.show_tokens, more, "Tokens for a subagent of any other kind, likewise.", "tokens", ("default", "else")),
    _said("subtasks.share", "subtasks.share_percent", f.percent(1, 100), n.show_percent, more, "The share of what its parent has left that one subagent may get.", "percent", ("max_share",)),
    _said("subtasks.fan_out", "subtasks.fan_out", f.whole(0), n.show_whole, more, "Subagents one thread may have at work at once.", "subagents", ("parallel", "max_parallel")),
    _said("subtasks.depth", "subtasks.depth", f.whole(0), n.show_whole, more, "How deep subagents may start subagents; 0 for no subagents at all.", "levels", ("nesting", "max_depth")),
    _said("subtasks.total", "subtasks.total", f.whole(0), n.show_whole, more, "Subagents one session may start in all.", "subagents", ("max", "count")),
)
_HEARTBEAT = (
    _said("heartbeat.interval", "heartbeats.interval", f.span(5, 600, "`60s` or `5m`"), n.show_seconds, more, "How often a session reports to the server and hears its word.", also=("every",)),
    _said("heartbeat.silence", "heartbeats.silence", f.span(30, _DAY, "`10m`"), n.show_seconds, more, "How long an agent may show nothing before people are told.", also=("silent_after",)),
)
_ALLOWED = f.or_word(f.SOME_TOKENS, "unknown", None, ("none", "off", "auto", "?"))
_ON_FULL = f.choice(OnFull, slips=(("block", "defer"), ("refuse", "defer"), ("stop", "defer"), ("wait", "defer"), ("off", "allow"), ("never", "allow"), ("ignore", "allow")))
_WINDOWS = (
    _said("windows.on_full", "windows.on_full", _ON_FULL, str, weaker(OnFull.ALLOW, OnFull.WARN, OnFull.DEFER), "What a start on a plan meets that would run into a window of its vendor (5 hours, a week): `warn`; `defer`, which refuses it and says when the window begins anew; `allow`.", also=("gate", "full")),
    _said("windows.threshold", "windows.threshold", f.percent(1, 100), n.show_percent, more, "From which share on a window counts as nearly full.", "percent", ("at", "warn_at")),
    _said("windows.fit_sessions", "windows.fit_sessions", f.YES_NO, n.show_flag, becomes(False), "Whether a session's time is cut so that it ends before the window is full at the present rate.", also=("fit", "cap_sessions")),
    _said("windows.in_session", "windows.in_session", f.choice(InSession, slips=(("warn", "alert"), ("stop", "suspend"), ("pause", "suspend"))), str, weaker(InSession.ALERT, InSession.SUSPEND), "What a running session does when a window is nearly full: `alert`, or `suspend` until it begins anew.", also=("running",)),
    _said("windows.accounts", "windows.accounts", ListForm(f.ACCOUNT, 50), _names, None, "Accounts, by the vendor's own id, that a warning may name as having room. Advice only: whether people may use another account is between them and the vendor.", also=("account",)),
    *_allowances(),
)
# fmt: on

GOVERNED: tuple[Said, ...] = (
    *_AT_LIMIT,
    *_degradation(),
    *_runaway(),
    *_BREAKER,
    *_THROTTLE,
    *_SUBTASKS,
    *_HEARTBEAT,
    *_WINDOWS,
)
"""Every row, in the order of the documentation."""

SECTIONS: Mapping[str, str] = {
    "session.ask": "What `ask` asks a person.",
    "degrade": "What a session gives up before it reaches a limit, step by step. `off` is no step at all.",
    "runaway": "The signs of an agent that runs away. `off` is none of them.",
    **{f"runaway.{name}": f"{signal.threshold}. A bare word is its `response`." for name, signal in _SIGNALS.items()},
    "breaker": "What stops an agent that goes wrong: failing tools, repeated calls, cost that runs away.",
    "throttle": "How fast a session may go.",
    "subtasks": "What subagents may use.",
    "subtasks.kinds": "Tokens by kind of subagent, as the agent names it; `*` stands for any characters.",
    "heartbeat": "How a running session and the server hear of each other.",
    "windows": "How sessions and the windows of their vendors' plans get along.",
    "windows.anthropic": "What Anthropic's plan allows, for estimates where nothing is reported.",
    "windows.openai": "What OpenAI's plan allows, likewise.",
}
"""The sections of these keys, and what each is about."""

ALSO_SECTIONS: Mapping[str, str] = {
    "degradation": "degrade",
    "ladder": "degrade",
    "detection": "runaway",
    "signals": "runaway",
    "circuit_breaker": "breaker",
    "rate_limit": "throttle",
    "rate_limits": "throttle",
    "throttling": "throttle",
    "subagents": "subtasks",
    "subtask": "subtasks",
    "heartbeats": "heartbeat",
    "gauges": "windows",
    "vendor_windows": "windows",
    "plan": "windows",
    "plans": "windows",
}
"""What people call them first."""

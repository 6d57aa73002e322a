"""Admission: may a session start? One decision over plain facts, taken while its budgets are locked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tabstop.budget import Amount, Budget, Scope, asking, show_amount, standing
from tabstop.explain import approvers_in_words
from tabstop.gauge import GaugeReading
from tabstop.gauge_gate import Asked, at_the_windows
from tabstop.governor.settings import UnknownPrice
from tabstop.hold import auto_hold
from tabstop.policy.model import OnEmpty, Policy, SessionLimits
from tabstop.quantity import plural
from tabstop.usage import Billing
from tabstop.verdict import Finding, Outcome, Signal, Verdict, verdict_of

RETRY_AFTER = timedelta(minutes=1)
"""When to ask again while other sessions hold what is left: their usage and endings arrive at about this rate."""


_SHOWN = frozenset({Scope.TAB, Scope.GUEST, Scope.REPOSITORY})
"""Budgets whose figures a shared surface may show."""


@dataclass(frozen=True, slots=True)
class StartFacts:
    """Everything one start is decided on.

    budgets: each budget the session would touch, locked. downgrade: the engineer's budget for cheaper models, where the
    policy offers one. subjects: what people call each scope (`tab` → branch, `repository` → `acme/web`).
    gauges: the engineer's newest readings of their vendors' windows; vendor: whose windows this start draws on.
    needed: what 9 of 10 recent sessions of this repository and agent needed; None without history.
    others: findings known before money is looked at (an open breaker, a pause, a policy that cannot be read).
    """

    now: datetime
    policy: Policy
    budgets: tuple[Budget, ...]
    billing: Billing = Billing.UNKNOWN
    purpose: str = ""
    model: str = ""
    downgrade: Budget | None = None
    needed: Amount | None = None
    gauges: tuple[GaugeReading, ...] = ()
    vendor: str = ""
    subjects: dict[str, str] = field(default_factory=dict)
    others: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer. `budgets` are those the hold is set against; with a downgrade the engineer's own is not among them.

    limits: what bounds the session, already narrowed to the room there is. models: the only models it may use; empty
    for any. hold: nothing when refused.
    """

    verdict: Verdict
    hold: Amount = Amount()
    limits: SessionLimits = field(default_factory=SessionLimits)
    models: tuple[str, ...] = ()
    budgets: tuple[Budget, ...] = ()

    @property
    def admitted(self) -> bool:
        """Whether the session may start."""
        return self.verdict.outcome is not Outcome.STOP


def may_start(facts: StartFacts) -> Admission:
    """Decide a start. When it is admitted, spent + held + hold is within every cap of `Admission.budgets`."""
    before_money = [*facts.others, *_purpose(facts)]
    offer = _offer(facts, facts.budgets, facts.policy.session)
    engineer = next((f for f in offer.stops if f.scope == Scope.ENGINEER), None)
    if engineer and facts.policy.on_empty is OnEmpty.DOWNGRADE and engineer.cause == "spent" and facts.downgrade:
        offer = _downgraded(facts, facts.downgrade, engineer)
    stops = [_explained(stop, facts) for stop in offer.stops]
    asked = Asked(
        facts.vendor, facts.model, facts.billing, facts.subjects.get(Scope.ENGINEER, ""), offer.limits, facts.now
    )
    windows, limits = at_the_windows(facts.gauges, asked, facts.policy.windows)
    verdict = verdict_of(*before_money, *stops, *windows, *offer.standings, *_unknown_prices(facts, offer.budgets))
    if verdict.outcome is Outcome.STOP:
        return Admission(verdict)
    return Admission(verdict, offer.hold, limits, offer.models, offer.budgets)


@dataclass(frozen=True, slots=True)
class _Offer:
    budgets: tuple[Budget, ...]
    hold: Amount
    limits: SessionLimits
    stops: tuple[Finding, ...]
    standings: tuple[Finding, ...]
    models: tuple[str, ...] = ()


def _offer(facts: StartFacts, budgets: tuple[Budget, ...], limits: SessionLimits) -> _Offer:
    hold = _hold(facts, budgets, limits)
    stops: list[Finding] = []
    standings: list[Finding] = []
    for budget in budgets:
        subject = facts.subjects.get(budget.key.scope, "")
        refusal = asking(budget, hold, subject, facts.now + RETRY_AFTER)
        if refusal:
            stops.append(refusal)
        else:
            standings.append(standing(budget, facts.policy.steps, subject))
    return _Offer(budgets, hold, _narrowed(facts, limits, budgets), tuple(stops), tuple(standings))


def _hold(facts: StartFacts, budgets: tuple[Budget, ...], limits: SessionLimits) -> Amount:
    """Sessions whose dollars do not count hold tokens only."""
    unlimited = 2**62
    cap = Amount(
        unlimited if limits.cost is None else limits.cost, unlimited if limits.tokens is None else limits.tokens
    )
    hold = auto_hold(facts.needed, cap, budgets)
    if facts.policy.hold is not None:
        hold = replace(hold, nano=min(facts.policy.hold, cap.nano))
    return hold if _dollars_count(facts) else replace(hold, nano=0)


def _dollars_count(facts: StartFacts) -> bool:
    """Whether what the session costs is charged to its budgets: not where it is only a subscription's equivalent."""
    return facts.policy.subscription_counts or not facts.billing.notional


def _narrowed(facts: StartFacts, limits: SessionLimits, budgets: tuple[Budget, ...]) -> SessionLimits:
    """The session's limits cut to the room of its budgets, so that a lone session cannot pass a cap it can see.

    Limits are shown in job logs. Where the policy leaves one open, only a tab's or repository's room takes its place:
    an engineer's or the organization's would tell everybody what they have left (promise 12).
    """
    cost, tokens = limits.cost, limits.tokens
    for budget in budgets:
        shared = budget.key.scope in _SHOWN
        if budget.nano_room is not None and _dollars_count(facts) and (shared or limits.cost is not None):
            cost = budget.nano_room if cost is None else min(cost, budget.nano_room)
        if budget.token_room is not None and (shared or limits.tokens is not None):
            tokens = budget.token_room if tokens is None else min(tokens, budget.token_room)
    return replace(limits, cost=cost, tokens=tokens)


def _downgraded(facts: StartFacts, downgrade: Budget, emptied: Finding) -> _Offer:
    budgets = tuple(downgrade if b.key.scope is Scope.ENGINEER else b for b in facts.budgets)
    offered = facts.policy.downgrade
    cost = offered.cost if facts.policy.session.cost is None else min(offered.cost, facts.policy.session.cost)
    offer = _offer(facts, budgets, replace(facts.policy.session, cost=cost))
    warning = replace(
        emptied,
        outcome=Outcome.WARN,
        remedy=f"This session may use only {', '.join(offered.models) or 'cheaper models'}, "
        f"and {show_amount(cost, 'usd')} at most.",
    )
    return replace(offer, models=offered.models, standings=(warning, *offer.standings))


def _explained(stop: Finding, facts: StartFacts) -> Finding:
    """Say what the reader can do: promise 7."""
    if stop.cause == "held":
        return replace(stop, remedy="Other sessions hold what is left; ask again when one has ended.")
    who = approvers_in_words(facts.policy.approvers)
    if stop.scope == Scope.ENGINEER and facts.policy.on_empty is OnEmpty.ASK:
        return replace(stop, remedy=f"Ask {who} for a raise of this budget (an overdrive).")
    wait = "Wait for the next window, or ask" if stop.until else "Ask"
    return replace(stop, remedy=f"{wait} {who} for a raise of this budget (an overdrive).")


def _purpose(facts: StartFacts) -> list[Finding]:
    allowed = facts.policy.purposes
    if not allowed or facts.purpose in allowed:
        return []
    found = f"the purpose {facts.purpose!r}" if facts.purpose else "no purpose"
    return [
        Finding(
            Signal.POLICY,
            Outcome.STOP,
            "purpose",
            sentence=f"This start names {found}; the policy allows {', '.join(allowed)}.",
            remedy="Set the action's `purpose` input to one of them.",
        )
    ]


def _unknown_prices(facts: StartFacts, budgets: tuple[Budget, ...]) -> list[Finding]:
    """Of the tab, which has to answer for its own calls; of the repository where there is no tab."""
    found = {budget.key.scope: budget.unknown_usages for budget in budgets}
    if Scope.TAB in found:
        return [unpriced(found[Scope.TAB], facts.policy)] if found[Scope.TAB] else []
    count = found.get(Scope.REPOSITORY, 0)
    return [unpriced(count, facts.policy, "in this repository")] if count else []


def unpriced(count: int, policy: Policy, where: str = "on this tab") -> Finding:
    """The finding about usage that has no price: warns or stops as the policy says."""
    blocks = policy.unknown_price is UnknownPrice.BLOCK
    return Finding(
        Signal.PRICE,
        Outcome.STOP if blocks else Outcome.WARN,
        "unknown_price",
        sentence=f"{plural(count, 'call')} {where} {'has' if count == 1 else 'have'} no known price, "
        "so the true cost is higher than shown.",
        remedy="Add the model under `prices` in the policy; past calls are then repriced.",
    )

"""Budgets as text bars with their numbers, those beside the tab's own as this surface may show them, and the overrun."""

from __future__ import annotations

from app.jobs.tab_facts import Standing, TabFacts
from app.ledger.books import Cause
from app.render.tab_words import reader
from tabstop.budget import Amount, Budget, show_amount
from tabstop.explain import budget_name, explain
from tabstop.markdown import bar, prose
from tabstop.quantity import percent
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.visibility import for_reader

CAUSES = {
    Cause.OVERSHOOT: "running sessions used more than they had set aside",
    Cause.LATE: "usage reported after its session had ended",
    Cause.UNADMITTED: "usage without an admitted session",
    Cause.MOVED: "usage moved here from elsewhere",
    Cause.REPRICED: "usage priced anew",
    Cause.CORRECTED: "usage a better source corrected",
    Cause.ADMITTED: "a cap that was lowered or an overdrive that ended",
}
"""Why spend is past a cap although no start was admitted over it, in words for people."""


def bars(facts: TabFacts) -> list[str]:
    """A code block with a bar for every cap of the tab, so that it lines up in mail and in a terminal too."""
    rows = [row for budget in facts.budgets for row in _rows(budget)]
    return ["```text", *rows, "```"]


def _rows(budget: Budget) -> list[str]:
    rows = []
    for unit, spent, held, ceiling, raised in (
        ("usd", budget.spent.nano, budget.held.nano, budget.nano_ceiling, budget.raised.nano),
        ("tokens", budget.spent.tokens, budget.held.tokens, budget.token_ceiling, budget.raised.tokens),
    ):
        if ceiling is None:
            continue
        share = percent(spent, ceiling)
        row = f"{bar(share)} {share:>3} %  {show_amount(spent, unit)} of {show_amount(ceiling, unit)}"
        notes = [f"{show_amount(held, unit)} held by running sessions"] if held else []
        notes += [f"{show_amount(raised, unit)} of the cap is an overdrive"] if raised else []
        rows.append(row + (f" ({', '.join(notes)})" if notes else ""))
    return rows or [f"{show_amount(budget.spent.nano, 'usd')} spent, no cap"]


def beside(facts: TabFacts) -> list[str]:
    """A line for every other budget: its figures where they may be shown, else how it stands."""
    return [f"- {_standing(standing, facts)}" for standing in facts.standings]


def _standing(standing: Standing, facts: TabFacts) -> str:
    found = standing.finding or Finding(
        Signal.BUDGET, standing.outcome, standing.scope.value, subject=standing.subject, until=standing.until
    )
    shown = for_reader(found, reader(facts))
    if shown.unit:
        said = prose(explain(shown, facts.now))
    else:
        said = prose(_state(shown))
    if shown.outcome is Outcome.STOP:
        said += " New sessions that draw on it are refused; this check does not depend on it."
    return said


def _state(finding: Finding) -> str:
    """A state for a list that says once, above it, why there are no figures."""
    words = {Outcome.ALLOW: "has room", Outcome.WARN: "is nearly spent", Outcome.STOP: "is spent"}
    name = budget_name(finding)
    return f"{name[:1].upper()}{name[1:]} {words[finding.outcome]}."


def reasons(facts: TabFacts) -> list[str]:
    """What the policy says about this cap, and how spend could pass it."""
    lines = [f"The policy's reason for this cap: {prose(b.why.rstrip('.'))}." for b in facts.budgets if b.why]
    for budget in facts.budgets:
        if budget.overrun != Amount():
            lines.append(_overrun(budget.overrun, facts.overrun_causes))
    return lines


def _overrun(overrun: Amount, causes: tuple[tuple[Cause, Amount], ...]) -> str:
    unit = "usd" if overrun.nano else "tokens"
    past = overrun.nano or overrun.tokens
    said = f"**Overrun: {show_amount(past, unit)} past the cap.** No session was admitted over it"
    named = [
        f"{show_amount(amount.nano if unit == 'usd' else amount.tokens, unit)} {CAUSES[cause]}"
        for cause, amount in causes
        if (amount.nano if unit == "usd" else amount.tokens)
    ]
    if named:
        return f"{said}; what took spend past it: {'; '.join(named)}."
    return f"{said}; a running session's last call, late usage, a new price or a lowered cap can still pass it."

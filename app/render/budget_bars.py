"""Budgets as text bars with their numbers, those beside the tab's own as this surface may show them, and the overrun."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.jobs.tab_facts import Standing, TabFacts
from app.ledger.books import Cause
from app.render.tab_words import of, reader
from tabstop.budget import Amount, Budget, show_amount
from tabstop.explain import budget_name, explain, moment
from tabstop.markdown import bar, prose
from tabstop.quantity import percent, plural
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.visibility import for_reader

CAUSES = {
    Cause.OVERSHOOT: "running sessions that used more than they had set aside",
    Cause.LATE: "usage reported after its session had ended",
    Cause.UNADMITTED: "usage without an admitted session",
    Cause.MOVED: "usage moved here from elsewhere",
    Cause.REPRICED: "usage priced anew",
    Cause.CORRECTED: "usage a better source corrected",
    Cause.ADMITTED: "a lowered cap or an overdrive that ended",
}
"""Why spend is past a cap although no start was admitted over it, in words for people."""


def bars(facts: TabFacts) -> list[str]:
    """A code block with a bar for every cap of the tab, so that it lines up in mail and in a terminal too."""
    rows = [row for budget in facts.budgets for row in _rows(budget)]
    return ["```text", *rows, "```"]


def _rows(budget: Budget) -> list[str]:
    rows = []
    unpriced = budget.unknown_usages
    for unit, spent, held, ceiling, raised, unknown in (
        ("usd", budget.spent.nano, budget.held.nano, budget.nano_ceiling, budget.raised.nano, unpriced),
        ("tokens", budget.spent.tokens, budget.held.tokens, budget.token_ceiling, budget.raised.tokens, 0),
    ):
        if ceiling is None:
            continue
        share = percent(spent, ceiling)
        row = f"{bar(share)} {share:>3} %  {of(unit, spent, ceiling)}"
        notes = [f"{show_amount(held, unit)} held by running sessions"] if held else []
        notes += [f"{show_amount(raised, unit)} of the cap is an overdrive"] if raised else []
        notes += (
            [f"without {plural(unknown, 'call')} that {'has' if unknown == 1 else 'have'} no price"] if unknown else []
        )
        rows.append(row + (f" ({', '.join(notes)})" if notes else ""))
    return rows or [f"{show_amount(budget.spent.nano, 'usd')} spent, no cap"]


def beside(facts: TabFacts) -> list[str]:
    """A line for every other budget: its figures where they may be shown, else how it stands."""
    shown = [_shown(standing, facts) for standing in facts.standings]
    lines = [f"- {prose(_said(finding, facts.now))}" for finding in shown]
    if all(finding.unit for finding in shown):
        return lines
    return [*lines, "", "Figures not shown here are for the engineer concerned and for approvers."]


def _shown(standing: Standing, facts: TabFacts) -> Finding:
    found = standing.finding or Finding(
        Signal.BUDGET, standing.outcome, standing.scope.value, subject=standing.subject, until=standing.until
    )
    return for_reader(found, reader(facts))


def _said(finding: Finding, now: datetime) -> str:
    refuses = "New sessions that draw on it are refused; this check does not depend on it."
    if finding.unit:
        return explain(replace(finding, remedy=refuses if finding.outcome is Outcome.STOP else ""), now)
    words = {Outcome.ALLOW: "has room", Outcome.WARN: "is nearly spent", Outcome.STOP: "is spent"}
    name = budget_name(finding)
    said = f"{name[:1].upper()}{name[1:]} {words[finding.outcome]}."
    if finding.outcome is not Outcome.STOP:
        return said
    afresh = f" It starts afresh on {moment(finding.until, now)}." if finding.until else ""
    return f"{said}{afresh} {refuses}"


def reasons(facts: TabFacts) -> list[str]:
    """What the policy says about this cap, and how spend could pass it."""
    lines = [f"The policy's reason for this cap: {prose(b.why.rstrip('.'))}." for b in facts.budgets if b.why]
    overruns = [budget.overrun for budget in facts.budgets if budget.overrun != Amount()]
    lines += [_overrun(overrun, facts.overrun_causes) for overrun in overruns]
    return [line for paragraph in lines for line in ("", paragraph)][1:]


def _overrun(overrun: Amount, causes: tuple[tuple[Cause, Amount], ...]) -> str:
    unit = "usd" if overrun.nano else "tokens"
    past = overrun.nano or overrun.tokens
    said = f"**Overrun: {show_amount(past, unit)} past the cap.** No session was admitted over it"
    named = [
        f"{CAUSES[cause]} ({show_amount(amount.nano if unit == 'usd' else amount.tokens, unit)})"
        for cause, amount in causes
        if (amount.nano if unit == "usd" else amount.tokens)
    ]
    if named:
        return f"{said}; what took it there: {', '.join(named)}."
    return f"{said}; a running session's last call, late usage, a new price or a lowered cap can still pass it."

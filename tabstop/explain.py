"""explain: findings in words. Which budget, spent or held, its arithmetic, until when, why, who can do what. Standard library only.

Sentences are plain text in which names stand in `backquotes`; `tabstop.markdown` and the chat turn them into their own.
"""

from __future__ import annotations

from datetime import UTC, datetime

from tabstop.budget import Scope, show_amount
from tabstop.markdown import plain, prose
from tabstop.policy.problem import quoted
from tabstop.quantity import percent, plural, span
from tabstop.verdict import Finding, Outcome, Signal, Verdict

_COUNTED = {"tool_calls": "tool call", "iterations": "iteration", "tokens": "token", "cost": "cost"}


def explain(finding: Finding, now: datetime) -> str:
    """What a finding says, in a few short sentences: what is the matter with its numbers, until when, what can be done."""
    parts = [finding.sentence or _matter(finding)]
    if finding.signal is Signal.BUDGET and finding.outcome is not Outcome.ALLOW:
        parts += _when(finding, now)
    parts.append(finding.remedy)
    if finding.why:
        parts.append(f"The policy's reason for this cap: {finding.why.rstrip('.')}.")
    return " ".join(part.strip() for part in parts if part.strip())


def headline(verdict: Verdict) -> str:
    """A verdict in one line without markup, for titles: its worst reason, and how many more there are."""
    reasons = verdict.reasons
    if not reasons:
        return "Every budget has room"
    more = f" (and {plural(len(reasons) - 1, 'more reason')})" if len(reasons) > 1 else ""
    return plain(_short(reasons[0])) + more


def refusal(verdict: Verdict, now: datetime) -> list[str]:
    """Why a start was refused: a line for each reason, worst first, and when asking again can help. Empty unless refused."""
    if verdict.outcome is not Outcome.STOP:
        return []
    lines = [explain(finding, now) for finding in verdict.reasons]
    retry = verdict.retry_at
    if retry is not None:
        lines.append(f"Asking again can help from {moment(retry, now)}.")
    return lines


def refusal_markdown(verdict: Verdict, now: datetime) -> str:
    """The same as Markdown for a job summary: a heading, a list, and the budgets that do have room."""
    if verdict.outcome is not Outcome.STOP:
        return ""
    reasons = [f"- {prose(line)}" for line in refusal(verdict, now)]
    others = [f for f in verdict.findings if f.signal is Signal.BUDGET and f.outcome is not Outcome.STOP]
    rest = ["", "Not the reason:", "", *(f"- {prose(_matter(f))}" for f in others)] if others else []
    title = f"### Not started: {_lower(prose(headline(verdict)))}"
    return "\n".join([title, "", *reasons, *rest, ""])


def budget_name(finding: Finding) -> str:
    """What people call the budget of a finding, to be continued by a verb: `the budget of acme/web for November 2026`."""
    who = quoted(finding.subject) if finding.subject else ""
    match finding.scope:
        case Scope.TAB:
            name = f"the tab's budget ({who})" if who else "the tab's budget"
        case Scope.ENGINEER:
            name = f"{who}'s budget" if who else "the engineer's budget"
        case Scope.DOWNGRADE:
            name = f"{who}'s budget for cheaper models" if who else "the engineer's budget for cheaper models"
        case Scope.GUEST:
            name = f"the guest budget of {who}" if who else "the repository's guest budget"
        case Scope.REPOSITORY:
            name = f"the budget of {who}" if who else "the repository's budget"
        case _:
            name = "the organization's budget"
    return name + _for_window(finding.window)


def arithmetic(finding: Finding) -> str:
    """`$48.20 spent + $2.00 held of $50.00, $2.00 asked`; empty where the numbers are not shown."""
    if not finding.unit:
        return ""
    sums = f"{show_amount(finding.spent, finding.unit)} spent"
    if finding.held:
        sums += f" + {show_amount(finding.held, finding.unit)} held"
    if finding.cap is not None:
        sums += f" of {show_amount(finding.cap, finding.unit)}"
        if finding.raised:
            sums += f" ({show_amount(finding.raised, finding.unit)} of it an overdrive)"
    if finding.asked:
        sums += f", {show_amount(finding.asked, finding.unit)} asked"
    return sums


def moment(at: datetime, now: datetime) -> str:
    """A time as people read it, with its distance: `1 December 2026 00:00 UTC, in 9 days`."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y %H:%M} UTC, {_distance(int((at - now).total_seconds()))}"


def _distance(seconds: int) -> str:
    if seconds <= 0:
        return "now"
    days = seconds // 86_400
    return f"in {plural(days, 'day')}" if days >= 2 else f"in {span(seconds)}"


def _matter(finding: Finding) -> str:
    """The first sentence: what is the matter, with the numbers."""
    if finding.signal is Signal.LIMIT:
        return _limit(finding)
    if finding.signal is not Signal.BUDGET:
        return f"{finding.signal.value.capitalize()}: {finding.scope.replace('_', ' ')}."
    sums = arithmetic(finding)
    if not sums:
        return f"{_short(finding)}; {_who_sees(finding)}."
    return f"{_short(finding)}: {sums}."


def _short(finding: Finding) -> str:
    """A finding in a clause, without arithmetic."""
    if finding.sentence:
        return _cut(finding.sentence.rstrip("."))
    if finding.signal is not Signal.BUDGET:
        return _matter(finding).rstrip(".")
    name = budget_name(finding)
    if finding.cause == "held":
        return f"Other sessions hold what is left of {name}"
    return _upper(f"{name} {_state(finding)}")


def _state(finding: Finding) -> str:
    if finding.outcome is Outcome.STOP or finding.cause == "spent":
        used_up = not finding.unit or finding.cap is None or finding.spent >= finding.cap
        return "is spent" if used_up else "has too little left"
    if finding.cap is None:
        if finding.unit:
            return "has no cap"
        return "has room" if finding.outcome is Outcome.ALLOW else "is nearly spent"
    if finding.outcome is Outcome.WARN:
        return f"is {percent(finding.spent, finding.cap)} % spent"
    return "has room"


def _when(finding: Finding, now: datetime) -> list[str]:
    """Until when it stays so; other sessions' holds end sooner than a window does."""
    if finding.cause == "held" or finding.until is None:
        return []
    return [f"It starts afresh on {moment(finding.until, now)}."]


def _who_sees(finding: Finding) -> str:
    match finding.scope:
        case Scope.ENGINEER | Scope.DOWNGRADE:
            return "its figures are shown to that engineer and to approvers"
        case Scope.ORGANIZATION:
            return "its figures are shown to approvers"
    return "its figures are not shown in a public place"


def _limit(finding: Finding) -> str:
    used, cap = _measured(finding, finding.spent), _measured(finding, finding.cap or 0)
    if finding.cap is None:
        return f"This session has used {used}, without a limit."
    if finding.outcome is Outcome.STOP:
        return f"This session reached its limit of {cap}: {used} used."
    return f"This session has used {used} of the {cap} it may use ({percent(finding.spent, finding.cap)} %)."


def _measured(finding: Finding, amount: int) -> str:
    if finding.scope.startswith("wall_clock"):
        return span(amount)
    if finding.unit:
        return show_amount(amount, finding.unit)
    return plural(amount, _COUNTED.get(finding.scope, finding.scope.replace("_", " ").rstrip("s")))


def _for_window(window: str) -> str:
    if not window or window == "in all":
        return ""
    return f" for the {window}" if window.startswith("week") else f" for {window}"


def _cut(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]

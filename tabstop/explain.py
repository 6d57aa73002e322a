"""explain: findings in words. Which budget, spent or held, its arithmetic, until when, why, who can do what. Standard library only.

Sentences are plain text in which names stand in `backquotes`; `tabstop.markdown` and the chat turn them into their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from tabstop.budget import Scope, show_amount
from tabstop.gauge_outlook import window_in_words
from tabstop.markdown import plain, prose
from tabstop.money import show as show_money
from tabstop.money import show_exact
from tabstop.policy.problem import quoted
from tabstop.quantity import listed, percent, plural, span
from tabstop.quantity import tokens as show_tokens
from tabstop.verdict import Finding, Outcome, Signal, Verdict


def explain(finding: Finding, now: datetime) -> str:
    """What a finding says, in a few short sentences: what is the matter with its numbers, until when, what can be done."""
    parts = [finding.sentence or _matter(finding), unplaced(finding)]
    if finding.signal is Signal.BUDGET and finding.outcome is not Outcome.ALLOW:
        parts += _when(finding, now)
    if finding.signal is Signal.GAUGE and not finding.sentence and finding.until is not None:
        parts.append(f"It begins anew on {moment(finding.until, now)}.")
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
    said = len(verdict.reasons) == 1 and verdict.reasons[0].signal is Signal.GAUGE  # by its remedy
    if retry is not None and not said:
        lines.append(f"Asking again can help from {moment(retry, now)}.")
    return lines


def refusal_markdown(verdict: Verdict, now: datetime) -> str:
    """The same as Markdown for a job summary: a heading, a list, and the budgets that do have room."""
    if verdict.outcome is not Outcome.STOP:
        return ""
    reasons = [f"- {prose(line)}" for line in refusal(verdict, now)]
    others = [
        f for f in verdict.findings if f.signal is Signal.BUDGET and f.outcome is not Outcome.STOP and not f.cause
    ]
    looked_at = [f"- {prose(f'{_matter(f)} {unplaced(f)}'.strip())}" for f in others]
    rest = ["", "Looked at as well:", "", *looked_at] if others else []
    title = f"### Not started: {prose(continued(headline(verdict)))}"
    return "\n".join([title, "", *reasons, *rest, ""])


def continued(text: str) -> str:
    """A headline after a colon: small, unless it begins with a name."""
    return text[:1].lower() + text[1:] if text.startswith(("The ", "This ", "Other ", "An ", "Every ")) else text


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
    show = _shower(finding)
    sums = f"{show(finding.spent)}{' tokens' if finding.unit == 'tokens' else ''} spent"
    if finding.held:
        sums += f" + {show(finding.held)} held"
    if finding.cap is not None:
        sums += f" of {show(finding.cap)}"
        if finding.raised:
            sums += f" ({show(finding.raised)} of it an overdrive)"
    if finding.asked:
        sums += f", {show(finding.asked)} asked"
    return sums


def unplaced(finding: Finding) -> str:
    """What of a budget's spend lies on no pull request and no branch, and who lists it; empty for nothing, or where it is not shown."""
    if not finding.unplaced:
        return ""
    amount = show_amount(finding.unplaced, finding.unit)
    return f"Of it {amount} is on no pull request or branch; operators list that with `python -m app.cli unplaced`."


def _shower(finding: Finding) -> Callable[[int], str]:
    """How to print this finding's amounts: in cents, or in full where rounding would make two of them look alike."""
    if finding.unit == "tokens":
        return "{:,}".format
    amounts = {finding.spent, finding.held, finding.asked, finding.cap or 0}
    return show_money if len({show_money(a) for a in amounts}) == len(amounts) else show_exact


def approvers_in_words(approvers: Sequence[str]) -> str:
    """Who may grant a raise: "`carol` or the team `platform`"; an organization owner where the policy names nobody."""
    names = [f"the team {quoted(a[5:])}" if a.startswith("team:") else quoted(a) for a in approvers]
    return listed(names, "or") or "an organization owner"


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
    if finding.signal is Signal.GAUGE:
        return _gauge(finding)
    if finding.signal is not Signal.BUDGET:
        return f"{finding.signal.value.capitalize()}: {finding.scope.replace('_', ' ')}."
    sums = arithmetic(finding)
    if not sums:
        return f"{_upper(budget_name(finding))} {_state(finding)}; {_who_sees(finding)}."
    return f"{_upper(budget_name(finding))} {_state(finding)}: {sums}."


def _short(finding: Finding) -> str:
    """A finding in a clause, without arithmetic."""
    if finding.sentence:
        return _cut(finding.sentence.partition(". ")[0].rstrip("."))
    if finding.signal is not Signal.BUDGET:
        return _matter(finding).rstrip(".")
    name = budget_name(finding)
    if finding.cause == "held":
        return f"Other sessions hold what is left of {name}"
    return _upper(f"{name} {_state(finding)}")


def _state(finding: Finding) -> str:
    if finding.cause == "held":
        return "has too little free now"
    if finding.outcome is Outcome.STOP or finding.cause == "spent":
        used_up = not finding.unit or finding.cap is None or finding.spent >= finding.cap
        return "is spent" if used_up else "has too little left"
    if finding.cap is None:
        if finding.unit:
            return "has no cap"
        return "has room" if finding.outcome is Outcome.ALLOW else "is nearly spent"
    if finding.outcome is Outcome.WARN:
        return f"is at {percent(finding.spent, finding.cap)} %"
    return "has room" if finding.spent + finding.held < finding.cap else "has nothing free now"


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
    return "the repository is public, so its figures are not shown here"


def _gauge(finding: Finding) -> str:
    """Its state only: the numbers are in the sentence of those who may see them."""
    whose = f"{quoted(finding.subject)}'s" if finding.subject else "The engineer's"
    state = "is nearly full" if finding.cause == "full" else "fills fast"
    return f"{whose} {window_in_words(finding.scope)} at the vendor {state}; its figures are shown to that engineer and to approvers."


def _limit(finding: Finding) -> str:
    used = _measured(finding, finding.spent)
    if finding.cap is None:
        return f"This session has used {used}{_counted(finding, finding.spent)}, without a limit."
    cap = _measured(finding, finding.cap) + _counted(finding, finding.cap)
    if finding.outcome is Outcome.STOP:
        return f"This session reached its limit of {cap} ({used} used)."
    return f"This session has used {used} of its {cap} ({percent(finding.spent, finding.cap)} %)."


def _measured(finding: Finding, amount: int) -> str:
    if finding.scope.startswith("wall_clock"):
        return span(amount)
    if finding.unit == "tokens":
        return show_tokens(amount)
    return show_money(amount) if finding.unit else f"{amount:,}"


def _counted(finding: Finding, amount: int) -> str:
    """What is counted, where the amount does not say it itself: ` tool calls`."""
    if finding.unit == "usd" or finding.scope.startswith("wall_clock"):
        return ""
    noun = finding.scope.replace("_", " ").rstrip("s")
    return f" {noun}" if amount == 1 else f" {noun}s"


def _for_window(window: str) -> str:
    if not window or window == "in all":
        return ""
    return f" for the {window}" if window.startswith("week") else f" for {window}"


def _cut(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]

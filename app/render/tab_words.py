"""What one says of a tab in a line: its figure, its state, and what to do next. Check and comment share these words."""

from __future__ import annotations

from app.jobs.tab_facts import TabFacts
from tabstop.budget import Budget, show_amount
from tabstop.conclusion import Conclusion
from tabstop.explain import approvers_in_words
from tabstop.governor.settings import UnknownPrice
from tabstop.markdown import code, prose
from tabstop.money import show
from tabstop.policy.model import CheckMode
from tabstop.quantity import percent, plural
from tabstop.verdict import Outcome, Signal
from tabstop.visibility import Reader, Surface
from tabstop.window_share import in_words


def leading(facts: TabFacts) -> Budget:
    """The tab's budget that is used most: the one to speak of in a line."""
    return max(facts.budgets, key=lambda budget: budget.spent_percent)


def reader(facts: TabFacts) -> Reader:
    """Whoever reads a pull request of this repository."""
    return Reader(Surface.PULL_REQUEST, public=not facts.repository.private)


def is_red(facts: TabFacts) -> bool:
    """Whether the tab's own budget refuses new sessions."""
    return any(f.signal is Signal.BUDGET and f.outcome is Outcome.STOP for f in facts.verdict.findings)


def figure(budget: Budget) -> str:
    """`$12.40 of $50.00`, in the unit with the larger share; `$12.40` where nothing is capped."""
    unit, spent, ceiling = binding(budget)
    return show_amount(spent, unit) if ceiling is None else of(unit, spent, ceiling)


def of(unit: str, spent: int, ceiling: int) -> str:
    """`$12.40 of $50.00`, `1.8M of 2M tokens`."""
    return f"{show_amount(spent, unit).removesuffix(' tokens')} of {show_amount(ceiling, unit)}"


def binding(budget: Budget) -> tuple[str, int, int | None]:
    """Unit, spent and ceiling of the cap that is used most; dollars without a ceiling where there is no cap."""
    dollars = ("usd", budget.spent.nano, budget.nano_ceiling)
    tokens = ("tokens", budget.spent.tokens, budget.token_ceiling)
    if budget.token_ceiling is None:
        return dollars
    if budget.nano_ceiling is None:
        return tokens
    by_dollars = percent(budget.spent.nano, budget.nano_ceiling)
    return tokens if percent(budget.spent.tokens, budget.token_ceiling) > by_dollars else dollars


def title(facts: TabFacts) -> str:
    """The check's title, without markup: what is wrong, if anything, and the figure."""
    budget = leading(facts)
    said = _short_figure(facts, budget)
    problems = len(facts.policy_edit.problems) if facts.policy_edit else 0
    if problems:
        return f"The policy in this pull request has {plural(problems, 'problem')} · {said}"
    if facts.conclusion.rank > facts.own_conclusion.rank:
        worst = next((tab.number for tab in facts.shared_with if tab.conclusion is facts.conclusion), None)
        return f"#{worst} at the same commit decides · {said}" if worst else said
    if is_red(facts):
        return f"Budget spent: {said}"
    if facts.unpriced:
        calls = f"{plural(facts.unpriced, 'call')} without a price"
        return f"At least {said} · {calls}" if budget.spent.nano else f"Cost not known: {calls}"
    if facts.notional and not facts.policy.policy.subscription_counts:
        return f"{said} · {show(facts.notional)} notional"
    return said


def _short_figure(facts: TabFacts, budget: Budget) -> str:
    if not has_spend(facts):
        return f"No agent spend yet{_cap_clause(budget)}"
    _, _, ceiling = binding(budget)
    if ceiling is None:
        return f"{figure(budget)} spent, no cap"
    return f"{figure(budget)} — {budget.spent_percent} %"


def _cap_clause(budget: Budget) -> str:
    unit, _, ceiling = binding(budget)
    return "" if ceiling is None else f" · {show_amount(ceiling, unit)} available"


def has_spend(facts: TabFacts) -> bool:
    """Whether any usage was counted on this tab, priced or not."""
    return bool(facts.notional or facts.unpriced or any(b.spent.nano or b.spent.tokens for b in facts.budgets))


def state(facts: TabFacts) -> str:
    """How the tab stands and what that means for new sessions, in one or two sentences of Markdown."""
    budget = leading(facts)
    if facts.tab.ended_at is not None:
        return f"This tab is closed. It came to **{figure(budget)}**."
    if not facts.session_count and not has_spend(facts):
        return "No agent session has run on this branch. When one does, what it costs appears here."
    if is_red(facts):
        return (
            f"**The budget of this tab is spent: {figure(budget)}, {budget.spent_percent} %.** "
            "New agent sessions on this branch are refused; sessions already running keep their own limits."
        )
    said = f"**{_spent(facts, budget)}.**"
    if any(f.signal is Signal.PRICE and f.outcome is Outcome.STOP for f in facts.verdict.findings):
        return f"{said} New agent sessions on this branch are refused until every call has a price."
    if any(f.signal is Signal.BUDGET and f.outcome is Outcome.WARN for f in facts.verdict.findings):
        return f"{said} At 100 % new agent sessions on this branch are refused."
    if any(standing.outcome is Outcome.STOP for standing in facts.standings):
        return f"{said} This budget has room; new agent sessions that draw on a spent budget are refused."
    as_far_as = ", as far as this budget goes" if facts.breakers else ""
    return f"{said} New agent sessions may start{as_far_as}."


def _spent(facts: TabFacts, budget: Budget) -> str:
    if facts.unpriced and not budget.spent.nano:
        return f"What this branch cost is not known: {plural(facts.unpriced, 'call')} without a price"
    _, _, ceiling = binding(budget)
    share = f", {budget.spent_percent} %" if ceiling is not None else ", without a cap"
    return f"{'At least ' if facts.unpriced else ''}{figure(budget)} spent{share}"


def notional(facts: TabFacts) -> str:
    """What subscriptions and credits paid for, apart from real dollars; empty when there is none."""
    if not facts.notional:
        return ""
    paid = f"Subscriptions or credits paid for usage worth {show(facts.notional)} at list prices."
    if facts.policy.policy.subscription_counts:
        return f"{paid} That is no bill; the cap counts it all the same, as the policy says (`subscription_counts`)."
    return f"{paid} That is no bill; it is not part of the figure above and does not count toward caps."


def plan_windows(facts: TabFacts) -> str:
    """What plans' windows gave to this branch, a share of each: beside dollars and tokens, never added to them."""
    return in_words(facts.window_shares)


def next_steps(facts: TabFacts) -> list[str]:
    """What the reader can do now, most pressing first, each a line of Markdown; empty when there is nothing to do."""
    steps: list[str] = []
    if facts.tab.ended_at is not None:
        return steps
    if facts.policy_edit and facts.policy_edit.problems:
        steps.append("Correct the policy on the lines marked in the file; it would not count as it is.")
    if is_red(facts):
        steps.append(_raise(facts))
        if facts.own_conclusion is Conclusion.NEUTRAL and facts.policy.policy.check is CheckMode.ADVISE:
            steps.append("The policy says `check: advise`, so the check does not fail for this.")
    if facts.unpriced:
        steps.append(_price(facts))
    if facts.policy.problem:
        steps.append(f"Correct the policy on the default branch: {prose(facts.policy.problem.rstrip('.'))}.")
    if facts.conclusion.rank > facts.own_conclusion.rank:
        steps.append("Look at the other pull requests at this commit, listed below: one commit has one check.")
    return steps


def _raise(facts: TabFacts) -> str:
    who = prose(approvers_in_words(facts.policy.policy.approvers))
    return (
        f"To go on: ask {who} for a raise of this budget (an overdrive), "
        "or have `tab.cap` raised in the policy on the default branch."
    )


def _price(facts: TabFacts) -> str:
    models = sorted({s.session.model for s in facts.sessions if s.session.unknown_usages and s.session.model})
    named = f" ({', '.join(code(m) for m in models[:5])})" if models else ""
    blocks = facts.policy.policy.unknown_price is UnknownPrice.BLOCK
    until = " Until then new sessions are refused (`unknown_price: block`)." if blocks else ""
    return f"Give the model{named} a price under `prices` in the policy; past calls are then repriced.{until}"

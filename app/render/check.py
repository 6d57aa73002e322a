"""render_check: the check `tabstop / budget` of one pull request. Title: the figure; summary: everything behind it."""

from __future__ import annotations

from app.github_api.protocol import CheckRun
from app.jobs.tab_facts import CHECK_NAME, TabFacts
from app.render.budget_bars import bars, beside, reasons
from app.render.policy_edit import policy_annotations, policy_section
from app.render.session_table import session_table, totals
from app.render.tab_words import next_steps, notional, plan_windows, state, title
from tabstop.breaker_words import consequence, tripped_by
from tabstop.markdown import code, prose
from tabstop.policy.problem import quoted
from tabstop.quantity import plural

SUMMARY_LIMIT = 65_535
"""What GitHub takes as `output.summary` (reference of POST /repos/{owner}/{repo}/check-runs); we count UTF-8 bytes."""

TITLE_LIMIT = 200


def render_check(facts: TabFacts) -> CheckRun:
    """The finished check run for the pull request's head commit."""
    return CheckRun(
        name=CHECK_NAME,
        head_sha=facts.pull_request.head_sha,
        conclusion=facts.conclusion.value,
        title=title(facts)[:TITLE_LIMIT],
        summary=_summary(facts),
        details_url=facts.links.details,
        annotations=policy_annotations(facts.policy_edit),
    )


def _summary(facts: TabFacts) -> str:
    before = _blocks([state(facts)], [*bars(facts)], reasons(facts), _next(facts), _beside(facts), _breakers(facts))
    after = _blocks(_unknown(facts), _shared(facts), _policy(facts), _sources(facts))
    room = SUMMARY_LIMIT - len(f"{before}\n\n\n\n{after}\n".encode()) - 200
    return "\n\n".join(part for part in (before, _sessions(facts, room), after) if part) + "\n"


def _blocks(*blocks: list[str]) -> str:
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _next(facts: TabFacts) -> list[str]:
    steps = next_steps(facts)
    return ["### What to do", "", *(f"- {step}" for step in steps)] if steps else []


def _beside(facts: TabFacts) -> list[str]:
    return ["### Other budgets", "", *beside(facts)] if facts.standings else []


def _breakers(facts: TabFacts) -> list[str]:
    """In words that hold until the breaker closes: the check is not posted again at the end of a cooldown."""
    lines = []
    for agent, found in facts.breakers:
        if found.trip is not None and found.open_until is not None:
            not_closed = f"The breaker of {quoted(agent)} is not closed. {tripped_by(found.trip)}"
            lines.append(f"- {prose(f'{not_closed} {consequence(agent, found.open_until)}')}")
    return ["### Breakers", "", *lines] if lines else []


def _sessions(facts: TabFacts, room: int) -> str:
    if not facts.sessions:
        return ""
    head = f"### Sessions\n\n{totals(facts)}.\n\n"
    return head + "\n".join(session_table(facts, room - len(head.encode())))


def _unknown(facts: TabFacts) -> list[str]:
    lines = []
    if facts.unpriced:
        has = "has" if facts.unpriced == 1 else "have"
        lines.append(
            f"- {plural(facts.unpriced, 'call')} on this tab {has} no known price, so the true cost is higher than shown."
        )
    if facts.unattributed:
        lines.append(f"- {plural(facts.unattributed, 'session')} came without anybody's identity.")
    if facts.notional:
        lines.append(f"- {notional(facts)}")
    if plan_windows(facts):
        lines.append(f"- {plan_windows(facts)}")
    if ":" in facts.pull_request.head_branch:
        lines.append(
            "- This pull request comes from a fork. GitHub gives runs of forks no identity, so they cannot report what "
            "they use; what maintainers start here is counted."
        )
    return ["### Not known, or counted apart", "", *lines] if lines else []


def _shared(facts: TabFacts) -> list[str]:
    if not facts.shared_with:
        return []
    rows = [f"- #{tab.number} ({code(tab.branch)}): {tab.conclusion.value}" for tab in facts.shared_with]
    own = f"- #{facts.pull_request.number} ({code(facts.tab.branch)}), shown here: {facts.own_conclusion.value}"
    return [
        "### Other pull requests at this commit",
        "",
        "One commit has one check; it shows the worst.",
        "",
        own,
        *rows,
    ]


def _policy(facts: TabFacts) -> list[str]:
    return policy_section(facts.policy_edit) if facts.policy_edit else []


def _sources(facts: TabFacts) -> list[str]:
    """By which policy this was decided, and where to read on."""
    link = facts.links.policy
    if not facts.policy.read:
        said = "The policy has not been read yet; the defaults hold."
    elif not facts.policy.commit:
        said = "There is no policy file; the defaults hold."
    else:
        commits = " and ".join(code(commit[:12]) for commit in facts.policy.commit.split(" ")[:2])
        said = f"Decided by the policy in force: {commits}."
    more = [f"[{'Policy' if facts.policy.commit else 'Add one'}]({link})"] if link else []
    more += [f"[Details]({facts.links.details})"] if facts.links.details else []
    return ["---", prose(said) + (f" {' · '.join(more)}" if more else "")]

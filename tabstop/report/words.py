"""What people read of a report, in the terminal and on the page: rows' names, amounts, and what must not be overlooked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from tabstop.money import UNKNOWN, show_known
from tabstop.quantity import plural
from tabstop.report.by import By
from tabstop.report.report import AGENTS, Report, clean
from tabstop.report.tally import Of, Row, Sum

HEADS = {
    By.PR: "pull request or branch",
    By.BRANCH: "branch",
    By.REPO: "repository",
    By.MODEL: "model",
    By.AGENT: "agent",
    By.DAY: "day",
}

_STATES = {
    "open": "open",
    "draft": "draft",
    "merged": "merged",
    "closed": "closed",
    "gone": "gone",
}


def title(report: Report) -> str:
    """`What each pull request and branch has cost on this machine since 2026-11-01`."""
    what = {By.PR: "pull request and branch"}.get(report.by, HEADS[report.by])
    since = f" since {report.since_words}" if report.since else ""
    return f"What each {what} has cost on this machine{since}"


def name_of(row: Row) -> str:
    """Without its repository: `#42 Fix the login`, `feature/x`, `main, no pull request`."""
    if row.of is Of.PULL_REQUEST and row.pull_request is not None:
        return clean(f"#{row.pull_request.number} {row.pull_request.title or row.branch}".strip())
    if row.of is Of.BRANCH:
        return clean(row.branch)
    if row.of is Of.REPOSITORY:
        return clean(f"{row.default_branch or 'branch unknown'}, no pull request")
    if row.of is Of.UNPLACED:
        return "no repository"
    if row.of is Of.AGENT:
        return AGENTS.get(row.name, clean(row.name))
    return clean(row.name) or "a model without a name"


def state_of(row: Row) -> str:
    """`merged`, `in main`, `branch is gone`; empty where nothing is to be said."""
    if row.state == "contained":
        return clean(f"in {row.default_branch}")
    return _STATES.get(row.state, "")


def cost_of(one: Sum) -> str:
    """`$1.20`; `$1.20 + ?` where some calls have no price, `?` where none has one; empty where a plan pays for all."""
    if one.notional_calls and one.notional_calls == one.calls and not one.cost:
        return ""
    return show_known(one.billed, one.billed_unpriced)


def notional_of(one: Sum) -> str:
    """`≈ $3.10`: what the API would have cost; `?` as in `cost_of`; empty where no plan pays."""
    return f"≈ {show_known(one.by_plan, one.notional_unpriced)}" if one.notional_priced or one.notional_unpriced else ""


def footnotes(report: Report) -> Iterator[str]:
    """What a reader must not overlook."""
    if report.unpriced:
        calls = sum(report.unpriced.values())
        models = ", ".join(
            f"{clean(model) or 'a model without a name'} ({count})" for model, count in report.unpriced.items()
        )
        verb = "has" if calls == 1 else "have"
        yield f"{UNKNOWN}: {plural(calls, 'call')} {verb} no known price and {'is' if calls == 1 else 'are'} in no amount: {models}"
    if report.unplaced.tokens.total:
        amounts = " and ".join(filter(None, (cost_of(report.unplaced), notional_of(report.unplaced))))
        how = "" if report.by in {By.PR, By.BRANCH} else "; `--by pr` tells it apart"
        yield f"Of the total {amounts} is on no pull request or branch: work on a default branch, or in no repository{how}"
    if report.total.estimated:
        yield f"{plural(report.total.estimated, 'call')} priced by an estimate: the log or the price list does not tell enough"
    if report.total.notional_calls:
        yield "≈: paid by a plan; what the same calls would have cost by the API. Never added to dollars."
    yield from unused(report)
    yield from report.notes


def unused(report: Report) -> Iterator[str]:
    """What of the logs is in no amount, because it could not be read."""
    if report.skipped:
        which = "; `--json` says which" if report.skipped_lines else ""
        yield f"{plural(report.skipped, 'line')} of the logs could not be used{which}"
    if report.unread:
        path, reason = report.unread[0]
        more = f", and {len(report.unread) - 1} more; `--json` names all" if len(report.unread) > 1 else ""
        yield f"{plural(len(report.unread), 'file')} could not be read: {clean(path)} ({clean(reason)}){more}"


def empty(report: Report) -> Iterator[str]:
    """What to say where there is nothing."""
    if report.files:
        them = "it" if report.files == 1 else "them"
        yield f"Nothing: {plural(report.files, 'log file')}, and no model call in {them} that was asked for."
    else:
        yield "Nothing: no logs of Claude Code, Codex, Gemini CLI or OpenCode are here."
        yield "They are looked for where each agent keeps them; CLAUDE_CONFIG_DIR, CODEX_HOME and the like are heeded."
    yield from unused(report)


def by_repository(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The dearest repository first, its rows together; what has none comes last."""
    weight: dict[str, int] = {}
    for row in rows:
        weight[row.repository] = weight.get(row.repository, 0) + row.sum.weight[0]
    ordered = sorted(rows, key=lambda row: (not row.repository, -weight[row.repository], row.repository))
    for repository, found in groupby(ordered, key=lambda row: row.repository):
        yield repository, list(found)

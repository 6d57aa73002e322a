"""Where a session's cost lies, for the job's page: how much on which pull request or branch, how much on none, and why."""

from __future__ import annotations

from collections.abc import Iterable

from action.amounts import amount
from tabstop.markdown import code, prose, table
from tabstop.wire import EndAnswer, Placement, StartRequest

_MAY_MOVE = "This may still change: GitHub is asked which pull requests this session's branches and commits are in."
_LISTED = "Operators list what is on no pull request or branch with `python -m app.cli unplaced`."


def where_it_lies(start: StartRequest, answer: EndAnswer) -> list[str]:
    """A table in Markdown; nothing where all of it lies on the pull request that the gate named, or the server does not tell."""
    if all(_is_the_runs(start, part) for part in answer.placements):
        return []
    rows = [(_place(start, part), amount(part), _why(part)) for part in answer.placements]
    found = ["Where it lies:", "", *table(("Place", "Cost", "Why"), rows, right=(1,))]
    after = [_LISTED] if any(map(_is_unplaced, answer.placements)) else []
    after += [_MAY_MOVE] if answer.may_move else []
    return [*found, "", *after] if after else found


def on_no_tab(answers: Iterable[EndAnswer]) -> str:
    """What of these sessions is on no pull request and no branch, in a sentence; empty for nothing."""
    parts = [part for answer in answers for part in answer.placements]
    unplaced = [part for part in parts if _is_unplaced(part)]
    if not unplaced:
        return ""
    if len(unplaced) == len(parts):
        return "It is on no pull request or branch."
    return f"Of it {amount(*unplaced)} is on no pull request or branch."


def _is_the_runs(start: StartRequest, part: Placement) -> bool:
    return part.pull_request is not None and part.pull_request == start.pull_request and _is_own(start, part)


def _is_own(start: StartRequest, part: Placement) -> bool:
    return part.repository.lower() == start.repository.lower()


def _is_unplaced(part: Placement) -> bool:
    return not (part.branch or part.elsewhere)


def _place(start: StartRequest, part: Placement) -> str:
    if part.elsewhere:
        return "another repository"
    if _is_unplaced(part):
        return "no pull request or branch"
    named = "" if _is_own(start, part) else part.repository
    if part.pull_request is not None:
        return f"{prose(named, in_table=True)}#{part.pull_request}"
    where = f" of {code(named, in_table=True)}" if named else ""
    return f"branch {code(part.branch, in_table=True)}{where}, which has no pull request"


def _why(part: Placement) -> str:
    return prose(f"{part.confidence}: {part.reason}" if part.reason else part.confidence, in_table=True)

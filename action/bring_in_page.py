"""What bring-in tells people: what arrived and what it cost, which artifacts stay, why, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from action.amounts import amount
from action.backlog import Arrived
from action.bring_in_artifacts import Artifact
from action.placement import on_no_tab
from action.runner import Message
from tabstop.explain import moment
from tabstop.markdown import code, plain, prose, table
from tabstop.quantity import plural, tokens

ANCHOR = "bringing-in-late-reports"

MOST_ROWS = 50
"""Of a table; a page of more is not read, and a job's summary holds 1 MiB."""

_PERMISSIONS = """permissions:
  actions: write # lists, downloads and, once delivered, deletes the artifacts
  id-token: write # proves to Tabstop which repository this is"""


_LOST = "The next run tries again. What has not arrived when GitHub deletes its artifact is lost."


@dataclass(frozen=True, slots=True)
class Stays:
    """An artifact that was not deleted. elsewhere: only a job of another repository or server can bring it in.

    empty: all it holds arrived, so nothing waits in it.
    """

    artifact: Artifact
    why: str
    elsewhere: bool = False
    empty: bool = False


@dataclass(frozen=True, slots=True)
class BroughtIn:
    """One run. cut_at: only so many artifacts were looked at, and there may be more; 0 when there are not."""

    arrived: tuple[Arrived, ...] = ()
    stays: tuple[Stays, ...] = ()
    cut_at: int = 0

    @property
    def sessions(self) -> tuple[Arrived, ...]:
        """Each session once, though copies of its report may lie in several artifacts."""
        return tuple({one.session: one for one in self.arrived}.values())

    @property
    def waiting(self) -> tuple[Stays, ...]:
        """Those that somebody should know of: a report in them has not arrived, and is for this job to bring in."""
        return tuple(stay for stay in self.stays if not stay.elsewhere and not stay.empty)


def headline(brought: BroughtIn) -> str:
    """One line: how many reports arrived, what their sessions cost, how much waits."""
    if not brought.arrived and not brought.waiting:
        return "no report waits"
    parts = [f"{plural(len(brought.arrived), 'report')} brought in, {_cost(brought)}"] if brought.arrived else []
    parts += [f"{plural(len(brought.waiting), 'artifact')} still waiting"] if brought.waiting else []
    return "; ".join(parts)


def annotation(brought: BroughtIn) -> Message:
    """The same beside the job, with the reasons."""
    lines = [
        f"{headline(brought)}. {_on_no_tab(brought)}".strip(),
        *(f"- {line(stay)}" for stay in brought.waiting[:10]),
    ]
    more = len(brought.waiting) - 10
    lines += [f"and {more} more, listed in the job's summary"] if more > 0 else []
    return Message("Tabstop: late reports" + (" are waiting" if brought.waiting else ""), "\n".join(lines), "", ANCHOR)


def line(stay: Stays) -> str:
    """One artifact in the log."""
    return plain(f"{stay.artifact.name} stays: {stay.why}")


def summary(brought: BroughtIn, now: datetime) -> str:
    """Markdown for the job's page."""
    parts = [
        f"### Tabstop: {prose(headline(brought))}",
        _arrived(brought.sessions),
        _on_no_tab(brought),
        _staying(brought.stays, now),
        _LOST if brought.waiting else "",
        f"Only the newest {brought.cut_at:,} artifacts of this repository were looked at." if brought.cut_at else "",
    ]
    return "\n\n".join(part for part in parts if part)


def not_allowed(why: str) -> Message:
    """The token may not list artifacts."""
    happened = f"The artifacts of this repository could not be listed: {why}."
    cause = "Likely cause: the job's permissions lack `actions: write`. Add to this job:"
    other = "A token of your own in `github-token` needs the same right. Running again without it does not help."
    return _permission("Tabstop: this job may not read artifacts", happened, cause, other)


def no_identity(count: int) -> Message:
    """The job has no `id-token: write`, and there is something to bring in."""
    waits = "1 artifact with reports waits" if count == 1 else f"{count} artifacts with reports wait"
    happened = f"{waits}, and GitHub gave this job no identity to show to Tabstop. Nothing was brought in."
    cause = "Likely cause: the job's permissions lack `id-token: write`. Add to this job:"
    return _permission("Tabstop: this job needs id-token: write", happened, cause, "")


def github_away(why: str) -> Message:
    """GitHub did not answer, or not as it does."""
    text = (
        f"The artifacts of this repository could not be listed: {why}. Likely cause: GitHub has a problem (githubstatus.com), "
        "its rate limit is used up, or this runner's network does not reach it. Nothing is lost; the next run brings it in."
    )
    return Message("Tabstop: GitHub could not be asked", plain(text), prose(text), ANCHOR)


def no_library(why: str) -> Message:
    """PyGithub cannot be imported."""
    text = (
        f"PyGithub, with which `bring-in` reads artifacts, cannot be loaded: {why}. action.yml installs it from "
        "`requirements/action.txt` before it starts this command. Likely cause: the command was started in another way, or "
        "this runner's Python cannot load one of the packages. `gate` and `settle` do not need it."
    )
    return Message("Tabstop: bring-in needs PyGithub", plain(text), prose(text), ANCHOR)


def _permission(title: str, happened: str, cause: str, more: str) -> Message:
    return Message(
        title,
        f"{plain(happened)}\n{plain(cause)}\n\n{_PERMISSIONS}" + (f"\n\n{plain(more)}" if more else ""),
        f"{prose(happened)}\n\n{cause}\n\n```yaml\n{_PERMISSIONS}\n```" + (f"\n\n{more}" if more else ""),
        ANCHOR,
    )


def _arrived(sessions: tuple[Arrived, ...]) -> str:
    rows = [
        (
            code(one.session, in_table=True),
            prose(one.start.agent, in_table=True),
            code(one.start.branch, in_table=True),
            prose(one.start.purpose, in_table=True),
            prose(amount(one.answer), in_table=True),
            tokens(one.answer.tokens),
        )
        for one in sessions[:MOST_ROWS]
    ]
    if not rows:
        return ""
    more = [] if len(sessions) <= MOST_ROWS else ["", f"and {len(sessions) - MOST_ROWS} more"]
    head = ("Session", "Agent", "Branch", "Purpose", "Cost", "Tokens")
    return "\n".join([*table(head, rows, right=(4, 5)), *more])


def _staying(stays: tuple[Stays, ...], now: datetime) -> str:
    rows = [
        (
            code(stay.artifact.name, 120, in_table=True),
            prose(stay.why, in_table=True),
            moment(stay.artifact.expires_at, now) if stay.artifact.expires_at else "",
        )
        for stay in stays[:MOST_ROWS]
    ]
    if not rows:
        return ""
    more = [] if len(stays) <= MOST_ROWS else ["", f"and {len(stays) - MOST_ROWS} more"]
    return "\n".join(["Artifacts that stay:", "", *table(("Artifact", "Why", "Deleted by GitHub"), rows), *more])


def _cost(brought: BroughtIn) -> str:
    return amount(*(one.answer for one in brought.sessions))


def _on_no_tab(brought: BroughtIn) -> str:
    return on_no_tab([one.answer for one in brought.sessions])

"""Notices as plain values: a budget crossed a step, turned red, or a start was refused. Any channel can render them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tabstop.breaker_memory import Trip
from tabstop.breaker_words import clearing, consequence, measured, tripped_by
from tabstop.explain import approvers_in_words, arithmetic, budget_name, continued, explain, headline, refusal
from tabstop.markdown import plain
from tabstop.policy.problem import quoted
from tabstop.verdict import Finding, Outcome, verdict_of
from tabstop.visibility import PERSONAL, Reader, Surface, for_reader, verdict_for

RED = 100
"""The step, in percent, at which a budget is spent."""


class Occasion(StrEnum):
    """What a notice is about."""

    STEP = "step"
    """A budget crossed a warning step: told at most once."""
    RED = "red"
    """A budget is spent: told even after an outage."""
    REFUSED = "refused"
    """A start was refused: likewise."""
    TRIPPED = "tripped"
    """A breaker tripped in a session: likewise."""
    SESSION = "session"
    """The governor of a running session noticed something, or stopped it: likewise."""
    RAISED = "raised"
    """A session was allowed more: likewise."""

    @property
    def survives(self) -> bool:
        """Whether it is tried again after a failure, at the price of a possible repeat."""
        return self is not Occasion.STEP


@dataclass(frozen=True, slots=True)
class Link:
    """Where to read on."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something said to people, already reduced to what its reader may see.

    title: one line without markup. figures: the arithmetic in short, empty where it may not be shown. lines: sentences, in
    which names stand in `backquotes`. where: the repository; empty for no single one. at: when it happened.
    may_be_repeat: an earlier attempt may have arrived.
    """

    occasion: Occasion
    reader: Reader
    title: str
    lines: tuple[str, ...]
    at: datetime
    figures: str = ""
    where: str = ""
    links: tuple[Link, ...] = ()
    may_be_repeat: bool = False


def crossed_notice(
    finding: Finding,
    step: int,
    *,
    reader: Reader,
    where: str,
    approvers: Sequence[str],
    at: datetime,
    links: tuple[Link, ...] = (),
) -> Notice:
    """A budget's spend went over a step. finding: how it stands now. where: `acme/web`, or empty for no one repository."""
    if step >= RED:
        wait = "Wait for the next window, or ask" if finding.until else "Ask"
        remedy = f"{wait} {approvers_in_words(approvers)} for a raise of this budget (an overdrive)."
        finding = replace(finding, outcome=Outcome.STOP, cause="spent", remedy=remedy)
        means = "New agent sessions that draw on it are refused; sessions already running keep their own limits."
    else:
        finding = replace(finding, outcome=max(finding.outcome, Outcome.WARN, key=lambda o: o.rank), remedy="")
        means = "At 100 % new agent sessions that draw on it are refused."
    shown = for_reader(finding, reader)
    name = _whose(shown)
    beyond = "is spent" if step >= RED else f"is past {step} %" if shown.unit else "is nearly spent"
    said = explain(shown, at).replace(_upper(budget_name(shown)), _upper(name), 1)
    return Notice(
        Occasion.RED if step >= RED else Occasion.STEP,
        reader,
        plain(_upper(f"{name} {beyond}")),
        (said, means),
        at,
        arithmetic(shown),
        where,
        links,
    )


def refused_notice(
    findings: Sequence[Finding],
    *,
    reader: Reader,
    agent: str,
    where: str,
    branch: str = "",
    asked_by: str = "",
    at: datetime,
    links: tuple[Link, ...] = (),
) -> Notice:
    """A start was refused. findings: of its verdict. asked_by: a login; shown only where the reader may see names."""
    verdict = verdict_for(verdict_of(*findings), reader)
    on = f" on {quoted(branch)}" if branch else ""
    by = f", asked for by {quoted(asked_by)}," if asked_by and reader.names else ""
    what = f"A session of {quoted(agent)}{on} {located(where)}{by} was not started."
    return Notice(
        Occasion.REFUSED,
        reader,
        plain(f"Start refused: {continued(headline(verdict))}"),
        (what, *refusal(verdict, at), "More refusals for this reason are not reported again within the hour."),
        at,
        arithmetic(verdict.reasons[0]) if verdict.reasons else "",  # of the reason that the title names, or none
        where,
        links,
    )


def tripped_notice(
    trip: Trip,
    open_until: datetime | None,
    *,
    reader: Reader,
    agent: str,
    where: str,
    branch: str = "",
    again: bool = False,
    at: datetime,
    links: tuple[Link, ...] = (),
) -> Notice:
    """A breaker tripped. open_until: None when later sessions do not meet it. again: it was half-open."""
    theirs = reader.surface is Surface.ENGINEER
    on = f" on {quoted(branch)}" if branch else ""
    did = f"tripped{' again' if again else ''}"
    lines = [f"The breaker of {quoted(agent)} {located(where)} {did}{on}.", tripped_by(trip)]
    if theirs:
        command = f"`tabstop release {trip.session}`"
        lines.append(f"That is your session, and it was stopped. You let it go on with {command}, where it ran.")
    if not where:
        lines.append("It refuses no other session: a breaker is remembered for a repository.")
    elif open_until is None:
        lines.append("It refuses no other session: the policy says so (`breaker.remember`), or the news came too late.")
    else:
        lines += [consequence(agent, open_until), clearing(agent, where)]
    title = f"The breaker of {quoted(agent)} {did}{' in your session' if theirs else ''}"
    return Notice(Occasion.TRIPPED, reader, plain(title), tuple(lines), at, plain(measured(trip)), where, links)


def located(where: str) -> str:
    """`in acme/web`; `in no repository` for an engineer's work in none of the organization's."""
    return f"in {quoted(where)}" if where else "in no repository"


def _whose(finding: Finding) -> str:
    name = budget_name(finding)
    nobody = finding.scope in PERSONAL and not finding.subject
    return name.replace("the engineer's", "an engineer's", 1) if nobody else name


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]

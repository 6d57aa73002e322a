"""visibility: what a reader may see of a finding. One pure function, so that no surface decides for itself.

Shared surfaces show the tab's own figures. Engineer and organization budgets appear there as a state only; their numbers
go to the engineer and to approvers. Public repositories hide the repository's figures too. No person's name appears in a
channel unless the policy says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from tabstop.budget import Scope
from tabstop.verdict import Finding, Outcome, Signal, Verdict


class Surface(StrEnum):
    """Where something is read."""

    PULL_REQUEST = "pull request"
    """Check and comment: everybody who can read the repository."""
    JOB_LOG = "job log"
    """A workflow run's log, annotations and summary: likewise."""
    CHANNEL = "channel"
    """A chat channel: people who may not even have access to the repository."""
    ENGINEER = "engineer"
    """Only the engineer named in `Reader.login`, by their own token."""
    APPROVER = "approver"
    """Somebody the organization lets grant overdrives; sees everything."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and where. public: the repository is. names: the policy lets people be named in channels.

    login: of the reader, for `ENGINEER`.
    """

    surface: Surface
    public: bool = False
    names: bool = False
    login: str = ""


PERSONAL = frozenset({Scope.ENGINEER.value, Scope.DOWNGRADE.value})
_REPOSITORYS = frozenset({Scope.REPOSITORY.value, Scope.GUEST.value})
_SHARED = frozenset({Surface.PULL_REQUEST, Surface.JOB_LOG, Surface.CHANNEL})


def for_reader(finding: Finding, reader: Reader) -> Finding:
    """The finding with everything taken out that this reader may not see. Doing it twice changes nothing."""
    if reader.surface is Surface.APPROVER:
        return finding
    if finding.signal is Signal.BUDGET and not _sees_figures(finding, reader):
        finding = _state_only(finding)
    if finding.signal is Signal.GAUGE and not _is_own(finding, reader):
        finding = _gauge_state_only(finding)
    if not _sees_names(finding, reader):
        finding = _nameless(finding)
    if reader.surface is Surface.CHANNEL and not reader.names:
        finding = replace(finding, remedy=_remedy_without_approvers(finding))
    return finding


def verdict_for(verdict: Verdict, reader: Reader) -> Verdict:
    """Every finding of a verdict as this reader may see it; the outcome stays."""
    return Verdict(tuple(for_reader(finding, reader) for finding in verdict.findings))


def _sees_figures(finding: Finding, reader: Reader) -> bool:
    if finding.scope == Scope.TAB:
        return True
    if finding.scope in _REPOSITORYS:
        return not (reader.public and reader.surface in _SHARED)
    if finding.scope in PERSONAL:
        return _is_own(finding, reader)
    return False


def _sees_names(finding: Finding, reader: Reader) -> bool:
    if reader.surface is Surface.CHANNEL:
        return reader.names
    if finding.signal is Signal.GAUGE or (finding.signal is Signal.BUDGET and finding.scope in PERSONAL):
        # The state of somebody's budget is nobody's business where the whole world reads, nor another engineer's.
        return not reader.public if reader.surface in _SHARED else _same(finding.subject, reader.login)
    return True


def _state_only(finding: Finding) -> Finding:
    """Scope, outcome, cause and times stay; amounts go, and so does the reason given for the cap, which may be personal."""
    return replace(finding, unit="", cap=None, spent=0, held=0, asked=0, raised=0, why="", unplaced=0)


def _is_own(finding: Finding, reader: Reader) -> bool:
    return reader.surface is Surface.ENGINEER and _same(finding.subject, reader.login)


def _gauge_state_only(finding: Finding) -> Finding:
    """Which window, how it stands in a word, and when it begins anew. The advice goes too: it names an account of theirs."""
    return replace(finding, sentence="", unit="", cap=None, spent=0, remedy="")


def _nameless(finding: Finding) -> Finding:
    """Without the person it is about. A tab's subject is a branch and a repository's its name: those are no people."""
    who = finding.subject
    if not who or (finding.signal is Signal.BUDGET and finding.scope not in PERSONAL):
        return finding
    return replace(
        finding,
        subject="",
        sentence=finding.sentence.replace(who, "this engineer"),
        remedy=finding.remedy.replace(who, "this engineer"),
    )


def _remedy_without_approvers(finding: Finding) -> str:
    """A spent budget's remedy names those who may grant an overdrive, an open breaker's those who may have it cleared."""
    if finding.signal is Signal.BREAKER and finding.outcome is Outcome.STOP:
        return "Ask an approver to have it cleared."
    if finding.signal is not Signal.BUDGET or finding.outcome is not Outcome.STOP or finding.cause != "spent":
        return finding.remedy
    return f"{'Wait for the next window, or ask' if finding.until else 'Ask'} an approver for a raise of this budget (an overdrive)."


def _same(subject: str, login: str) -> bool:
    return bool(login) and subject.casefold() == login.casefold()

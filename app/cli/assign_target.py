"""Where a session's calls are assigned to, by the words people use, and the parts of a split."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from app.cli.amounts import read_time
from app.cli.opening import OperatorError, pull_request_numbered, repository_named
from app.ledger.books import SessionRow, UsageRow
from app.ledger.by_hand import Target
from app.ledger.shares import by_share
from app.registry import Organization, Repository, Transaction

ENGINEER = "engineer"
REST = "rest"
_PART = re.compile(r"(?P<to>.+)=(?P<which>[0-9]+(?:\.[0-9]+)?%|rest|(?:since|until|branch):.+)")

Belongs = Callable[[UsageRow], bool]
"""Whether a usage is in a part."""


@dataclass(frozen=True, slots=True)
class Part:
    """One `--to` of a split. called: its target in words. which: as it was written: `60%`, `until:TIME`, `rest`."""

    to: Target
    called: str
    which: str

    @property
    def share(self) -> Fraction | None:
        """The share asked for; None where it goes by branch or time."""
        return Fraction(self.which[:-1]) / 100 if self.which.endswith("%") else None


def target(books: Transaction, organization: Organization, session: SessionRow, written: str) -> tuple[Target, str]:
    """What `REPO#7`, `REPO@BRANCH`, `REPO` or `engineer` mean, and what it is called. Raises `OperatorError`."""
    if written == ENGINEER:
        return _engineer(books, session)
    name, mark, rest = written.partition("#") if "#" in written.partition("@")[0] else written.partition("@")
    if not name:
        raise OperatorError(f"{written!r} names no repository; write REPO#NUMBER, REPO@BRANCH, REPO or {ENGINEER}.")
    repository = repository_named(books, organization, name)
    if mark == "#":
        pull_request = pull_request_numbered(books, repository, rest)
        return Target(pull_request.tab_id, repository.id), f"tab {repository.full_name}#{pull_request.number}"
    if mark == "@":
        return _branch(books, repository, rest)
    return Target(repository_id=repository.id), f"repository {repository.full_name}"


def parts(books: Transaction, organization: Organization, session: SessionRow, written: Sequence[str]) -> list[Part]:
    """The parts of a split: two or more, to different targets, all by share or all by branch and time. Raises `OperatorError`."""
    found = []
    for one in written:
        match = _PART.fullmatch(one)
        if match is None:
            raise OperatorError(
                f"--to is {one!r}; write TARGET=60%, or TARGET=branch:NAME, TARGET=since:TIME, TARGET=until:TIME, TARGET=rest."
            )
        to, called = target(books, organization, session, match["to"])
        found.append(Part(to, called, match["which"]))
    if len(found) < 2:
        raise OperatorError(
            "A split has two parts or more: name --to twice. `assign` puts all of a session in one place."
        )
    if len({part.to for part in found}) < len(found):
        raise OperatorError("Two parts go to the same place. Name each place once.")
    shares = [part.share for part in found if part.share is not None]
    if shares and len(shares) < len(found):
        raise OperatorError("A split goes by shares or by branch and time, not both.")
    if shares and (sum(shares) != 1 or 0 in shares):
        together = sum(shares) * 100
        raise OperatorError(f"The shares come to {float(together):.15g}%. They have to be above 0% and come to 100%.")
    return found


def divided(books: Transaction, found: Sequence[Part], rows: Sequence[UsageRow]) -> list[list[UsageRow]]:
    """The usages of each part; each usage is in exactly one. Raises `OperatorError` where one is in none or in two."""
    shares = [part.share for part in found]
    if None not in shares:
        return by_share(rows, [share for share in shares if share is not None])
    tests = [_belongs(books, part.which, rows) for part in found if part.which != REST]
    lists: list[list[UsageRow]] = [[] for _ in found]
    places = [n for n, part in enumerate(found) if part.which != REST]
    rests = [n for n, part in enumerate(found) if part.which == REST]
    if len(rests) > 1:
        raise OperatorError("Two parts are the rest. There can be one.")
    none = twice = 0
    for row in rows:
        at = [n for n, belongs in zip(places, tests, strict=True) if belongs(row)] or rests
        twice += len(at) > 1
        none += not at
        for n in at:
            lists[n].append(row)
    if none or twice:
        raise OperatorError(
            f"Of {len(rows)} calls {none} are in no part and {twice} in more than one, so the sums would not stay. "
            "Each call has to be in exactly one part; TARGET=rest takes what the others leave. Nothing was changed."
        )
    return lists


def _engineer(books: Transaction, session: SessionRow) -> tuple[Target, str]:
    engineer = books.engineer(session.engineer_id) if session.engineer_id is not None else None
    if engineer is None:
        raise OperatorError(
            f"Nobody is known who ran session {session.id}. Name a repository, a branch or a pull request."
        )
    return Target(), f"engineer {engineer.login}"


def _branch(books: Transaction, repository: Repository, branch: str) -> tuple[Target, str]:
    generations = books.generations(repository.id, branch)
    if not generations:
        raise OperatorError(
            f"{repository.full_name} has no tab of the branch {branch!r}: no session ran on it and no pull request has it. "
            f"Check its spelling, or name the repository alone."
        )
    return Target(generations[-1].id, repository.id), f"tab {repository.full_name}@{branch}"


def _belongs(books: Transaction, which: str, rows: Sequence[UsageRow]) -> Belongs:
    kind, _, value = which.partition(":")
    if kind == "branch":
        told = books.evidence({row.evidence_id for row in rows if row.evidence_id is not None})
        return lambda row: row.evidence_id is not None and told[row.evidence_id].branch == value
    bound = _time(value)
    if kind == "since":
        return lambda row: bound <= row.occurred_at
    return lambda row: row.occurred_at < bound


def _time(text: str) -> datetime:
    try:
        return read_time(text)
    except ValueError:
        raise OperatorError(f"{text!r} is no time; write for example 2026-11-21T14:30 (UTC).") from None

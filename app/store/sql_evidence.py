"""What sessions told of where their calls were made, and what GitHub said of their commits, in a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select

from app.store.sql_part import SqlPart, per_database
from app.store.tables import COMMIT_PULLS, EVIDENCE, SESSION_COMMIT, SESSION_LINK
from tabstop.evidence import CommitMade, Evidence, PullRequestLink

_E, _L, _C, _P = EVIDENCE.c, SESSION_LINK.c, SESSION_COMMIT.c, COMMIT_PULLS.c

SHORTEST_SHA = 7
"""Digits of a commit's id that a client shows at least."""

MOST_ON_BRANCH = 200
"""Of the sessions that were on a branch, the newest: `develop` has had thousands."""

_OF_SESSION = select(EVIDENCE).where(_E.organization_id == bindparam("org"), _E.session_id == bindparam("session"))
_BY_ID = select(EVIDENCE).where(_E.organization_id == bindparam("org"), _E.id.in_(bindparam("ids", expanding=True)))
_ADD = insert(EVIDENCE).values(organization_id=bindparam("org"))
_LINKS = select(SESSION_LINK).where(_L.organization_id == bindparam("org"), _L.session_id == bindparam("session"))
_COMMITS = select(SESSION_COMMIT).where(_C.organization_id == bindparam("org"), _C.session_id == bindparam("session"))
_LINKED = select(_L.session_id).where(
    _L.organization_id == bindparam("org"), _L.repository == bindparam("name"), _L.number == bindparam("wanted")
)
_ON_BRANCH = (
    select(_E.session_id)
    .where(_E.organization_id == bindparam("org"), _E.branch == bindparam("on"))
    .order_by(_E.organization_id, _E.branch, _E.id.desc())
    .limit(MOST_ON_BRANCH)
)
_MADE = select(_C.session_id).where(
    _C.organization_id == bindparam("org"), _C.sha.in_(bindparam("beginnings", expanding=True))
)
_PULLS = select(COMMIT_PULLS).where(
    _P.organization_id == bindparam("org"),
    _P.repository_id == bindparam("repository"),
    _P.sha.in_(bindparam("shas", expanding=True)),
)


def _keep(table: Any) -> Callable[[Any], Any]:
    """Insert, or replace everything but the key."""
    keys = [column.name for column in table.primary_key]
    rest = [column.name for column in table.columns if column.name not in keys]

    def statement_of(into: Any) -> Any:
        statement = into(table).values(organization_id=bindparam("org"))
        return statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in rest}
        )

    return statement_of


_KEEP_LINK = per_database(_keep(SESSION_LINK))
_KEEP_COMMIT = per_database(_keep(SESSION_COMMIT))
_KEEP_PULLS = per_database(_keep(COMMIT_PULLS))


class SqlEvidence(SqlPart):
    """The part of `app.ledger.books.Books` about evidence."""

    def evidence_of(self, session_id: str) -> dict[Evidence, int]:
        """See `Books`."""
        return {_evidence(row): row.id for row in self._rows(_OF_SESSION, session=session_id)}

    def evidence(self, ids: Iterable[int]) -> dict[int, Evidence]:
        """See `Books`."""
        return {row.id: _evidence(row) for row in self._rows_by_id(_BY_ID, ids)}

    def add_evidence(self, session_id: str, told: Sequence[Evidence]) -> dict[Evidence, int]:
        """See `Books`."""
        plain = [replace(one, folder="") for one in told]
        ids = dict(zip(plain, self.new_ids(len(plain)), strict=True))
        self._write(
            _ADD,
            [
                {
                    "id": evidence_id,
                    "session_id": session_id,
                    "repository": one.repository,
                    "branch": one.branch,
                    "head": one.commit,
                }
                for one, evidence_id in ids.items()
            ],
        )
        return ids

    def links_of(self, session_id: str) -> list[PullRequestLink]:
        """See `Books`."""
        found = [
            PullRequestLink(r.repository, r.number, r.branch, r.at) for r in self._rows(_LINKS, session=session_id)
        ]
        return sorted(found, key=lambda link: (link.repository, link.number, link.branch))

    def keep_link(self, session_id: str, link: PullRequestLink) -> None:
        """See `Books`."""
        values = {"repository": link.repository.lower(), "number": link.number, "branch": link.branch, "at": link.at}
        self._write(_KEEP_LINK, {"session_id": session_id, **values})

    def commits_of(self, session_id: str) -> list[CommitMade]:
        """See `Books`."""
        found = [CommitMade(r.sha, r.repository, r.branch, r.at) for r in self._rows(_COMMITS, session=session_id)]
        return sorted(found, key=lambda made: (made.sha, made.repository, made.branch))

    def keep_commit(self, session_id: str, commit: CommitMade) -> None:
        """See `Books`."""
        values = {"sha": commit.sha, "repository": commit.repository.lower(), "branch": commit.branch, "at": commit.at}
        self._write(_KEEP_COMMIT, {"session_id": session_id, **values})

    def sessions_that_saw(self, repository: str, number: int, branch: str, sha: str) -> list[str]:
        """See `Books`."""
        found = [*self._rows(_LINKED, name=repository.lower(), wanted=number)]
        found += self._rows(_ON_BRANCH, on=branch) if branch else ()
        found += self._rows(_MADE, beginnings=beginnings(sha)) if sha else ()
        return sorted({row[0] for row in found})

    def pulls_of_commits(self, repository_id: int, shas: Iterable[str]) -> dict[str, tuple[tuple[int, ...], datetime]]:
        """See `Books`."""
        wanted = sorted(set(shas))
        rows = self._rows(_PULLS, repository=repository_id, shas=wanted) if wanted else ()
        return {row.sha: (tuple(row.numbers), row.asked_at) for row in rows}

    def keep_pulls_of_commit(self, repository_id: int, sha: str, numbers: Sequence[int], now: datetime) -> None:
        """See `Books`."""
        self._write(
            _KEEP_PULLS, {"repository_id": repository_id, "sha": sha, "numbers": list(numbers), "asked_at": now}
        )


def beginnings(sha: str) -> list[str]:
    """Every name by which a client may show this commit."""
    return [sha[:length] for length in range(SHORTEST_SHA, len(sha) + 1)]


def _evidence(row: Any) -> Evidence:
    return Evidence(row.repository, row.branch, row.head)

"""Pull requests and policy files in a database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, insert, or_, select, update

from app.registry import InForce, PolicyFile, PullRequest, Repository
from app.store.policy_files import COUNTING, FileState, in_force
from app.store.sql_part import SqlPart
from app.store.tables import POLICY_FILE, PULL_REQUEST

_P, _F = PULL_REQUEST.c, POLICY_FILE.c

_SEEN = (
    "tab_id",
    "head_sha",
    "head_branch",
    "base_branch",
    "author_id",
    "title",
    "state",
    "draft",
    "updated_at",
    "edits_policy",
    "opened_at",
    "ended_at",
)
_POSTED = ("check_run_id", "check_sha", "check_digest", "comment_id", "comment_digest")

_PULLS = select(PULL_REQUEST).where(_P.organization_id == bindparam("org"))
_BY_NUMBER = _PULLS.where(_P.repository_id == bindparam("repository"), _P.number == bindparam("wanted"))
# Sorted here, not there: for an ORDER BY that its key gives for nothing SQLite would read every row of the organization.
_OF_TAB = _PULLS.where(_P.tab_id == bindparam("tab"))
_OPEN = _PULLS.where(_P.state == "open")
_OPEN_OF_REPOSITORY = _OPEN.where(_P.repository_id == bindparam("repository"))
_ADD = insert(PULL_REQUEST).values(organization_id=bindparam("org"))


def _save(names: tuple[str, ...]) -> Any:
    return (
        update(PULL_REQUEST)
        .where(_P.organization_id == bindparam("org"), _P.id == bindparam("pull"))
        .values({name: bindparam(f"new_{name}", type_=_P[name].type) for name in names})
    )


_SAVE_SEEN, _SAVE_POSTED = _save(_SEEN), _save(_POSTED)

_FILES_NOW = select(POLICY_FILE).where(
    _F.organization_id == bindparam("org"),
    _F.repository_id.in_([0, bindparam("repository")]),
    or_(_F.newest, _F.in_force),
)
_ADD_FILE = insert(POLICY_FILE).values(organization_id=bindparam("org"))
_AGE_NEWEST = (
    update(POLICY_FILE)
    .where(_F.organization_id == bindparam("org"), _F.repository_id == bindparam("repository"), _F.newest)
    .values(newest=False)
)
_AGE_IN_FORCE = (
    update(POLICY_FILE)
    .where(_F.organization_id == bindparam("org"), _F.repository_id == bindparam("repository"), _F.in_force)
    .values(in_force=False)
)
_SEEN_AGAIN = (
    update(POLICY_FILE)
    .where(_F.organization_id == bindparam("org"), _F.id == bindparam("file"))
    .values(seen_at=bindparam("at", type_=_F.seen_at.type))
)


class SqlPullRequests(SqlPart):
    """The part of `app.registry.Registry` about pull requests and policies."""

    def repository(self, repository_id: int) -> Repository | None:
        """See `Registry`; another part answers it."""
        raise NotImplementedError

    def pull_request(self, repository_id: int, number: int) -> PullRequest | None:
        """See `Registry`."""
        row = self._row(_BY_NUMBER, repository=repository_id, wanted=number)
        return _pull_request(row) if row else None

    def pull_requests_of_tab(self, tab_id: int) -> list[PullRequest]:
        """See `Registry`."""
        found = [_pull_request(row) for row in self._rows(_OF_TAB, tab=tab_id)]
        return sorted(found, key=lambda pull_request: -pull_request.id)

    def open_pull_requests(self, repository_id: int | None = None, head_sha: str = "") -> list[PullRequest]:
        """See `Registry`."""
        rows = self._rows(_OPEN) if repository_id is None else self._rows(_OPEN_OF_REPOSITORY, repository=repository_id)
        found = [_pull_request(row) for row in rows if not head_sha or row.head_sha == head_sha]
        return sorted(found, key=lambda pull_request: (pull_request.repository_id, pull_request.number))

    def save_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """See `Registry`."""
        stored = self.pull_request(pull_request.repository_id, pull_request.number)
        if stored is None:
            kept = replace(pull_request, id=pull_request.id or self.new_id())
            values = {name: getattr(kept, name) for name in ("id", "repository_id", "number", *_SEEN, *_POSTED)}
            self._write(_ADD, values)
            return kept
        kept = with_seen(stored, pull_request)
        if kept != stored:
            self._write(_SAVE_SEEN, {"pull": kept.id, **{f"new_{name}": getattr(kept, name) for name in _SEEN}})
        return kept

    def note_posted(self, pull_request: PullRequest) -> None:
        """See `Registry`."""
        values = {f"new_{name}": getattr(pull_request, name) for name in _POSTED}
        self._write(_SAVE_POSTED, {"pull": pull_request.id, **values})

    def add_policy_file(self, file: PolicyFile) -> None:
        """See `Registry`."""
        whose = file.repository_id or 0
        newest = next((r for r in self._files(whose) if r.repository_id == whose and r.newest), None)
        if newest and (newest.commit, newest.text, newest.state, tuple(newest.problems)) == (
            file.commit,
            file.text,
            file.state,
            file.problems,
        ):
            self._write(_SEEN_AGAIN, {"file": newest.id, "at": file.seen_at})
            return
        counts = file.state in COUNTING
        self._write(_AGE_NEWEST, {"repository": whose})
        if counts:
            self._write(_AGE_IN_FORCE, {"repository": whose})
        self._write(
            _ADD_FILE,
            {
                "id": self.new_id(),
                "repository_id": whose,
                "commit": file.commit,
                "text": file.text,
                "state": file.state,
                "problems": list(file.problems),
                "seen_at": file.seen_at,
                "newest": True,
                "in_force": counts,
            },
        )

    def policy_file(self, repository_id: int | None) -> PolicyFile | None:
        """See `Registry`."""
        whose = repository_id or 0
        return _file(next((r for r in self._files(whose) if r.repository_id == whose and r.newest), None))

    def policy_file_in_force(self, repository_id: int | None) -> PolicyFile | None:
        """See `Registry`."""
        whose = repository_id or 0
        return _file(next((r for r in self._files(whose) if r.repository_id == whose and r.in_force), None))

    def policy_in_force(self, repository_id: int) -> InForce:
        """See `Registry`."""
        rows = self._files(repository_id)
        repository = self.repository(repository_id)
        return in_force(
            _state(rows, 0),
            _state(rows, repository_id) if repository_id else FileState.of(None, None),
            repository.full_name if repository else "",
            repository.topics if repository else (),
        )

    def _files(self, repository_id: int) -> Any:
        return self._rows(_FILES_NOW, repository=repository_id)


def with_seen(stored: PullRequest, seen: PullRequest) -> PullRequest:
    """What to store when a pull request is seen again: the newer of both; what we posted stays."""
    if seen.updated_at < stored.updated_at:
        return stored
    return replace(seen, id=stored.id, **{name: getattr(stored, name) for name in _POSTED})


def _state(rows: Any, whose: int) -> FileState:
    mine = [row for row in rows if row.repository_id == whose]
    newest = next((row for row in mine if row.newest), None)
    return FileState.of(_file(newest), _file(next((row for row in mine if row.in_force), None)))


def _file(row: Any) -> PolicyFile | None:
    if row is None:
        return None
    return PolicyFile(row.repository_id or None, row.commit, row.text, row.state, tuple(row.problems), row.seen_at)


def _pull_request(row: Any) -> PullRequest:
    return PullRequest(
        id=row.id,
        repository_id=row.repository_id,
        number=row.number,
        **{name: getattr(row, name) for name in (*_SEEN, *_POSTED)},
    )

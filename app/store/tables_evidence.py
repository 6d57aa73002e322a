"""Tables of what sessions told of where their calls were made, of what GitHub said of their commits, and of what each spent on a tab."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import SQLModel

from app.store.columns import document, maybe_moment, moment, string, whole

_CLUSTERED = {"sqlite_with_rowid": False}


class EvidenceTable(SQLModel, table=True):
    """A repository, branch and commit that calls of a session named; few of each session. Any may be empty."""

    __tablename__ = "evidence"
    __table_args__ = (
        Index("evidence_session", "organization_id", "session_id", "repository", "branch", "head", unique=True),
        Index("evidence_branch", "organization_id", "branch", "id"),
    )
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    session_id: str = string()
    repository: str = string()
    branch: str = string()
    head: str = string()


class SessionLinkTable(SQLModel, table=True):
    """A pull request that a session's client saw. repository: in lower case. at: null where nothing tells it."""

    __tablename__ = "session_link"
    __table_args__ = (Index("session_link_number", "organization_id", "repository", "number"), _CLUSTERED)
    organization_id: int = whole(key=True)
    session_id: str = string(key=True)
    repository: str = string(key=True)
    number: int = whole(key=True)
    branch: str = string(key=True)
    at: datetime | None = maybe_moment()


class SessionCommitTable(SQLModel, table=True):
    """A commit that a session made. sha: as its client shows it, at least 7 digits."""

    __tablename__ = "session_commit"
    __table_args__ = (Index("session_commit_sha", "organization_id", "sha"), _CLUSTERED)
    organization_id: int = whole(key=True)
    session_id: str = string(key=True)
    sha: str = string(key=True)
    repository: str = string(key=True)
    branch: str = string(key=True)
    at: datetime | None = maybe_moment()


class SessionThreadTable(SQLModel, table=True):
    """A vendor's own thread and the session it is. engineer_id: 0 for nobody known."""

    __tablename__ = "session_thread"
    __table_args__ = _CLUSTERED
    organization_id: int = whole(key=True)
    engineer_id: int = whole(key=True)
    agent: str = string(key=True)
    thread: str = string(key=True)
    session_id: str = string()


class CommitPullsTable(SQLModel, table=True):
    """GitHub's answer to which pull requests (numbers) a commit is in."""

    __tablename__ = "commit_pulls"
    __table_args__ = _CLUSTERED
    organization_id: int = whole(key=True)
    repository_id: int = whole(key=True)
    sha: str = string(key=True)
    numbers: list[int] = document()
    asked_at: datetime = moment()


class TabSessionTable(SQLModel, table=True):
    """What a session's entries come to on one tab: a projection of the entries. A session may lie on several."""

    __tablename__ = "tab_session"
    __table_args__ = _CLUSTERED
    organization_id: int = whole(key=True)
    tab_id: int = whole(key=True)
    session_id: str = string(key=True)
    spent_nano: int = whole()
    spent_tokens: int = whole()
    notional: int = whole()
    unknown_usages: int = whole()

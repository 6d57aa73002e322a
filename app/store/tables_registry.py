"""Tables of the registry: organizations, repositories, people and their gauges, pull requests, policies, secrets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary
from sqlmodel import Field, SQLModel

from app.store.columns import document, maybe_moment, maybe_whole, moment, string, whole


class OrganizationTable(SQLModel, table=True):
    """An account the App was installed on. Its row is what a writer on PostgreSQL locks first."""

    __tablename__ = "organization"
    id: int = whole(key=True)
    github_id: int = Field(unique=True, sa_type=whole().sa_type, nullable=False)
    login: str = string()
    installation_id: int | None = maybe_whole()
    active: bool
    timezone: str = string()
    paused: bool


class RepositoryTable(SQLModel, table=True):
    """A repository, by GitHub's id; its name may change. folded: the name in lower case."""

    __tablename__ = "repository"
    __table_args__ = (
        Index("repository_github", "organization_id", "github_id", unique=True),
        Index("repository_name", "organization_id", "folded"),
    )
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    github_id: int = whole()
    full_name: str = string()
    folded: str = string()
    default_branch: str = string()
    private: bool
    topics: list[str] = document()
    active: bool


class FormerNameTable(SQLModel, table=True):
    """A name that a repository went by or (after `FORK`) a fork of it goes by, in lower case. Ids tell the time: the newest had it last."""

    __tablename__ = "former_name"
    __table_args__ = (
        Index("former_name_was", "organization_id", "folded"),
        Index("former_name_of", "organization_id", "repository_id"),
    )
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    repository_id: int = whole()
    folded: str = string()


class FormerDefaultTable(SQLModel, table=True):
    """A branch that was a repository's default one, until `ended_at`."""

    __tablename__ = "former_default"
    __table_args__ = {"sqlite_with_rowid": False}
    organization_id: int = whole(key=True)
    repository_id: int = whole(key=True)
    branch: str = string(key=True)
    ended_at: datetime = moment()


class EngineerTable(SQLModel, table=True):
    """A person or bot. folded: the login in lower case, empty once erased."""

    __tablename__ = "engineer"
    __table_args__ = (
        Index("engineer_github", "organization_id", "github_id", unique=True),
        Index("engineer_login", "organization_id", "folded"),
    )
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    github_id: int = whole()
    login: str = string()
    folded: str = string()
    kind: str = string()
    checked_at: datetime | None = maybe_moment()


class EngineerTokenTable(SQLModel, table=True):
    """An engineer's token, by the SHA-256 of its text."""

    __tablename__ = "engineer_token"
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    engineer_id: int = whole()
    digest: str = Field(unique=True)
    name: str = string()
    scopes: list[str] = document()
    created_at: datetime = moment()
    revoked_at: datetime | None = maybe_moment()


class SlackMemberTable(SQLModel, table=True):
    """Whom an engineer is in Slack, as far as was found out. digest: of what the policy said then, so no address stands here."""

    __tablename__ = "slack_member"
    organization_id: int = whole(key=True)
    engineer_id: int = whole(key=True)
    digest: str = string()
    member: str = string()
    problem: str = string()
    checked_at: datetime = moment()


class PullRequestTable(SQLModel, table=True):
    """A pull request as last seen, and what we posted on it."""

    __tablename__ = "pull_request"
    __table_args__ = (
        Index("pull_request_number", "organization_id", "repository_id", "number", unique=True),
        Index("pull_request_tab", "organization_id", "tab_id"),
        Index("pull_request_open", "organization_id", "state", "repository_id"),
    )
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    repository_id: int = whole()
    number: int = whole()
    tab_id: int = whole()
    head_sha: str = string()
    head_branch: str = string()
    base_branch: str = string()
    author_id: int | None = maybe_whole()
    title: str = string()
    state: str = string()
    draft: bool
    updated_at: datetime = moment()
    check_run_id: int | None = maybe_whole()
    check_sha: str = string()
    check_digest: str = string()
    comment_id: int | None = maybe_whole()
    comment_digest: str = string()
    edits_policy: bool
    opened_at: datetime | None = maybe_moment()
    ended_at: datetime | None = maybe_moment()


class GaugeTable(SQLModel, table=True):
    """The newest reading of one vendor window of an engineer. account is empty where nothing told it."""

    __tablename__ = "gauge"
    __table_args__ = {"sqlite_with_rowid": False}
    organization_id: int = whole(key=True)
    engineer_id: int = whole(key=True)
    vendor: str = string(key=True)
    account: str = string(key=True)
    window_name: str = string(key=True)
    used: int = whole()
    observed_at: datetime = moment()
    source: str = string()
    resets_at: datetime | None = maybe_moment()
    minutes: int = whole()
    plan: str = string()
    status: str = string()


class EarlierGaugeTable(SQLModel, table=True):
    """Readings of engineers' vendor windows from before the newest; which of them are kept, `tabstop.gauge_history` says."""

    __tablename__ = "earlier_gauge"
    __table_args__ = {"sqlite_with_rowid": False}
    organization_id: int = whole(key=True)
    engineer_id: int = whole(key=True)
    vendor: str = string(key=True)
    account: str = string(key=True)
    window_name: str = string(key=True)
    observed_at: datetime = moment(key=True)
    used: int = whole()
    source: str = string()
    resets_at: datetime | None = maybe_moment()
    minutes: int = whole()
    plan: str = string()
    status: str = string()


class SessionGaugeTable(SQLModel, table=True):
    """How far one vendor window moved while a session ran (ten-thousandths), and the newest reading that it told.

    moved: null where that is not known.
    """

    __tablename__ = "session_gauge"
    __table_args__ = {"sqlite_with_rowid": False}
    organization_id: int = whole(key=True)
    session_id: str = string(key=True)
    vendor: str = string(key=True)
    account: str = string(key=True)
    window_name: str = string(key=True)
    moved: int | None = maybe_whole()
    used: int = whole()
    observed_at: datetime = moment()
    source: str = string()
    resets_at: datetime | None = maybe_moment()
    minutes: int = whole()


class PolicyFileTable(SQLModel, table=True):
    """A read of a policy file. repository_id is 0 for the organization's. Kept for ever: decisions name its commit."""

    __tablename__ = "policy_file"
    __table_args__ = (Index("policy_file_now", "organization_id", "repository_id", "newest", "in_force"),)
    organization_id: int = whole(key=True)
    id: int = whole(key=True)
    repository_id: int = whole()
    commit: str = string()
    text: str = string()
    state: str = string()
    problems: list[str] = document()
    seen_at: datetime = moment()
    newest: bool
    in_force: bool


class SecretTable(SQLModel, table=True):
    """A secret that arrives encrypted."""

    __tablename__ = "secret"
    name: str = string(key=True)
    sealed: bytes = Field(sa_type=LargeBinary, nullable=False)

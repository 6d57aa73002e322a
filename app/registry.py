"""The registry: which organizations, repositories, people, pull requests and policies there are, besides the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from app.ledger.books import Books, Job, Overdrive, SessionRow, Tab
from app.ledger.rows import NO_REPOSITORY
from tabstop.budget import Budget, Scope
from tabstop.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Organization:
    """An account the App was installed on. `installation_id` is None once it is uninstalled; suspended ones are inactive."""

    id: int
    github_id: int
    login: str
    installation_id: int | None
    active: bool = True
    timezone: str = "UTC"
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository the installation covers. `active` is False once it is removed or deleted; its ledger stays."""

    id: int
    github_id: int
    full_name: str
    default_branch: str = "main"
    private: bool = True
    topics: tuple[str, ...] = ()
    active: bool = True


FORK = "fork:"
"""Before the name of a fork that is called otherwise than the repository it came from, among the names of that one."""

OUTSIDE = Repository(NO_REPOSITORY, 0, "", "")
"""In place of a repository, for an engineer's work in none of the organization's."""


class EngineerKind(StrEnum):
    """Who somebody is to the organization."""

    MEMBER = "member"
    OUTSIDE = "outside"
    BOT = "bot"
    UNCHECKED = "unchecked"
    """Seen, and membership not asked yet."""


@dataclass(frozen=True, slots=True)
class Engineer:
    """A person or bot by internal id; the login can be erased, the id stays."""

    id: int
    github_id: int
    login: str
    kind: EngineerKind = EngineerKind.UNCHECKED
    checked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as last seen, with what we posted on it.

    head_branch: prefixed `owner:` when the head is in another repository (a fork). updated_at: GitHub's own, so that an
    older event never overwrites a newer. *_digest: of the body last sent, so that an unchanged one is not sent again.
    edits_policy: whether it changes `.github/tabstop.yml`. opened_at, ended_at: GitHub's own; None where it was not asked for them.
    """

    id: int
    repository_id: int
    number: int
    tab_id: int
    head_sha: str
    head_branch: str
    base_branch: str
    author_id: int | None
    title: str
    state: str
    """`open`, `closed` or `merged`."""
    draft: bool
    updated_at: datetime
    check_run_id: int | None = None
    check_sha: str = ""
    check_digest: str = ""
    comment_id: int | None = None
    comment_digest: str = ""
    edits_policy: bool = False
    opened_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One read of a policy file. `repository_id` is None for the organization's.

    state: `absent` (there is none), `valid`, `invalid` (the last valid one stays in force) or `unreadable` (likewise).
    """

    repository_id: int | None
    commit: str
    text: str
    state: str
    problems: tuple[str, ...]
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy in force for one repository.

    commit: of the repository's file, then of the organization's; empty without files. problem: set while a newer file is
    invalid or unreadable, so that surfaces can say that an older one stays in force. read: False before the first read.
    """

    policy: Policy
    commit: str = ""
    problem: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    read: bool = True


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job taken from the outbox. attempts counts from 1; want: how many requests it answers, so that one arriving meanwhile is not lost.

    lease: which taking of it this is; who was taken over can no longer end it.
    """

    id: int
    organization_id: int | None
    kind: str
    key: str
    payload: Mapping[str, Any]
    attempts: int
    want: int
    lease: int = 0


@dataclass(frozen=True, slots=True)
class EngineerToken:
    """A revocable token of one engineer; only the SHA-256 of its text is stored. scopes: `start`, `read`, `approve`."""

    id: int
    organization_id: int
    engineer_id: int
    digest: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SlackMember:
    """What came of looking an engineer up in Slack, who stands under `slack.people`, or of writing to them.

    digest: of what stood there. member: the id to write to; empty when that cannot be. problem: why not; empty when all is well.
    """

    engineer_id: int
    digest: str
    member: str
    problem: str
    checked_at: datetime


class Registry(Protocol):
    """The part of an organization's transaction that knows repositories, people, pull requests and policies."""

    def organization(self) -> Organization:
        """The organization whose books are open."""

    def save_organization(self, organization: Organization) -> None:
        """Store its login, installation, timezone, and whether it is active or paused."""

    def repository(self, repository_id: int) -> Repository | None:
        """By internal id."""

    def repository_by_github_id(self, github_id: int) -> Repository | None:
        """By GitHub's id: names change, ids do not."""

    def repository_by_name(self, full_name: str) -> Repository | None:
        """By the name it goes by now, else by one it went by, case ignored.

        Only for what people and their clones say, never for what has to be proven.
        """

    def former_names(self, repository_id: int) -> list[str]:
        """Names it went by, in lower case, the newest first; not those of its forks."""

    def former_owners(self) -> set[str]:
        """Owners in the names that repositories (not their forks) went by, in lower case."""

    def keep_former_name(self, repository_id: int, full_name: str) -> None:
        """Remember that it went by this name, or (after `FORK`) a fork of it. A rename that `save_repository` stores is remembered by itself."""

    def former_defaults(self, repository_id: int) -> dict[str, datetime]:
        """Branches that were its default one, each with until when."""

    def keep_former_default(self, repository_id: int, branch: str, ended_at: datetime) -> None:
        """Remember that this was the default branch until then. Of two who say when, the one with the earlier time learned it sooner.

        `save_repository` forgets it when it is the default branch again.
        """

    def repositories(self) -> list[Repository]:
        """All, by name."""

    def save_repository(self, repository: Repository) -> Repository:
        """Store by GitHub's id; an `id` of 0 asks for a new one. Answers the stored one."""

    def engineer(self, engineer_id: int) -> Engineer | None:
        """By internal id."""

    def engineer_by_login(self, login: str) -> Engineer | None:
        """By login, case ignored."""

    def save_engineer(self, engineer: Engineer) -> Engineer:
        """Store by GitHub's id; an `id` of 0 asks for a new one. `unchecked` never overwrites what was checked."""

    def slack_members(self) -> list[SlackMember]:
        """All, by engineer."""

    def slack_member(self, engineer_id: int) -> SlackMember | None:
        """What is remembered of this engineer; None before anything was tried."""

    def keep_slack_member(self, member: SlackMember) -> None:
        """Remember it, in place of what was remembered of this engineer before."""

    def add_engineer_token(self, token: EngineerToken) -> None:
        """Store a token."""

    def engineer_tokens(self) -> list[EngineerToken]:
        """All, newest first."""

    def revoke_engineer_token(self, token_id: int, now: datetime) -> None:
        """End a token."""

    def tab(self, tab_id: int) -> Tab | None:
        """By id."""

    def tab_of_branch(self, repository_id: int, branch: str) -> Tab | None:
        """The branch's open tab, if there is one."""

    def sessions_of_tab(self, tab_id: int, limit: int = 50) -> list[SessionRow]:
        """Those that began on it, and those of which something lies there; newest first.

        Their totals (spent, notional, unknown_usages) are what they come to on this tab; `elsewhere` says whether that is not all.
        """

    def count_sessions_of_tab(self, tab_id: int) -> int:
        """How many there are in all."""

    def overdrives(self, *, in_force_at: datetime | None = None) -> list[Overdrive]:
        """Raises, newest first; only those in force at an instant, if one is given."""

    def budget_in_window(self, scope: Scope, subject_id: int, now: datetime) -> Budget | None:
        """The budget of this scope and subject whose window holds `now`; None before anything touched it."""

    def budgets_of_tab(self, tab_id: int, now: datetime) -> list[Budget]:
        """The tab's own budget; none before anything touched it."""

    def pull_request(self, repository_id: int, number: int) -> PullRequest | None:
        """By number."""

    def pull_requests_of_tab(self, tab_id: int) -> list[PullRequest]:
        """All that adopted this tab, newest first."""

    def open_pull_requests(self, repository_id: int | None = None, head_sha: str = "") -> list[PullRequest]:
        """Open ones of a repository (or all), of one head commit if given."""

    def save_pull_request(self, pull_request: PullRequest) -> PullRequest:
        """Store by (repository, number); an `id` of 0 asks for a new one. An older `updated_at` never overwrites a newer: answers what is stored then."""

    def note_posted(self, pull_request: PullRequest) -> None:
        """Store only what we posted: check run, comment and their digests."""

    def add_policy_file(self, file: PolicyFile) -> None:
        """Keep a read of a policy file, and make it the current one unless it is invalid or unreadable."""

    def policy_file(self, repository_id: int | None) -> PolicyFile | None:
        """The newest read of it, whatever its state."""

    def policy_file_in_force(self, repository_id: int | None) -> PolicyFile | None:
        """The newest read that counts, `valid` or `absent`; None before the first."""

    def policy_in_force(self, repository_id: int) -> InForce:
        """The repository's last valid file over the organization's over the defaults."""


class Transaction(Books, Registry, Protocol):
    """Everything one transaction on one organization can read and write."""


class Store(Protocol):
    """The database (or memory) behind everything. Built once; safe to use from several threads."""

    def open(self, organization_id: int) -> AbstractContextManager[Transaction]:
        """One transaction that may write; commits at the end, rolls back on an exception."""

    def look(self, organization_id: int) -> AbstractContextManager[Transaction]:
        """One consistent view for reading; nothing written in it is kept."""

    def organizations(self) -> list[Organization]:
        """All, by login."""

    def organization_by_github_id(self, github_id: int) -> Organization | None:
        """By GitHub's id of the account."""

    def organization_by_installation(self, installation_id: int) -> Organization | None:
        """By installation."""

    def register(self, github_id: int, login: str, installation_id: int) -> Organization:
        """Store an organization, or its new login and installation."""

    def keep_delivery(self, guid: str, event: str, body: Mapping[str, Any], now: datetime) -> bool:
        """Remember a webhook and enqueue the job that handles it, in one transaction; False when it was seen before."""

    def delivery(self, guid: str) -> tuple[str, Mapping[str, Any]] | None:
        """A remembered webhook: event and body; None once retention removed it."""

    def enqueue(self, jobs: Sequence[Job]) -> None:
        """Add jobs that belong to no organization."""

    def take_job(self, worker: str, now: datetime) -> WaitingJob | None:
        """Lease the next job that is due; a lease that ran out (a killed worker's) is taken over."""

    def finish_job(self, job: WaitingJob, now: datetime) -> None:
        """Done: gone, or due again when it was asked for meanwhile."""

    def retry_job(self, job: WaitingJob, at: datetime, error: str, *, firm: bool = False) -> None:
        """Failed, try again at `at`. firm: not before, even if it is asked for again (somebody's Retry-After)."""

    def bury_job(self, job: WaitingJob, error: str, now: datetime) -> None:
        """Failed for good: kept, visible, until somebody asks for it again."""

    def dead_jobs(self) -> list[tuple[WaitingJob, str]]:
        """Buried jobs with their last error."""

    def claim_slot(self, name: str, slot: datetime) -> bool:
        """Claim a cron slot (`seal audit`, 12:05); True for one worker only."""

    def remove_old(self, now: datetime, bodies_days: int, deliveries_days: int) -> int:
        """Retention: drop webhook bodies, delivery ids and answers to starts past their days; answers how many rows changed."""

    def seal_audit(self, organization_id: int, key: bytes) -> int:
        """Number and chain audit rows not sealed yet, in order; answers how many."""

    def keep_secret(self, name: str, sealed: bytes) -> None:
        """Store a secret that is already encrypted."""

    def secret(self, name: str) -> bytes | None:
        """A stored secret, still encrypted."""

    def engineer_token(self, digest: str) -> EngineerToken | None:
        """An engineer's token by the SHA-256 of its text."""

    def ping(self) -> None:
        """Raise when the database cannot be used."""

    def close(self) -> None:
        """Close every connection. Do it before a fork: a child that inherits SQLite's file would drop its own locks."""

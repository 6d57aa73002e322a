"""A town: a server without its door. Store, fake GitHub, a clock that stands until moved, and the real jobs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.github_api.fake import FakeGitHub, PostedCheck, PostedComment
from app.github_api.protocol import RemotePullRequest, RemoteRepository
from app.jobs.runner import Runner
from app.jobs.table import HANDLERS
from app.ledger.admit import Start, admit
from app.ledger.books import AuditRow, Job, SessionRow
from app.ledger.record_usage import Report, record_usage
from app.registry import Engineer, EngineerKind, PullRequest, Repository, Store, Transaction
from app.settings import Settings
from app.store.migrate import upgrade
from app.store.open import open_store
from app.world import World
from tabstop.admission import Admission
from tabstop.budget import Scope
from tabstop.cost import Cost, CostState
from tabstop.money import dollars
from tabstop.policy.model import Policy
from tabstop.usage import Tokens, Usage
from tabstop.wire import StartAnswer

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
WIDGET = RemoteRepository(100, "acme/widget", "main", private=True)
SITE = RemoteRepository(200, "acme/site", "main", private=False)
RULES = RemoteRepository(300, "acme/.github", "main", private=True)
INSTALLATION = 777
ACME: dict[str, Any] = {"id": 4, "login": "acme", "type": "Organization"}
ALICE: dict[str, Any] = {"id": 1, "login": "alice", "type": "User"}


@dataclass
class Town:
    """Everything a test of jobs and events needs; `deliver` is a webhook arriving, `work` the outbox being done.

    account, widget: GitHub's ids of acme and of acme/widget.
    """

    store: Store
    github: FakeGitHub = field(default_factory=FakeGitHub)
    at: datetime = NOW
    account: int = 4
    widget: int = 100
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.github.install(INSTALLATION, ACME["id"], "acme", WIDGET, SITE, RULES)
        settings = Settings.from_environ({"TABSTOP_SECRET_KEY": "k" * 32})
        self.world = World(
            settings=settings,
            store=self.store,
            github=self.github,
            chat=None,
            now=lambda: self.at,
            new_session_id=lambda: f"ses_{next(self.numbers)}",
            price=lambda usage, _overrides: Cost(CostState.KNOWN, usage.tokens.output * 1_000_000, "m"),
            price_card=lambda _models, _at, _overrides: {},
        )
        self.runner = Runner(self.world, HANDLERS)

    @property
    def org(self) -> int:
        """Acme's internal id; it exists once anything was delivered."""
        found = self.store.organization_by_github_id(self.account)
        assert found
        return found.id

    def pass_time(self, **span: float) -> None:
        """Move the clock."""
        self.at += timedelta(**span)

    def deliver(self, event: str, body: Mapping[str, Any], guid: str = "") -> bool:
        """A webhook arrives, as GitHub sends it to an App."""
        whole = {"installation": {"id": INSTALLATION}, **body}
        return self.store.keep_delivery(guid or f"guid-{next(self.numbers)}", event, whole, self.at)

    def work(self) -> int:
        """Do what is due now."""
        return self.runner.drain(2_000)

    def settle(self, minutes: int = 2) -> None:
        """Do what is due, and what follows within some minutes."""
        for _ in range(minutes * 12):
            self.work()
            self.pass_time(seconds=5)
        self.work()

    def dead(self) -> list[tuple[str, str]]:
        """(kind, error) of jobs that failed for good."""
        return [(job.kind, error) for job, error in self.store.dead_jobs()]

    @contextmanager
    def books(self) -> Iterator[Transaction]:
        """A transaction on acme's books."""
        with self.store.open(self.org) as db:
            yield db

    # What people do

    def pull(self, number: int, state: str = "open", **changes: Any) -> RemotePullRequest:
        """A pull request as GitHub has it from now on."""
        known = self.github.pull_requests.get(("acme/widget", number))
        first = RemotePullRequest(
            number=number,
            title="A change",
            state=state,
            draft=False,
            head_sha=f"{number:040x}",
            head_branch=f"feature-{number}",
            head_repository_id=WIDGET.github_id,
            head_owner="acme",
            base_branch="main",
            author_id=1,
            author_login="alice",
            author_is_bot=False,
            updated_at=self.at,
        )
        now = replace(known or first, **{"updated_at": self.at, "state": state, **changes})
        return self.github.put("acme/widget", now, self.github.changed.get(("acme/widget", number), ("src/main.py",)))

    def pull_event(self, action: str, remote: RemotePullRequest, repository: RemoteRepository = WIDGET) -> bool:
        """The webhook about it."""
        return self.deliver("pull_request", pull_body(action, remote, repository))

    def opened(self, number: int = 1, **changes: Any) -> PullRequest:
        """A pull request is opened and answered."""
        self.pull_event("opened", self.pull(number, **changes))
        self.settle()
        return self.seen(number)

    # What came of it

    def repository(self, remote: RemoteRepository | None = None) -> Repository:
        """A repository as stored; acme/widget unless another is named."""
        with self.store.look(self.org) as db:
            found = db.repository_by_github_id(remote.github_id if remote else self.widget)
        assert found
        return found

    def seen(self, number: int) -> PullRequest:
        """A pull request as stored."""
        repository = self.repository()
        with self.store.look(self.org) as db:
            found = db.pull_request(repository.id, number)
        assert found
        return found

    def check(self, number: int = 1) -> PostedCheck:
        """The one check on a pull request's head."""
        found = self.github.checks_on(self.github.pull_requests["acme/widget", number].head_sha)
        assert len(found) == 1, found
        return found[0]

    def comments(self, number: int = 1) -> list[PostedComment]:
        """Our comments on a pull request."""
        return self.github.comments_on("acme/widget", number)

    # Sessions

    def engineer(self, login: str = "alice", github_id: int = 1) -> Engineer:
        """A member."""
        with self.books() as db:
            return db.save_engineer(Engineer(0, github_id, login, EngineerKind.MEMBER, self.at))

    def start(self, branch: str = "feature-1", **more: Any) -> SessionRow:
        """A session is admitted on a branch of acme/widget."""
        engineer, repository = self.engineer(), self.repository()
        session_id = self.world.new_session_id()
        with self.books() as db:
            in_force = db.policy_in_force(repository.id)
            start = Start(
                key=session_id,
                token_id=f"token-{session_id}",
                session_id=session_id,
                repository_id=repository.id,
                branch=branch,
                engineer_id=more.pop("engineer_id", engineer.id),
                person=more.pop("person", Scope.ENGINEER),
                policy=in_force.policy,
                policy_commit=in_force.commit,
                agent="claude-code",
                login=more.pop("login", engineer.login),
                **more,
            )
            admit(db, start, self.at, _answer)
            session = db.session(session_id)
        assert session
        return session

    def spend(self, session: SessionRow, cost: str, calls: int = 1) -> None:
        """The session reports calls that cost so much in all."""
        usages = [
            Usage(
                keys=(f"anthropic:msg:{next(self.numbers)}",),
                model="m",
                tokens=Tokens(output=dollars(cost) // 1_000_000 // calls),
                occurred_at=self.at,
            )
            for _ in range(calls)
        ]
        with self.books() as db:
            now = db.session(session.id)
            assert now
            policy: Policy = db.policy_in_force(now.repository_id).policy
            report = Report(usages, (), policy, lambda usage: self.world.price(usage, ()))
            record_usage(db, now, report, self.at)

    def refresh(self, tab_id: int) -> None:
        """Ask for the tab's check."""
        with self.books() as db:
            db.enqueue(Job("refresh_tab", str(tab_id), {"tab": tab_id}))


def _answer(admission: Admission, _session: SessionRow | None) -> StartAnswer:
    return StartAnswer(verdict=admission.verdict)


@cache
def _migrated() -> bytes:
    """A migrated database's file, made once: migrating takes longer than most tests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        upgrade(f"sqlite:///{path}")
        return path.read_bytes()


def a_town(folder: Path) -> Town:
    """On a fresh SQLite database."""
    path = folder / "town.db"
    path.write_bytes(_migrated())
    return Town(open_store(f"sqlite:///{path}"))


def a_town_in_memory() -> Town:
    """Without a database."""
    return Town(open_store("memory://"))


def repository_body(remote: RemoteRepository) -> dict[str, Any]:
    """A repository as webhooks have it."""
    return {
        "id": remote.github_id,
        "full_name": remote.full_name,
        "default_branch": remote.default_branch,
        "private": remote.private,
        "owner": ACME | {"login": remote.full_name.partition("/")[0]},
    }


def pull_body(action: str, remote: RemotePullRequest, repository: RemoteRepository = WIDGET) -> dict[str, Any]:
    """A `pull_request` payload."""
    home = {"id": remote.head_repository_id, "full_name": remote.head_repository_name}
    return {
        "action": action,
        "number": remote.number,
        "repository": repository_body(repository),
        "sender": ALICE,
        "pull_request": {
            "number": remote.number,
            "title": remote.title,
            "state": "open" if remote.state == "open" else "closed",
            "merged": remote.state == "merged",
            "draft": remote.draft,
            "created_at": remote.opened_at and remote.opened_at.isoformat(),
            "updated_at": remote.updated_at.isoformat(),
            "closed_at": remote.ended_at and remote.ended_at.isoformat(),
            "user": {"id": remote.author_id, "login": remote.author_login, "type": "User"},
            "head": {
                "sha": remote.head_sha,
                "ref": remote.head_branch,
                "repo": home if remote.head_repository_id else None,
                "user": {"login": remote.head_owner},
            },
            "base": {"ref": remote.base_branch},
        },
    }


def audit_rows(town: Town, kind: str) -> list[AuditRow]:
    """Audit rows of a kind, oldest first; sealed on the way, since only sealed ones can be read."""
    town.store.seal_audit(town.org, b"a key")
    with town.store.look(town.org) as db:
        return [sealed.row for sealed in db.audit_rows() if sealed.row.kind == kind]

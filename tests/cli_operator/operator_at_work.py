"""An operator at work: the commands as they are typed, on a real SQLite file with an organization in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner, Result

from app.cli.main import operator
from app.registry import Engineer, EngineerKind, Organization, PullRequest, Repository, Store
from app.store.migrate import upgrade
from app.store.open import open_store

SECRET = "an operator's secret key, long enough"


@dataclass
class AtWork:
    """A migrated database in a folder, and the environment that names it."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)
    opened: list[Store] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The database: `extra`'s, else a file."""
        return self.extra.get("TABSTOP_DATABASE_URL", f"sqlite:///{self.folder / 'tabstop.db'}")

    @property
    def env(self) -> dict[str, str]:
        """What the commands read; the real environment's settings are taken out."""
        names = ("TABSTOP_PUBLIC_URL", "TABSTOP_GITHUB_APP_ID", "TABSTOP_SLACK_TOKEN", "TABSTOP_SETUP_TOKEN", "PORT")
        return dict.fromkeys(names, "") | {"TABSTOP_SECRET_KEY": SECRET, "TABSTOP_DATABASE_URL": self.url} | self.extra

    def migrated(self) -> AtWork:
        """With tables."""
        upgrade(self.url)
        return self

    def types(self, *words: str) -> Result:
        """Run a command; an exception that is no message to people is raised here."""
        result = CliRunner().invoke(operator, words, env=self.env, catch_exceptions=False)
        assert "Traceback" not in result.output
        return result

    def store(self) -> Store:
        """The store, as the server would have it; closed with `close`."""
        self.opened.append(open_store(self.url))
        return self.opened[-1]

    def close(self) -> None:
        """Close every store that was asked for."""
        for store in self.opened:
            store.close()

    def with_acme(self) -> Acme:
        """An organization with a repository, a pull request and an engineer."""
        store = self.store()
        organization = store.register(101, "acme", 9001)
        now = datetime.now(UTC)
        with store.open(organization.id) as books:
            widget = books.save_repository(Repository(0, 7001, "acme/widget"))
            alice = books.save_engineer(Engineer(0, 501, "alice", EngineerKind.MEMBER, now))
            tab = books.open_tab(widget.id, "claude/fix", now)
            pull_request = books.save_pull_request(
                PullRequest(
                    id=0,
                    repository_id=widget.id,
                    number=7,
                    tab_id=tab.id,
                    head_sha="a" * 40,
                    head_branch="claude/fix",
                    base_branch="main",
                    author_id=alice.id,
                    title="Fix it",
                    state="open",
                    draft=False,
                    updated_at=now,
                )
            )
        return Acme(organization, widget, alice, pull_request)


@dataclass(frozen=True)
class Acme:
    """What there is in the organization."""

    organization: Organization
    widget: Repository
    alice: Engineer
    pull_request: PullRequest

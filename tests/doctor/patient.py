"""A patient: settings, a real database in a folder, and an outside that answers as told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from app.doctor.diagnosis import Diagnosis
from app.doctor.examine import Outside, examine
from app.doctor.reach import Answer, NoAnswerError
from app.github_api.manifest import EVENTS, PERMISSIONS
from app.github_api.protocol import FailedDelivery, GitHubError, RemoteApp
from app.settings import Settings
from app.slack_api.fake import FakeChat
from app.slack_api.protocol import Chat
from app.store.migrate import is_current, upgrade
from app.store.open import open_store
from app.store.unsealed import Unsealed, unsealed
from app.wiring import with_kept_credentials

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class AskedApp:
    """The App as GitHub has it: well, unless a test says otherwise. error: raised by every call."""

    permissions: dict[str, str] = field(default_factory=lambda: {p.key: p.access for p in PERMISSIONS})
    events: tuple[str, ...] = tuple(event.name for event in EVENTS)
    installed: tuple[tuple[int, int, str], ...] = ((9001, 101, "acme"),)
    hook: str = "https://tabstop.acme.example/webhooks/github"
    failed: tuple[FailedDelivery, ...] = ()
    error: Exception | None = None

    def app(self) -> RemoteApp:
        """See `AskableApp`."""
        if self.error:
            raise self.error
        return RemoteApp("tabstop-acme", self.permissions, self.events)

    def installations(self) -> Sequence[tuple[int, int, str]]:
        """See `AskableApp`."""
        return self.installed

    def hook_url(self) -> str:
        """See `AskableApp`."""
        return self.hook

    def failed_deliveries(self, since: datetime) -> Iterator[FailedDelivery]:
        """See `AskableApp`."""
        yield from (one for one in self.failed if one.delivered_at >= since)


@dataclass
class Patient:
    """Healthy as built; change what is to be ill, then `examined()`."""

    folder: Path
    app: AskedApp = field(default_factory=AskedApp)
    chat: Chat | None = field(default_factory=FakeChat)
    mounts: str = "/dev/sda1 / ext4 rw 0 0\n"
    answers: dict[str, Answer] = field(default_factory=dict)
    waiting: list[Unsealed] | None = None
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        """Migrate, install on acme, and let every address answer."""
        self.settings = Settings(
            secret_key="k" * 32,
            database_url=f"sqlite:///{self.folder / 'tabstop.db'}",
            public_url="https://tabstop.acme.example",
            github_app_id="4711",
            github_private_key="-----BEGIN a test's",
            github_webhook_secret="whsec",
        )
        upgrade(self.settings.database_url)
        open_store(self.settings.database_url).register(101, "acme", 9001)
        self.answers |= {
            self.settings.page("/healthz"): Answer(200, '{"status": "ok"}'),
            self.settings.jwks_url: Answer(200, '{"keys": [{}, {}]}'),
            self.settings.github_api_url: Answer(200, "{}", NOW),
        }

    def examined(self) -> list[Diagnosis]:
        """What `doctor` finds."""
        return list(examine(self.settings, self.outside()))

    def outside(self) -> Outside:
        """The outside this patient lives in."""
        return Outside(
            is_current=is_current,
            open_store=open_store,
            credentials=with_kept_credentials,
            unsealed=unsealed if self.waiting is None else lambda _url: self.waiting or [],
            github=lambda _settings: self.app,
            chat=lambda _settings: self.chat,
            fetch=self._fetch,
            mounts=lambda: self.mounts,
            now=lambda: NOW,
        )

    def _fetch(self, url: str) -> Answer:
        if url not in self.answers:
            raise NoAnswerError("connection refused")
        return self.answers[url]


def refusal(status: int) -> GitHubError:
    """GitHub says no."""
    return GitHubError(f"GET /app was answered {status}.", status=status)

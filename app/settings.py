"""Settings of the server, read from the environment once; all that is missing or wrong is listed together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

DEFAULT_ISSUER = "https://token.actions.githubusercontent.com"


class SettingsError(Exception):
    """Settings that are missing or wrong; `problems` has one sentence each, with what to do."""

    def __init__(self, problems: list[str]) -> None:
        """Keep every problem; the message is a list people can read."""
        super().__init__("The settings are not complete:\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.problems = problems


def _setting(name: str, doc: str, default: str | None = "", *, secret: bool = False) -> str:
    """A field read from `name`. `doc` goes to docs/configuration.md; default None means it has to be set."""
    metadata = {"name": name, "doc": doc, "default": default}
    value: str = field(default=default or "", metadata=metadata, repr=not secret)
    return value


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One value per environment variable, all text; typed views below. Secrets stay out of `repr`."""

    database_url: str = _setting(
        "TABSTOP_DATABASE_URL",
        "Where the books are: `sqlite:///path/to/file.db` or `postgresql://user:password@host/name`.",
        "sqlite:///tabstop.db",
    )
    public_url: str = _setting(
        "TABSTOP_PUBLIC_URL",
        "Where people and GitHub reach this server; links and the webhook address are built from it. Unset: this machine, "
        "at PORT.",
        "http://localhost:8000",
    )
    host: str = _setting("TABSTOP_HOST", "The address to listen on.", "127.0.0.1")
    port: str = _setting("PORT", "The port to listen on.", "8000")
    secret_key: str = _setting(
        "TABSTOP_SECRET_KEY",
        "At least 32 characters (`openssl rand -hex 32`). Signs session tokens, chains the audit log, encrypts what "
        "`/setup` stores. Losing it invalidates running sessions' tokens and the audit log's seal.",
        None,
        secret=True,
    )
    github_app_id: str = _setting(
        "TABSTOP_GITHUB_APP_ID", "The App's id, from its settings page; `/setup` makes it and stores it for you."
    )
    github_private_key: str = _setting(
        "TABSTOP_GITHUB_PRIVATE_KEY", "The App's private key (PEM text), or a path to it.", secret=True
    )
    github_webhook_secret: str = _setting(
        "TABSTOP_GITHUB_WEBHOOK_SECRET", "The webhook secret of the App.", secret=True
    )
    github_api_url: str = _setting(
        "TABSTOP_GITHUB_API_URL", "GitHub's API; another one for GitHub Enterprise Server.", "https://api.github.com"
    )
    github_url: str = _setting("TABSTOP_GITHUB_URL", "GitHub's pages, for links.", "https://github.com")
    oidc_issuer: str = _setting("TABSTOP_OIDC_ISSUER", "Who issues the runners' identity tokens.", DEFAULT_ISSUER)
    oidc_audience: str = _setting(
        "TABSTOP_OIDC_AUDIENCE", "The audience those tokens must name; empty means TABSTOP_PUBLIC_URL."
    )
    oidc_jwks_url: str = _setting(
        "TABSTOP_OIDC_JWKS_URL", "Where the issuer's keys are; empty means `ISSUER/.well-known/jwks`."
    )
    slack_token: str = _setting(
        "TABSTOP_SLACK_TOKEN",
        "A bot token (`xoxb-…`) with `chat:write`, and `users:read.email` if `slack.people` holds addresses; without it no "
        "messages are sent.",
        secret=True,
    )
    slack_api_url: str = _setting("TABSTOP_SLACK_API_URL", "Slack's API.", "https://slack.com/api/")
    workers: str = _setting(
        "TABSTOP_WORKERS", "Job threads inside `serve`; 0 when `worker` processes do the jobs (PostgreSQL).", "1"
    )
    setup_token: str = _setting(
        "TABSTOP_SETUP_TOKEN", "Opens `/setup`; empty means `serve` prints one at start.", secret=True
    )
    metrics_token: str = _setting(
        "TABSTOP_METRICS_TOKEN",
        "Bearer token for `/metrics`; empty leaves it open to whoever reaches the port.",
        secret=True,
    )
    keep_bodies_days: str = _setting("TABSTOP_KEEP_BODIES_DAYS", "How long webhook bodies are kept.", "7")
    keep_deliveries_days: str = _setting(
        "TABSTOP_KEEP_DELIVERIES_DAYS", "How long delivery ids and answers to starts are remembered.", "35"
    )
    log_format: str = _setting("TABSTOP_LOG_FORMAT", "`json` or `text`.", "text")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read every setting. Raises `SettingsError` with all problems at once."""
        values = {f.name: environ.get(f.metadata["name"], "").strip() or f.metadata["default"] for f in fields(cls)}
        if not environ.get("TABSTOP_PUBLIC_URL", "").strip():
            values["public_url"] = f"http://localhost:{values['port']}"
        problems = [
            f"{f.metadata['name']} is not set. {f.metadata['doc']}" for f in fields(cls) if values[f.name] is None
        ]
        settings = cls(**{name: value or "" for name, value in values.items()})
        problems += settings._problems()
        if problems:
            raise SettingsError(problems)
        return settings

    def _problems(self) -> list[str]:
        found = []
        if self.secret_key and len(self.secret_key) < 32:
            found.append("TABSTOP_SECRET_KEY is shorter than 32 characters; make one with `openssl rand -hex 32`.")
        for name, value in (
            ("PORT", self.port),
            ("TABSTOP_WORKERS", self.workers),
            ("TABSTOP_KEEP_BODIES_DAYS", self.keep_bodies_days),
            ("TABSTOP_KEEP_DELIVERIES_DAYS", self.keep_deliveries_days),
        ):
            if not value.isdigit():
                found.append(f"{name} is {value!r}; it has to be a whole number.")
        if not self.database_url.startswith(("sqlite:", "postgresql:", "postgresql+psycopg:", "postgres:")):
            found.append("TABSTOP_DATABASE_URL must start with sqlite:/// or postgresql://.")
        if not self.public_url.startswith(("http://", "https://")):
            found.append("TABSTOP_PUBLIC_URL must start with http:// or https://.")
        if self.log_format not in {"json", "text"}:
            found.append(f"TABSTOP_LOG_FORMAT is {self.log_format!r}; it is `json` or `text`.")
        return found

    @property
    def audience(self) -> str:
        """The audience identity tokens must name."""
        return self.oidc_audience or self.public_url

    @property
    def jwks_url(self) -> str:
        """Where the issuer's keys are."""
        return self.oidc_jwks_url or self.oidc_issuer.rstrip("/") + "/.well-known/jwks"

    @property
    def private_key(self) -> str:
        """The App's private key as PEM text; read from the file when a path was given."""
        if not self.github_private_key or self.github_private_key.startswith("-----BEGIN"):
            return self.github_private_key
        return Path(self.github_private_key).read_text(encoding="utf-8")

    def page(self, path: str) -> str:
        """A link to one of our pages."""
        return self.public_url.rstrip("/") + "/" + path.lstrip("/")

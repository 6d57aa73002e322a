"""How far the set-up is: whether there is an App, whether the running server uses it, and what people do next."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import quote, urlsplit

from app.jobs.tab_facts import CHECK_NAME, POLICY_PATH
from app.secrets_store import kept_app
from app.settings import Settings
from app.world import World

_EXAMPLE_SERVER = "https://tabstop.example.com"
"""The address that stands in the starter workflow for this server's."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The App there is. slug: empty when the environment gives its credentials. in_use: the running server has them."""

    slug: str
    in_use: bool


def registered(world: World) -> Registered | None:
    """The App whose credentials the environment or the database has; None before set-up."""
    running = world.settings.github_app_id
    kept = kept_app(world.store, world.settings.secret_key)
    if kept is not None and running in {"", kept["app_id"]}:
        return Registered(kept["slug"], in_use=running == kept["app_id"])
    if running:
        return Registered("", in_use=True)
    return None


def install_url(settings: Settings, slug: str) -> str:
    """GitHub's page that installs the App on an account; the list of one's Apps when we do not know its slug."""
    github = settings.github_url.rstrip("/")
    return f"{github}/apps/{quote(slug)}/installations/new" if slug else f"{github}/settings/apps"


def left_to_do(world: World) -> dict[str, object]:
    """Values of the page that says what is left to do."""
    settings = world.settings
    found = registered(world)
    return {
        "app": found,
        "install_url": install_url(settings, found.slug if found else ""),
        "check_name": CHECK_NAME,
        "policy_path": POLICY_PATH,
        "policy": starter("policy.yml"),
        "workflow": starter("workflow.yml").replace(_EXAMPLE_SERVER, settings.public_url.rstrip("/")),
        "slack": bool(settings.slack_token),
        "github": settings.github_url.rstrip("/"),
    }


def starter(name: str) -> str:
    """A file to copy, as it is shown: `policy.yml`, `workflow.yml`."""
    return (files("app.web") / "starters" / name).read_text(encoding="utf-8")


def is_local(url: str) -> bool:
    """Whether an address leads nowhere but to the machine it is opened on, so that GitHub could not send events to it."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified

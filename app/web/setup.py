"""`/setup`: registers the GitHub App by its manifest with one button, keeps its secrets, and says what is left to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

import httpx
import structlog
from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from app.github_api.conversion import ConversionError, NewApp, convert
from app.github_api.manifest import EVENTS, PERMISSIONS, manifest
from app.jobs.tab_facts import CHECK_NAME, POLICY_PATH
from app.secrets_store import keep_app, kept_app
from app.web.pages import page
from app.web.setup_access import SetupAccess
from app.web.starters import ACTION, POLICY, workflow
from app.world import World
from tabstop.wire_json import dumps

log = structlog.get_logger()

_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,98}[A-Za-z0-9])?")
"""GitHub's rule for the login of an account; nothing else gets into the address the form is sent to."""

Renew = Callable[[], bool]
"""Makes the running server take up new credentials; answers False when only a restart can."""


def only_a_restart() -> bool:
    """What `Renew` answers where the server cannot renew itself."""
    return False


@dataclass(frozen=True, slots=True)
class Registered:
    """The App there is, as far as pages need it. slug is empty when the credentials come from the environment."""

    slug: str
    github_url: str

    @property
    def install_url(self) -> str:
        """Where it is installed on an account."""
        if not self.slug:
            return f"{self.github_url}/settings/apps"
        return f"{self.github_url}/apps/{quote(self.slug)}/installations/new"


def setup(world: World, renew: Renew = only_a_restart, client: httpx.Client | None = None) -> Blueprint:
    """The pages. `client` calls GitHub once, without authentication."""
    pages = Blueprint("setup", __name__, url_prefix="/setup")
    access = SetupAccess(world.settings)
    desk = Desk(world, access, renew, client or httpx.Client())

    @pages.get("")
    def start() -> AnyResponse:
        if "token" in request.args:
            return enter(access, request.args["token"])
        return desk.start() if access.is_inside(request) else door(access)

    @pages.post("")
    def token() -> AnyResponse:
        return enter(access, request.form.get("token", ""))

    @pages.get("/created")
    def created() -> AnyResponse:
        return desk.created() if access.is_inside(request) else door(access)

    @pages.get("/next")
    def what_is_left() -> AnyResponse:
        # Open to everybody: whoever installs the App later is sent here by GitHub, and nothing here is secret.
        return page("setup_next.html", **left_to_do(world, desk.registered()))

    return pages


def enter(access: SetupAccess, token: str) -> AnyResponse:
    """Let the browser in, and take the token out of its address bar."""
    if not access.opens(token):
        return door(access, wrong=True)
    response = redirect("/setup", 303)
    assert isinstance(response, Response)
    access.let_in(response)
    return response


def door(access: SetupAccess, *, wrong: bool = False) -> Response:
    """Ask for the token, or say that the page is closed."""
    return page("setup_door.html", 403, closed=access.closed, wrong=wrong)

"""`/setup`: registers the GitHub App by its manifest with one button, keeps its secrets, and says what is left to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import httpx
import structlog
from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from app.github_api.conversion import ConversionError, NewApp, convert
from app.github_api.manifest import EVENTS, PERMISSIONS, manifest
from app.secrets_store import keep_app
from app.web.pages import page
from app.web.setup_access import SetupAccess
from app.web.setup_state import install_url, is_local, left_to_do, registered
from app.world import World

log = structlog.get_logger()

_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,98}[A-Za-z0-9])?")
"""GitHub's rule for the login of an account; nothing else gets into the address the form is sent to."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the pages work with. renew makes the running server take up new credentials; None where only a restart can."""

    world: World
    access: SetupAccess
    client: httpx.Client
    renew: Callable[[], None] | None = None


def setup(world: World, renew: Callable[[], None] | None = None, client: httpx.Client | None = None) -> Blueprint:
    """The pages. `client` calls GitHub once, without authentication."""
    pages = Blueprint("setup", __name__, url_prefix="/setup")
    desk = Desk(world, SetupAccess(world.settings), client or httpx.Client(), renew)

    @pages.get("")
    def start() -> Response:
        if "token" in request.args:
            return enter(desk.access, request.args["token"])
        return offer(desk) if desk.access.is_inside(request) else door(desk.access)

    @pages.post("")
    def token() -> Response:
        return enter(desk.access, request.form.get("token", ""))

    @pages.get("/created")
    def created() -> Response:
        return finish(desk) if desk.access.is_inside(request) else door(desk.access)

    @pages.get("/next")
    def what_is_left() -> Response:
        # Open to everybody: whoever installs the App later is sent here by GitHub, and nothing on it is secret.
        return page("setup_next.html", left_to_do(world))

    return pages


def enter(access: SetupAccess, token: str) -> Response:
    """Let the browser in, and take the token out of its address bar."""
    if not access.opens(token):
        return door(access, wrong=bool(token))
    response = redirect("/setup", 303)
    access.let_in(response)
    return response


def door(access: SetupAccess, *, wrong: bool = False) -> Response:
    """Ask for the token, or say that the page is closed."""
    return page("setup_door.html", {"closed": access.closed, "wrong": wrong}, status=403)


def offer(desk: Desk) -> Response:
    """What can be done now: choose the owner, create the App, or see what is left to do."""
    settings = desk.world.settings
    if registered(desk.world) and "again" not in request.args:
        return page("setup_next.html", {"inside": True} | left_to_do(desk.world))
    if is_local(settings.public_url):
        return page("setup_address.html", {"public_url": settings.public_url, "port": settings.port})
    owner = request.args.get("organization", "").strip().removeprefix("@")
    again = "again" in request.args
    if not owner and "personal" not in request.args:
        return page("setup_owner.html", {"again": again})
    if owner and not _LOGIN.fullmatch(owner):
        return page("setup_owner.html", {"again": again, "wrong": owner}, status=400)
    return button(desk, owner)


def button(desk: Desk, owner: str) -> Response:
    """The one button: a form that brings the manifest to GitHub. An empty owner means the person's own account."""
    settings = desk.world.settings
    github = settings.github_url.rstrip("/")
    state = desk.access.state(request)
    place = f"/organizations/{owner}/settings/apps/new" if owner else "/settings/apps/new"
    name = f"Tabstop {owner}".strip()
    values = {
        "owner": owner,
        "action": f"{github}{place}?{urlencode({'state': state})}",
        "manifest": json.dumps(manifest(name=name, server=settings.public_url)),
        "permissions": PERMISSIONS,
        "events": EVENTS,
        "server": settings.public_url.rstrip("/"),
        "github": urlsplit(github).netloc,
    }
    response = page("setup_button.html", values, forms_go_to="{0.scheme}://{0.netloc}".format(urlsplit(github)))
    desk.access.remember(response, state)
    return response


def finish(desk: Desk) -> Response:
    """GitHub sent the browser back: exchange the code, keep what it brings, go on to the install page."""
    if not desk.access.began_here(request):
        if registered(desk.world):
            return redirect("/setup", 303)  # a reload of a page that did its work
        return page("setup_failed.html", {"reason": "stranger"}, status=400)
    try:
        app = convert(desk.client, desk.world.settings.github_api_url, request.args.get("code", ""))
    except ConversionError as error:
        log.warning("setup: no credentials", reason=str(error))
        return page("setup_failed.html", {"reason": "github", "error": error}, status=502 if error.again else 400)
    response = keep(desk, app)
    desk.access.forget(response)
    return response


def keep(desk: Desk, app: NewApp) -> Response:
    """Store the credentials sealed. They exist only once, so when storing fails they are shown instead."""
    settings = desk.world.settings
    try:
        keep_app(desk.world.store, settings.secret_key, app.credentials())
    except Exception:
        log.exception("setup: the credentials could not be stored")
        return page("setup_failed.html", {"reason": "store", "app": app}, status=500)
    log.info("setup: the App is registered", app=app.slug, app_id=app.app_id)
    if desk.renew is None:
        return redirect("/setup", 303)  # it says that a restart comes before the install page
    response = redirect(install_url(settings, app.slug), 303)
    response.call_on_close(desk.renew)
    return response

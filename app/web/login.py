"""Logging in from a laptop: `GET` and `POST /api/v1/login`, `GET /api/v1/whoami`, `POST /api/v1/logout`."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.api.login import log_in, log_out, login_offer, who_am_i
from app.web.access import Access
from app.web.sessions import answered, parsed
from tabstop.wire_json import to_json
from tabstop.wire_login import LoggedOut, LoginRequest


def login(access: Access) -> Blueprint:
    """See `tabstop.wire_login`."""
    pages = Blueprint("login", __name__, url_prefix="/api/v1")
    world = access.world

    @pages.get("/login")
    def offer() -> Response:
        return answered(to_json(login_offer(world)), 200)

    @pages.post("/login")
    def enter() -> Response:
        return answered(to_json(log_in(world, parsed(LoginRequest, request))), 201)

    @pages.get("/whoami")
    def whoami() -> Response:
        return answered(to_json(who_am_i(world, access.engineer(request))), 200)

    @pages.post("/logout")
    def leave() -> Response:
        token = access.engineer(request)
        log_out(world, token)
        return answered(to_json(LoggedOut(token.name)), 200)

    return pages

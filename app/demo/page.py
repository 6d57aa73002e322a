"""The demo's page: what the server posted, as people would see it, and the story so far. It keeps itself up to date."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, make_response, redirect, render_template
from markupsafe import Markup, escape
from werkzeug.wrappers import Response as AnyResponse

from app.demo import cast, github_markdown, slack_blocks
from app.demo.preview import Posted, Shown
from app.demo.story import Play
from app.demo.telling import Colour, Step, Telling
from app.github_api.fake import PostedCheck, PostedComment
from app.ledger.books import SealedRow
from tabstop.money import show_exact

HERE = Path(__file__).parent

_COMMIT = re.compile(r"\b([0-9a-f]{10})[0-9a-f]{30}\b")


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything the page shows, read at one moment. version changes whenever any of it does."""

    steps: list[Step]
    ended: bool
    failed: str
    check: PostedCheck | None
    merge_group: PostedCheck | None
    history: list[Shown]
    comment: PostedComment | None
    messages: list[Posted]
    audit: list[SealedRow]
    writes: int

    @property
    def version(self) -> str:
        """Small and comparable."""
        refused = sum(step.anchor == "refused" for step in self.steps)
        parts = (len(self.steps), self.ended, self.writes, len(self.messages), len(self.audit), refused)
        return "-".join(str(int(part)) for part in parts)


def pages(play: Play, telling: Telling) -> Flask:
    """The routes the demo adds to the server: its page, and GitHub's pages that links lead to."""
    app = Flask("app.demo", template_folder=str(HERE / "templates"), static_folder=None)
    app.jinja_env.filters.update(markdown=github_markdown.to_html, slack=_slack, colour=_colour, clock=_clock)
    app.jinja_env.filters["brief"] = brief
    app.jinja_env.globals.update(cast=cast, play=play)
    app.register_blueprint(play.stage.issuer.routes())

    @app.get("/")
    def home() -> Response:
        return _page(seen(play, telling))

    @app.get("/demo/version")
    def version() -> Response:
        return jsonify({"version": seen(play, telling).version})

    @app.get("/demo/parts")
    def parts() -> Response:
        return make_response(render_template("parts.html", seen=seen(play, telling)))

    @app.get("/github/<path:path>")
    def github(path: str) -> AnyResponse:
        if path.endswith("tabstop.yml"):
            return redirect("/#policy")
        return redirect("/#refused" if "/actions/runs/" in path else "/#pull-request")

    return app


def seen(play: Play, telling: Telling) -> Seen:
    """Look at everything once."""
    steps, ended, failed = telling.so_far()
    github = play.stage.github
    with github.lock:
        checks = github.checks_on(cast.HEAD)
        groups = github.checks_on(cast.MERGE_GROUP_HEAD)
        history = [state for state in github.shown if state.check.head_sha == cast.HEAD]
        comments = [c for c in github.comments_on(cast.REPOSITORY, cast.NUMBER) if c.author == github.bot_login]
        writes = github.writes
    return Seen(
        steps=steps,
        ended=ended,
        failed=failed,
        check=checks[-1] if checks else None,
        merge_group=groups[-1] if groups else None,
        history=history,
        comment=comments[-1] if comments else None,
        messages=list(play.stage.slack.posted),
        audit=_audit(play),
        writes=writes,
    )


def brief(body: Mapping[str, Any]) -> str:
    """An audit row's body in one line: what it names, without what is nested deeper or empty."""
    flat = dict(body)
    for name in [name for name, value in body.items() if isinstance(value, dict)]:
        flat |= {f"{name}.{inner}": value for inner, value in flat.pop(name).items()}
    shown = {name: value for name, value in sorted(flat.items()) if value not in (None, "", 0, [], {})}
    return " · ".join(f"{name}: {_inline(name, value)}" for name, value in shown.items())


def _inline(name: str, value: object) -> str:
    if name.endswith("nano") and isinstance(value, int):
        return show_exact(value)
    if isinstance(value, list | dict):
        return str(len(value))
    return _COMMIT.sub(r"\1", json.dumps(value) if isinstance(value, bool) else str(value))


def _audit(play: Play) -> list[SealedRow]:
    organization = play.stage.organization()
    if organization is None:
        return []
    with play.stage.world.store.look(organization.id) as db:
        return db.audit_rows()


def _page(now: Seen) -> Response:
    nonce = secrets.token_urlsafe(16)
    inline: Callable[[str], Markup] = lambda name: Markup((HERE / "templates" / name).read_text(encoding="utf-8"))  # noqa: E731, S704 (our own files)
    response = make_response(
        render_template("page.html", seen=now, nonce=nonce, style=inline("page.css"), script=inline("page.js"))
    )
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _slack(posted: Posted) -> Markup:
    return slack_blocks.to_html(posted.message.blocks, posted.message.text)


def _colour(conclusion: str) -> str:
    return Colour.of(conclusion).value


def _clock(value: object) -> str:
    return escape(f"{value:%H:%M:%S}")

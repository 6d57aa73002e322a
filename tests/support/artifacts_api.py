"""GitHub's artifacts of one repository behind two sockets: the API, and the other host to which it sends for the zip.

Source: docs.github.com, REST API endpoints for GitHub Actions artifacts.
"""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from github import Auth, Github, GithubRetry

REPOSITORY = "acme/widget"
REPOSITORY_ID = 1
TOKEN = "ghs_artifacts"
CREATED = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@dataclass
class Stored:
    """One artifact as GitHub keeps it. head_repository_id: another one for runs of a fork's pull request; None for no run."""

    id: int
    name: str
    content: bytes
    expired: bool = False
    created_at: datetime = CREATED
    days: int = 30
    head_repository_id: int | None = REPOSITORY_ID

    @property
    def expires_at(self) -> datetime:
        return self.created_at + timedelta(days=self.days)


@dataclass
class Shelf:
    """What a repository has. may_list: whether the token's permissions allow it."""

    stored: dict[int, Stored] = field(default_factory=dict)
    may_list: bool = True

    def put(self, name: str, content: bytes, **about: Any) -> Stored:
        """Add one; later ones are newer."""
        number = 900 + len(self.stored)
        self.stored[number] = Stored(number, name, content, **about)
        return self.stored[number]

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.stored.values()]


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """A zip as upload-artifact makes it."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return raw.getvalue()


@dataclass(frozen=True)
class Answer:
    """What a socket says."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """One request that arrived."""

    method: str
    path: str
    headers: Mapping[str, str]


Fault = Callable[[str, str], Answer | None]
"""Takes method and path; an answer is given instead of the usual one."""


class ArtifactsApi:
    """The API below `url` (a path such as GitHub Enterprise's `/api/v3` included). `asked`, `fetched`: what the two hosts saw."""

    def __init__(self, shelf: Shelf, *, prefix: str = "") -> None:
        self.shelf = shelf
        self.fault: Fault = lambda _method, _path: None
        self.blob_fault: Fault = lambda _method, _path: None
        self.asked: list[Seen] = []
        self.fetched: list[Seen] = []
        self._prefix = prefix
        self._api = _serve(self._answer)
        self._blobs = _serve(self._blob)
        self.url = f"http://127.0.0.1:{self._api.server_port}{prefix}"
        self.blobs_url = f"http://127.0.0.1:{self._blobs.server_port}"

    def __enter__(self) -> Self:
        for server in (self._api, self._blobs):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._api, self._blobs):
            server.shutdown()
            server.server_close()

    def _answer(self, seen: Seen) -> Answer:
        self.asked.append(seen)
        parts = urlsplit(seen.path)
        path = parts.path.removeprefix(self._prefix)
        if fault := self.fault(seen.method, path):
            return fault
        if seen.headers.get("authorization", "").split(" ")[-1] != TOKEN:
            return said(401, "Bad credentials")
        if not self.shelf.may_list:
            return said(403, "Resource not accessible by integration")
        base = f"/repos/{REPOSITORY}/actions/artifacts"
        if path == base and seen.method == "GET":
            return self._page(parse_qs(parts.query))
        number, _, rest = path.removeprefix(f"{base}/").partition("/")
        stored = self.shelf.stored.get(int(number)) if number.isdigit() and path.startswith(base) else None
        if stored is None:
            return said(404, "Not Found")
        if seen.method == "DELETE" and not rest:
            del self.shelf.stored[stored.id]
            return Answer(204)
        if stored.expired:
            return said(410, "Artifact has expired")
        return Answer(302, headers={"Location": f"{self.blobs_url}/blob/{stored.id}?sig=signed-for-a-minute"})

    def _page(self, query: Mapping[str, list[str]]) -> Answer:
        size, page = (int(query.get(name, [usual])[0]) for name, usual in (("per_page", "30"), ("page", "1")))
        newest = sorted(self.shelf.stored.values(), key=lambda one: -one.id)
        shown = newest[(page - 1) * size : page * size]
        body = {"total_count": len(newest), "artifacts": [self._listed(one) for one in shown]}
        following = f"{self.url}/repos/{REPOSITORY}/actions/artifacts?per_page={size}&page={page + 1}"
        links = {"Link": f'<{following}>; rel="next"'} if page * size < len(newest) else {}
        return Answer(200, json.dumps(body).encode(), {**links, "Content-Type": "application/json; charset=utf-8"})

    def _listed(self, one: Stored) -> dict[str, Any]:
        url = f"{self.url}/repos/{REPOSITORY}/actions/artifacts/{one.id}"
        run = {
            "id": 7000 + one.id,
            "repository_id": REPOSITORY_ID,
            "head_repository_id": one.head_repository_id,
            "head_branch": "claude/fix",
            "head_sha": "b" * 40,
        }
        return {
            "id": one.id,
            "node_id": f"A_{one.id}",
            "name": one.name,
            "size_in_bytes": len(one.content),
            "url": url,
            "archive_download_url": f"{url}/zip",
            "expired": one.expired,
            "created_at": _moment(one.created_at),
            "updated_at": _moment(one.created_at),
            "expires_at": _moment(one.expires_at),
            "workflow_run": None if one.head_repository_id is None else run,
        }

    def _blob(self, seen: Seen) -> Answer:
        self.fetched.append(seen)
        if fault := self.blob_fault(seen.method, seen.path):
            return fault
        number = urlsplit(seen.path).path.removeprefix("/blob/")
        return Answer(200, self.shelf.stored[int(number)].content, {"Content-Type": "application/zip"})


def hasty(api: ArtifactsApi, *, retries: int = 0) -> Github:
    """PyGithub at this API, without its pauses, and with so many retries."""
    return Github(
        base_url=api.url,
        auth=Auth.Token(TOKEN),
        lazy=True,
        per_page=100,
        retry=GithubRetry(total=retries) if retries else None,
        seconds_between_requests=0,
        seconds_between_writes=0,
    )


def said(status: int, message: str, **headers: str) -> Answer:
    """An error as GitHub words it. headers: with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps({"message": message, "status": str(status)}).encode(), named)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _serve(answer: Callable[[Seen], Answer]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            given = answer(Seen(self.command, self.path, headers))
            self.send_response(given.status)
            for name, value in {"Content-Length": str(len(given.body)), **given.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(given.body)

        do_DELETE = do_GET  # noqa: N815 (the base class names it so)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
            """Says nothing: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    return server

"""The server of a scene: real routes, store and jobs on a loopback port, everything that arrives kept so that it can be sent again."""

from __future__ import annotations

import io
import json
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.events.adoption import Sighting, record
from app.github_api.protocol import RemotePullRequest
from app.jobs.runner import Runner
from app.jobs.table import HANDLERS
from app.ledger.recompute import recompute
from tabstop.usage import Grain, Tokens
from tests.real_agents.truth.checkout import PULLS, REPOSITORY, Checkout
from tests.support.loopback_app import serving
from tests.support.oidc_issuer import OidcIssuer
from tests.web.conftest import WIDGET, Bench, Clock, new_bench

POLICY = """\
session: {cost: $100000, tokens: unlimited, tool_calls: unlimited, iterations: unlimited, wall_clock: 8h}
tab: $100000
"""


_MIGRATING = threading.Lock()
"""Alembic works on one database at a time."""


class Running(Clock):
    """The time it is, and as much later as somebody let pass."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    @property
    def now(self) -> datetime:  # type: ignore[override]
        return datetime.now(UTC) + self.ahead

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        """See `Clock`."""
        self.ahead += timedelta(**span)


@dataclass(frozen=True)
class Arrived:
    """One request that changed something, and its answer's body."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    answer: bytes = b""
    status: int = 0


@dataclass(frozen=True)
class Row:
    """A usage in the ledger. branch: of its tab, with a generation above the first; empty for none."""

    model: str
    tokens: Tokens
    branch: str
    cost: int
    grain: Grain
    confidence: str
    agent: str


@dataclass(frozen=True)
class Ledger:
    """What the books say. total: nano-dollars, the sum of all entries. wrong: what does not add up; empty when all does."""

    total: int
    rows: tuple[Row, ...]
    wrong: tuple[str, ...] = ()


@dataclass
class Server:
    """Of the organization acme, with acme/widget installed and alice a member."""

    bench: Bench
    url: str
    arrived: list[Arrived]
    keeping: list[bool] = field(default_factory=lambda: [True])
    tokens: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def token(self, *scopes: str) -> str:
        """Of alice's own."""
        text = self.bench.engineer_token("alice", *scopes)
        self.tokens[text] = scopes
        return text

    @property
    def alice(self) -> tuple[str, str]:
        """Her login and GitHub's id of her, as identity tokens name her."""
        self.token()
        with self.bench.world.store.look(self.bench.organization.id) as books:
            engineer = books.engineer_by_login("alice")
        assert engineer is not None
        return engineer.login, str(engineer.github_id)

    def know(self, checkout: Checkout) -> None:
        """Have GitHub, and so the server, know the pull requests and what is in them by now."""
        github, at = self.bench.github, datetime.now(UTC).replace(microsecond=0)
        for branch, number in checkout.pulls().items():
            shas = checkout.commits(branch)
            opened_at = at - timedelta(days=1) if branch in PULLS else at
            remote = RemotePullRequest(
                number, branch, "open", False, shas[0], branch, WIDGET, "acme", "main", 3, "alice", False, at, opened_at
            )
            github.put(REPOSITORY, remote)
            for sha in shas:
                github.commits[REPOSITORY, sha] = (number,)
            with self.bench.world.store.open(self.bench.organization.id) as books:
                record(books, self.bench.repository, Sighting(remote, self.bench.clock.now, certain=True))

    def work(self) -> None:
        """Do the jobs of the next minutes."""
        runner = Runner(self.bench.world, HANDLERS)
        for _ in range(8):
            self.bench.clock.pass_by(seconds=15)
            runner.drain(2_000)

    def again(self, seed: int) -> int:
        """Send everything that arrived once more, in another order; how many requests. Raises `AssertionError` when it breaks."""
        self.keeping[0] = False
        order = list(self.arrived)
        random.Random(seed).shuffle(order)
        for one in order:
            answer = self.bench.client.post(one.path, data=one.body, headers=list(one.headers))
            assert answer.status_code < 500, answer.text
        self.keeping[0] = True
        self.work()
        return len(order)

    def ledger(self) -> Ledger:
        """As it stands."""
        with self.bench.world.store.look(self.bench.organization.id) as books:
            places, rows = books.all_places(), []
            for session in books.all_sessions():
                for row in books.usages_of(session.id):
                    if row.same_as is not None or not row.tokens.total:
                        continue
                    place = places[row.place_id]
                    tab = books.tab(place.tab_id) if place.tab_id is not None else None
                    branch = tab.branch if tab else ""
                    rows.append(
                        Row(row.model, row.tokens, branch, row.cost, row.grain, place.confidence, session.agent)
                    )
            total = sum(one.nano + one.notional for one in books.entry_sums())
            wrong = [str(one) for one in recompute(books, self.bench.clock.now)]
        if total != sum(row.cost for row in rows):
            wrong.append(f"entries come to {total}, usages to {sum(row.cost for row in rows)}")
        return Ledger(total, tuple(sorted(rows, key=repr)), tuple(wrong))


@contextmanager
def server(folder: Path, issuer: OidcIssuer | None = None) -> Iterator[Server]:
    """A running one with empty books. issuer: whose identity tokens it takes; one of its own where None."""
    folder.mkdir(parents=True, exist_ok=True)
    with nullcontext(issuer) if issuer is not None else OidcIssuer.start() as known:
        with _MIGRATING:
            bench = new_bench(folder, known, Running())
        bench.organization_policy(POLICY)
        found = Server(bench, "", [])
        application = bench.client.application
        application.wsgi_app = _Keeping(application.wsgi_app, found)  # type: ignore[method-assign]
        with serving(application) as url:
            found.url = url
            yield found


@dataclass
class _Keeping:
    """WSGI around the application: keeps every POST, and what was answered."""

    application: Callable[..., Iterable[bytes]]
    server: Server

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST" or not self.server.keeping[0]:
            return self.application(environ, start_response)
        # Gemini CLI sends its telemetry in chunks, which have no length before they end.
        length = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        statuses: list[int] = []

        def began(status: str, headers: list[tuple[str, str]], *more: object) -> object:
            statuses.append(int(status.split(maxsplit=1)[0]))
            return start_response(status, headers, *more)

        answer = b"".join(self.application(environ, began))
        headers = tuple((name, environ[key]) for name, key in _HEADERS if environ.get(key))
        path = environ["PATH_INFO"] + (f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else "")
        self.server.arrived.append(Arrived(path, headers, body, answer, statuses[-1]))
        return [answer]


_HEADERS = (
    ("Authorization", "HTTP_AUTHORIZATION"),
    ("Content-Type", "CONTENT_TYPE"),
    ("Content-Encoding", "HTTP_CONTENT_ENCODING"),
    ("Idempotency-Key", "HTTP_IDEMPOTENCY_KEY"),
    ("User-Agent", "HTTP_USER_AGENT"),
)


def refused(arrived: Iterable[Arrived]) -> list[str]:
    """Requests that the server did not take, for people."""
    return [f"{one.path}: {one.status} {_title(one.answer)}" for one in arrived if one.status >= 400]


def _title(answer: bytes) -> str:
    try:
        told = json.loads(answer)
    except ValueError:
        return ""
    return str(told.get("title") or told.get("message") or "") if isinstance(told, dict) else ""

"""The server of a scene: real routes, books and jobs, told by webhooks and by a laptop; in the scene's order, or in another."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from app.identity.engineer_token import digest_of, written
from app.identity.oidc import OidcVerifier
from app.identity.session_token import SessionClaim, sign
from app.ledger.recompute import recompute
from app.registry import EngineerToken, Transaction
from app.web.application import application
from app.web.metrics import meters
from tabstop.beside.server import Server
from tabstop.beside.transport import Request, Response
from tests.git_histories.hub import GitHubOfHub, Hub, Webhook
from tests.jobs.town import ACME, INSTALLATION, Town

_USAGE = re.compile(r"/api/v1/sessions/(?P<session>[^/]+)/usage")
_TOLD = ("calls", "pull_requests", "commits")


@dataclass(frozen=True)
class Told:
    """What the laptop told of one session: how it asked for it, and each call, link and commit by itself."""

    start: Callable[[Counter], tuple[str, str] | None]
    """Asks for it; answers its id and its token, None where the server does not know the repository yet."""
    facts: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Landing:
    """Where a call lies. tab: `feature #1`, `site:feature/2` (its second life); empty for none."""

    tab: str
    sure: str
    why: str
    repository: str
    branch: str
    pull_request: int | None


@dataclass
class Counter:
    """A server with a person at it: `town` has the books, and this its door."""

    town: Town
    client: FlaskClient
    token: str
    asked: list[tuple[Request, str]] = field(default_factory=list)
    """What went in, each with the session it was about."""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """How runs' sessions were begun."""

    def run(self, **start: Any) -> str:
        """A workflow run's session; what its identity is worth was decided before."""
        session = self.town.start(**start).id
        self.runs[session] = start
        return session

    def token_of(self, session: str) -> str:
        """As the answer to its start had it."""
        claim = SessionClaim(self.town.org, session)
        return sign(self.town.world.settings.secret_key, claim, self.town.at + timedelta(hours=1))

    @property
    def server(self) -> Server:
        """As the laptop sees it."""
        return Server("https://tabstop.example", self, lambda _seconds: None)

    def send(self, request: Request, timeout: float) -> Response:
        """See `tabstop.beside.transport.Transport`."""
        path = request.url.removeprefix("https://tabstop.example")
        found = self.client.open(path, method=request.method, headers=dict(request.headers), data=request.body)
        about = _USAGE.fullmatch(path)
        if request.method == "POST" and found.status_code < 300 and (about or path == "/api/v1/sessions"):
            self.asked.append((request, about["session"] if about else found.get_json()["session"]))
        return Response(found.status_code, found.get_data())

    def hears(self, webhook: Webhook, at: datetime) -> None:
        """A webhook arrives, and what follows from it is done."""
        self.town.at = at
        self.town.deliver(*webhook)
        self.works()

    def works(self) -> None:
        """All that is due within a minute."""
        for _ in range(3):
            self.town.work()
            self.town.pass_time(seconds=25)
        assert self.town.dead() == []

    def told(self) -> list[Told]:
        """What the laptop told, by session."""
        starts: dict[str, Callable[[Counter], tuple[str, str] | None]] = {
            session: partial(_run_again, start) for session, start in self.runs.items()
        }
        facts: dict[str, list[tuple[str, Any]]] = {}
        for request, session in self.asked:
            if "/usage" not in request.url:
                starts.setdefault(session, partial(_ask_again, request))
                continue
            body = json.loads(request.body or b"{}")
            found = facts.setdefault(session, [])
            found += [(kind, one) for kind in _TOLD for one in body.get(kind) or ()]
        return [Told(starts[session], tuple(found)) for session, found in facts.items()]

    def landings(self, keys: Mapping[str, str]) -> dict[str, Landing]:
        """By call, where it lies now. keys: of the calls. The books add up."""
        with self.town.store.look(self.town.org) as db:
            assert recompute(db, self.town.at) == []
            known = db.known(list(keys.values()))
            rows = {
                row.id: row for session in {one.session_id for one in known.values()} for row in db.usages_of(session)
            }
            return {
                call: _landing(db, rows[known[key].id].place_id) for call, key in sorted(keys.items()) if key in known
            }


def _landing(db: Transaction, place_id: int) -> Landing:
    place = db.places([place_id])[place_id]
    tab = db.tab(place.tab_id) if place.tab_id is not None else None
    repository = db.repository(place.repository_id) if place.repository_id is not None else None
    name = repository.full_name if repository else ""
    if tab is None:
        return Landing("", place.confidence, place.reason, name, "", None)
    numbers = sorted(one.number for one in db.pull_requests_of_tab(tab.id))
    return Landing(
        named(name, tab.branch, tab.generation, numbers),
        place.confidence,
        place.reason,
        name,
        tab.branch,
        max(numbers, default=None),
    )


def named(repository: str, branch: str, generation: int, pulls: Iterable[int]) -> str:
    """A tab as the corpus writes it. acme/widget goes without saying; a second life has its number."""
    where = "" if repository == "acme/widget" else f"{repository.partition('/')[2]}:"
    life = f"/{generation}" if generation > 1 else ""
    return " ".join([f"{where}{branch}{life}", *(f"#{number}" for number in pulls)])


def open_counter(town_of: Any, hub: Hub, at: datetime, folder: Path) -> Counter:
    """A server on which acme has installed the App, and alice is logged in."""
    github = GitHubOfHub(hub=hub)
    town: Town = town_of(folder, github)
    town.at = at
    github.members["acme"] = {"alice"}
    town.deliver("installation", {"action": "created", "installation": {"id": INSTALLATION, "account": ACME}})
    town.work()
    text = written("ab" * 32)
    alice = town.engineer()
    with town.books() as db:
        db.add_engineer_token(
            EngineerToken(db.new_id(), town.org, alice.id, digest_of(text), "laptop", ("start", "read"), at)
        )
    verifier = OidcVerifier("https://nobody.example", "nobody", lambda _token: None)
    return Counter(town, application(town.world, verifier, meters()).test_client(), text)


def tell_shuffled(counter: Counter, told: Sequence[Told], webhooks: Sequence[Webhook], seed: int, at: datetime) -> None:
    """The same facts in another order, each by itself, jobs running in between."""
    chance = random.Random(seed)
    facts: list[tuple[str, Any]] = [("webhook", one) for one in webhooks]
    facts += [("told", (number, fact)) for number, one in enumerate(told) for fact in one.facts]
    chance.shuffle(facts)
    sessions: dict[int, tuple[str, str]] = {}
    for number, (kind, fact) in enumerate(facts):  # grows: what the server does not take yet is told again
        assert number < 1_000, "the server never took the session"
        counter.town.at = at + timedelta(minutes=number)
        if kind == "webhook":
            counter.town.deliver(*fact)
        elif not _tell(counter, told, sessions, fact):
            facts.append((kind, fact))
        if chance.random() < 0.3:
            counter.works()
    counter.town.pass_time(minutes=15)
    counter.works()


def _tell(counter: Counter, told: Sequence[Told], sessions: dict[int, tuple[str, str]], fact: Any) -> bool:
    """Tell one fact of a session; False where the server does not know its repository yet."""
    which, (what, one) = fact
    started = sessions.get(which) or told[which].start(counter)
    if started is None:
        return False
    sessions[which] = started
    session, token = started
    headers = {"Authorization": f"Bearer {token}"}
    done = counter.client.post(f"/api/v1/sessions/{session}/usage", json={what: [one]}, headers=headers)
    assert done.status_code == 200, done.get_data(as_text=True)
    return True


def _ask_again(request: Request, counter: Counter) -> tuple[str, str] | None:
    path = request.url.removeprefix("https://tabstop.example")
    done = counter.client.open(path, method=request.method, headers=dict(request.headers), data=request.body)
    answer = done.get_json()
    return (answer["session"], answer["token"]) if done.status_code < 300 else None


def _run_again(start: dict[str, Any], counter: Counter) -> tuple[str, str]:
    session = counter.run(**start)
    return session, counter.token_of(session)

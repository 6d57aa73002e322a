"""Replay: everything that arrived at one server, delivered to a new one: twice, and in random order."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.real_agents.truth.checkout import Checkout
from tests.real_agents.truth.server import Arrived, Ledger, Server, server

SESSIONS = "/api/v1/sessions"


def in_another_order(before: Server, checkout: Checkout, folder: Path, seed: int) -> Ledger:
    """The ledger of a server that got it all so. A session is asked for before it is told of, since nobody could name it else."""
    with server(folder, before.bench.issuer) as fresh:
        fresh.know(checkout)
        replay = _Replay(fresh, before.arrived, {text: fresh.token(*scopes) for text, scopes in before.tokens.items()})
        order = [*before.arrived, *before.arrived]
        random.Random(seed).shuffle(order)
        for one in order:
            replay.send(one)
        fresh.work()
        return fresh.ledger()


@dataclass
class _Replay:
    """sessions: from what a session was called to what it is called now. bearers: the same of tokens."""

    fresh: Server
    arrived: Sequence[Arrived]
    bearers: dict[str, str]
    sessions: dict[str, str] = field(default_factory=dict)

    def send(self, one: Arrived) -> None:
        """Raises `AssertionError` when the server breaks."""
        path = one.path
        if path.startswith(f"{SESSIONS}/"):
            name = path.removeprefix(f"{SESSIONS}/").partition("/")[0]
            if name not in self.sessions:
                self._begin(name)
            path = path.replace(name, self.sessions[name])
        answer = self.fresh.bench.client.post(path, data=one.body, headers=self._headers(one))
        assert answer.status_code < 500, answer.text
        self._learn(_told(one.answer), _told(answer.data))

    def _begin(self, name: str) -> None:
        """Ask for it, as it was asked for."""
        starts = [one for one in self.arrived if one.path == SESSIONS and _told(one.answer).get("session") == name]
        assert starts, f"nobody asked for {name}"
        self.send(starts[0])

    def _learn(self, before: Mapping[str, object], now: Mapping[str, object]) -> None:
        for name, known in (("session", self.sessions), ("token", self.bearers)):
            old, new = before.get(name), now.get(name)
            if isinstance(old, str) and isinstance(new, str) and old and new:
                known[old] = new

    def _headers(self, one: Arrived) -> list[tuple[str, str]]:
        found = []
        for name, value in one.headers:
            word, _, bearer = value.partition(" ")
            found.append((name, f"{word} {self.bearers.get(bearer, bearer)}" if name == "Authorization" else value))
        return found


def _told(answer: bytes) -> Mapping[str, object]:
    try:
        told = json.loads(answer)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}

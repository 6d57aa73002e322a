"""A Tabstop server in memory that takes some requests and refuses others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tabstop.beside.transport import Request, Response
from tabstop.wire import Problem
from tabstop.wire_json import to_json
from tabstop.wire_login import WhoAmI
from tests.beside.fake_server import FakeServer
from tests.governor.builders import at


def fine(_what: str, _body: dict[str, object]) -> int:
    """Everything is taken."""
    return 0


@dataclass
class Picky(FakeServer):
    """fault: the status with which a request is refused, by the end of its path and its body; 0 where it is taken."""

    fault: Callable[[str, dict[str, object]], int] = fine
    keys_asked: list[str] = field(default_factory=list)

    def send(self, request: Request, timeout: float) -> Response:
        what, body = request.url.rpartition("/")[2], json.loads(request.body or b"{}")
        if what == "sessions":
            self.keys_asked.append(request.headers["Idempotency-Key"])
        if status := self.fault(what, body):
            return Response(status, json.dumps(to_json(Problem("It is not taken.", f"Fault of {what}."))).encode())
        if what == "whoami" and not self.away:
            mine = WhoAmI("alice", "Acme", ("start", "read"), "laptop", at(0))
            return Response(200, json.dumps(to_json(mine)).encode())
        return super().send(request, timeout)

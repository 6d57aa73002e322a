"""An agent with installed hooks on a laptop where somebody is logged in, and the server, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.governor_process import Governor
from tabstop.money import dollars
from tests.support.hook_payloads import SESSION, payload
from tests.web.test_laptop_sessions import USED, Laptop, laptop

__all__ = ["laptop"]


@dataclass
class Hooked:
    """Its hooks, answered by the resident governor's own desk."""

    laptop: Laptop
    environ: dict[str, str]
    governor: Governor = field(init=False)

    def __post_init__(self) -> None:
        self.governor = Governor(self.environ, self.laptop.bench.world.now)

    def hook(self, event: str, session: str = SESSION) -> dict[str, Any]:
        """The reply."""
        mine = {"session_id": session, "cwd": str(self.laptop.checkout), "transcript_path": ""}
        answer = self.governor.desk.hook(("claude-code", event, "-"), json.dumps({**payload(event), **mine}).encode())
        assert isinstance(answer, bytes)
        text = answer.partition(b"\n")[2]
        return dict(json.loads(text)) if text else {}


@pytest.fixture
def hooked(laptop: Laptop) -> Iterator[Hooked]:
    """Logged in for acme; no variable names a server."""
    home = laptop.checkout.parent / "home"
    Credentials(home / ".config" / "tabstop" / "credentials.json").keep(
        Login(laptop.url, "acme", "alice", laptop.environ["TABSTOP_TOKEN"])
    )
    found = Hooked(laptop, {"HOME": str(home), "TABSTOP_STATE": laptop.environ["TABSTOP_STATE"]})
    yield found
    found.governor.desk.close()


def test_its_hooks_ask_the_gate(hooked: Hooked) -> None:
    """Admitted as the engineer's own on its branch, bound by the server's limits, ended with its client."""
    hooked.hook("SessionStart")
    assert "may use $1.00" in hooked.hook("UserPromptSubmit")["systemMessage"]
    row = hooked.laptop.row()
    assert (row.agent, row.unadmitted, row.ended_at) == ("claude-code", False, None)
    assert hooked.laptop.record().settings.limits.cost == dollars("1")
    hooked.hook("SessionEnd")
    hooked.governor.desk.close()
    assert hooked.laptop.row().outcome == "finished"


def test_a_red_cap_refuses_the_first_prompt(hooked: Hooked) -> None:
    """With the sentence that explains it. A session that runs already is not touched by it, one that is resumed is asked about."""
    hooked.hook("SessionStart")
    hooked.hook("UserPromptSubmit")
    with hooked.laptop.governor() as g:
        g.answered(USED | {"id": "msg_1"})
    hooked.laptop.bench.policy("session:\n  cost: $1\ntab: $0.01\n")
    assert "decision" not in hooked.hook("UserPromptSubmit")
    other = "22222222-2222-4222-8222-222222222222"
    hooked.hook("SessionStart", other)
    reply = hooked.hook("UserPromptSubmit", other)
    assert reply["decision"] == "block"
    assert reply["reason"].startswith("Tabstop: this session may not begin. The tab's budget ")
    assert "is spent" in reply["reason"]
    hooked.hook("SessionEnd")
    hooked.governor.desk.close()
    hooked.hook("SessionStart")
    resumed = hooked.hook("UserPromptSubmit")
    assert resumed["decision"] == "block"
    assert "is spent" in resumed["reason"]
    hooked.laptop.bench.policy("session:\n  cost: $1\ntab: $2\n")
    assert "decision" not in hooked.hook("UserPromptSubmit")


def test_elsewhere_nobody_is_asked(hooked: Hooked) -> None:
    """A login speaks for its organization's repositories only."""
    (hooked.laptop.checkout / ".git" / "config").write_text(
        '[remote "origin"]\n\turl = https://github.com/alice/diary\n'
    )
    hooked.hook("SessionStart")
    assert hooked.hook("UserPromptSubmit") == {}
    assert hooked.laptop.record().server == ""

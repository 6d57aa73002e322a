"""An agent with installed hooks on a laptop where somebody is logged in, and the server, over real HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.registry import PullRequest
from tabstop.beside import hook
from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.governor_call import is_running
from tabstop.beside.governor_process import Governor
from tabstop.beside.hook_records import name_of
from tabstop.beside.session_folder import SessionFolder, sessions_root
from tabstop.money import dollars
from tests.beside.test_working_tree import git
from tests.support.hook_payloads import SESSION, payload
from tests.web.test_gauges import a_reading
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


LOGINS = {
    "claude-code": (".claude/.credentials.json", {"claudeAiOauth": {"subscriptionType": "max"}}),
    "codex": (".codex/auth.json", {"auth_mode": "chatgpt", "tokens": {"id_token": "x"}}),
    "gemini": (".gemini/oauth_creds.json", {"access_token": "x"}),
}
LOGS = {
    "claude-code": ".claude/projects/p/{}.jsonl",
    "codex": ".codex/sessions/2026/11/22/rollout-{}.jsonl",
    "gemini": ".gemini/tmp/p/chats/{}.jsonl",
}


@pytest.fixture
def resident(hooked: Hooked) -> Iterator[Hooked]:
    """Its governor listens, and was started where an API key is set that no other session has."""
    hooked.environ |= {"ANTHROPIC_API_KEY": "another's", "CODEX_API_KEY": "another's"}
    thread = threading.Thread(target=hooked.governor.run)
    thread.start()
    while not is_running(hooked.environ):
        assert thread.is_alive()
        time.sleep(0.01)
    yield hooked
    hooked.governor.end()
    thread.join()


def real_hook(hooked: Hooked, agent: str, session: str, **environ: str) -> dict[str, Any]:
    """What a session's first prompt is answered, after its start, by hooks that run as the agent runs them."""
    home = hooked.environ["HOME"]
    log = str(Path(home) / LOGS[agent].format(session))
    mine = {"HOME": home, "TABSTOP_STATE": hooked.environ["TABSTOP_STATE"], "TMPDIR": tempfile.gettempdir(), **environ}
    body = {"session_id": session, "cwd": str(hooked.laptop.checkout), "transcript_path": log}
    text = b""
    for event in ("SessionStart", "BeforeAgent" if agent == "gemini" else "UserPromptSubmit"):
        said = {**payload(event), **body, "hook_event_name": event}
        done = subprocess.run(
            [sys.executable, "-I", "-S", hook.__file__, agent, event],
            input=json.dumps(said, separators=(",", ":")).encode(),
            env=mine,
            capture_output=True,
            check=True,
            timeout=60,
        )
        text = done.stdout
    return dict(json.loads(text)) if text else {}


@pytest.mark.parametrize(
    ("agent", "vendor", "key"),
    [
        ("claude-code", "anthropic", "ANTHROPIC_API_KEY"),
        ("codex", "openai", "CODEX_API_KEY"),
        ("gemini", "google", "GEMINI_API_KEY"),
    ],
)
def test_a_full_window_defers_whom_a_plan_pays(resident: Hooked, agent: str, vendor: str, key: str) -> None:
    """With the time it begins anew, by the session's own variables: one with an API key goes on. Gemini CLI's plans have no windows."""
    bench, laptop = resident.laptop.bench, resident.laptop
    name, login = LOGINS[agent]
    path = Path(resident.environ["HOME"]) / name
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(login))
    bench.policy("windows:\n  on_full: defer\n")
    anew = (bench.clock.now + timedelta(hours=2)).isoformat()
    other = bench.start(token=laptop.environ["TABSTOP_TOKEN"], repository="acme/widget", branch="fix")
    reading = a_reading(bench, vendor=vendor, used=9_900, minutes=300, resets_at=anew)
    if vendor != "google":
        assert bench.report(other, gauges=[reading]).status_code == 200

    said = real_hook(resident, agent, "22222222-2222-4222-8222-222222222222")
    if vendor == "google":
        assert "decision" not in said
    else:
        assert said["decision"] == "block"
        assert re.search(r"5-hour window is 99 % used.*Start it after \d\d:\d\d", said["reason"])
    paying = real_hook(resident, agent, "33333333-3333-4333-8333-333333333333", **{key: "k"})
    assert "decision" not in paying
    assert "window" not in paying.get("systemMessage", "")


def test_hooks_installed_before_are_warned(hooked: Hooked) -> None:
    """They do not tell which keys are set, so nobody is believed to have a plan."""
    bench = hooked.laptop.bench
    bench.policy("windows:\n  on_full: defer\n")
    other = bench.start(token=hooked.laptop.environ["TABSTOP_TOKEN"], repository="acme/widget", branch="fix")
    anew = (bench.clock.now + timedelta(hours=2)).isoformat()
    assert bench.report(other, gauges=[a_reading(bench, used=9_900, minutes=300, resets_at=anew)]).status_code == 200
    hooked.hook("SessionStart")
    said = hooked.hook("UserPromptSubmit")
    assert "decision" not in said
    assert "5-hour window is 99 % used" in said["systemMessage"]


def test_a_fork_asks_the_gate_of_its_pull_request(hooked: Hooked) -> None:
    """A red cap refuses the first prompt there too. A branch of it without a pull request is on nobody's tab."""
    bench, checkout = hooked.laptop.bench, hooked.laptop.checkout
    git(checkout, "remote", "set-url", "origin", "git@github.com:alice/widget.git")
    git(checkout, "remote", "add", "upstream", "git@github.com:acme/widget.git")
    now = bench.clock.now
    with bench.world.store.open(bench.organization.id) as books:
        tab = books.open_tab(bench.repository.id, "alice:fix", now)
        books.save_pull_request(
            PullRequest(0, bench.repository.id, 9, tab.id, "head", "alice:fix", "main", 1, "Fix", "open", False, now)
        )
    hooked.hook("SessionStart")
    assert "may use $1.00" in hooked.hook("UserPromptSubmit")["systemMessage"]
    assert (hooked.laptop.row().tab_id, hooked.laptop.record().fork) == (tab.id, "alice/widget")
    with hooked.laptop.governor() as g:
        g.answered(USED | {"id": "msg_1"})
    with bench.world.store.look(bench.organization.id) as books:
        assert [one.spent.nano for one in books.budgets_of_tab(tab.id, now)] == [g.totals.cost]
        assert books.tab_of_branch(bench.repository.id, "fix") is None
    bench.policy("session:\n  cost: $1\ntab: $0.01\n")
    other = "22222222-2222-4222-8222-222222222222"
    hooked.hook("SessionStart", other)
    reply = hooked.hook("UserPromptSubmit", other)
    assert reply["decision"] == "block"
    assert "The tab's budget" in reply["reason"]

    git(checkout, "checkout", "-qb", "tried")
    third = "33333333-3333-4333-8333-333333333333"
    hooked.hook("SessionStart", third)
    assert "decision" not in hooked.hook("UserPromptSubmit", third)
    row = hooked.laptop.row(
        SessionFolder(sessions_root(hooked.environ) / name_of("claude-code", third)).record().server_session
    )
    with bench.world.store.look(bench.organization.id) as books:
        assert row.tab_id is None
        assert books.tab_of_branch(bench.repository.id, "tried") is None
        assert books.tab_of_branch(bench.repository.id, "alice:tried") is None

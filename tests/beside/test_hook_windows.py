"""Hooks without a server, before a vendor's window that this machine knows to be full: the start warns, a deferral refuses the prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tabstop.beside.control import tell
from tabstop.beside.gauge_file import keep_gauges, machine_gauges, read_gauges
from tabstop.beside.hook_desk import HookDesk
from tabstop.beside.hook_question import question_about
from tabstop.beside.hook_records import name_of
from tabstop.beside.session_folder import SessionFolder
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.governor.facts import Released
from tests.beside.short_folder import short_folder
from tests.governor.builders import BEGUN
from tests.support.golden import expect
from tests.support.hook_payloads import SESSION, payload

FULL = GaugeReading("anthropic", "", "5h", 9_700, BEGUN, GaugeSource.STATUS_LINE, BEGUN + timedelta(hours=1), 300)
"""The status line told it, so a plan pays."""


class Machine:
    """One with a repository that has a policy, and the desk that answers its hooks. Nobody is logged in."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "widget"
        (self.repository / ".git").mkdir(parents=True)
        (self.repository / ".github").mkdir()
        self.transcript = folder / ".claude" / "projects" / "widget" / f"{SESSION}.jsonl"
        self.environ = {"HOME": str(folder), "TABSTOP_STATE": str(folder / "state")}
        self.now = BEGUN
        self.log: list[str] = []
        root = folder / "state" / "sessions"
        root.mkdir(parents=True)
        self.session = SessionFolder(root / name_of("claude-code", SESSION))
        self.desk = HookDesk(
            root,
            self.environ,
            lambda: self.now,
            self.log.append,
            folder / "g.sock",
            question_of=lambda record, told: question_about(record, told, self.environ, self.now, self.log.append),
        )

    def policy(self, text: str) -> None:
        (self.repository / ".github" / "tabstop.yml").write_text(f"windows:\n{text}", encoding="utf-8")

    def read(self, *readings: GaugeReading) -> None:
        keep_gauges(machine_gauges(self.environ), readings)

    def hook(self, event: str, **more: Any) -> Any:
        body = payload(event, self.transcript, **{"tabstop_set": "", **more, "cwd": str(self.repository)})
        answer = self.desk.hook(("claude-code", event, "-"), json.dumps(body).encode())
        assert isinstance(answer, bytes)
        text = answer.partition(b"\n")[2]
        return json.loads(text) if text else {}

    def start(self) -> str:
        said = self.hook("SessionStart")["systemMessage"]
        assert isinstance(said, str)
        return said


@pytest.fixture
def machine() -> Iterator[Machine]:
    """See `Machine`."""
    with short_folder() as folder:
        found = Machine(folder)
        yield found
        found.desk.close()


def test_the_start_warns(machine: Machine) -> None:
    """Once: the first prompt goes through without a word."""
    machine.read(FULL)
    expect("windows/hook-warned.txt", machine.start() + "\n")
    assert machine.hook("UserPromptSubmit") == {}


def test_a_deferral_refuses_the_prompt(machine: Machine) -> None:
    """Until the window begins anew: each prompt asks again."""
    machine.policy("  on_full: defer\n")
    machine.read(FULL)
    assert "window" not in machine.start()
    for _ in range(2):
        reply = machine.hook("UserPromptSubmit")
        assert reply["decision"] == "block"
    expect("windows/hook-deferred.txt", reply["reason"] + "\n")
    machine.now = BEGUN + timedelta(hours=1)
    assert "decision" not in machine.hook("UserPromptSubmit")


@pytest.mark.parametrize(
    ("told", "source"),
    [
        ({"tabstop_set": None}, GaugeSource.STATUS_LINE),  # hooks of an earlier version
        ({}, GaugeSource.HEADER),
    ],
)
def test_nobody_is_refused_on_a_guess(machine: Machine, told: dict[str, None], source: GaugeSource) -> None:
    """Where nothing tells who pays, the start only warns."""
    machine.policy("  on_full: defer\n")
    machine.read(replace(FULL, source=source))
    assert "97 % used" in machine.hook("SessionStart", **told)["systemMessage"]
    assert "decision" not in machine.hook("UserPromptSubmit", **told)


def test_its_time_is_cut_to_fit(machine: Machine) -> None:
    """From its start on, which says so."""
    machine.policy("  fit_sessions: true\n")
    machine.read(replace(FULL, used=8_500))
    said = machine.start()
    assert "40 min." in said
    assert said.endswith("The session's time is cut to end before it is full.")
    assert machine.session.record().settings.limits.wall_clock_seconds == 40 * 60


def test_it_is_suspended_at_its_first_prompt(machine: Machine) -> None:
    """Where the policy suspends sessions at a full window; a person may release it."""
    machine.policy("  in_session: suspend\n")
    machine.read(FULL)
    assert machine.start().count("97 % used") == 1
    reply = machine.hook("UserPromptSubmit")
    assert reply["decision"] == "block"
    assert "`tabstop release` lets it go on now." in reply["reason"]
    machine.desk.let_go(machine.session.path.name)
    tell(machine.session, Released(machine.now, "octocat"), lambda: machine.now)
    assert "decision" not in machine.hook("UserPromptSubmit")


def test_a_first_prompt_without_a_start_is_suspended(machine: Machine) -> None:
    """Hooks that were put in while the agent ran: nothing was looked at before."""
    machine.policy("  in_session: suspend\n")
    machine.read(FULL)
    assert machine.hook("UserPromptSubmit")["decision"] == "block"


def test_what_a_short_session_heard_is_kept_for_the_next(machine: Machine) -> None:
    """Its end comes before anybody looked."""
    machine.start()
    keep_gauges(machine.session, [FULL])
    machine.hook("SessionEnd")
    assert read_gauges(machine_gauges(machine.environ)) == (FULL,)

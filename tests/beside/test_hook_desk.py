"""The desk: payloads of real agents in, replies out, with everything in between: policy, journal, limits, standing orders."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest

from tabstop.agents.dialect import AGENTS, dialect_of, digest
from tabstop.beside.hook_records import name_of
from tabstop.beside.journal import Entry, write_entry
from tabstop.governor.facts import Raised
from tabstop.session import Limits
from tests.beside.desk import CLAUDE, Open
from tests.support.golden import expect
from tests.support.hook_payloads import NAMES, SESSION, agent_of, captured, payload, tool


def test_a_session_is_stopped_at_its_limit_and_goes_on_after_a_raise(open_desk: Open) -> None:
    """The user's whole way: told what binds it, stopped, refused, raised, going on with its totals."""
    desk = open_desk("session: {cost: $1}\ndegrade: off\n")
    greeting = desk.hook(payload("SessionStart", source="startup"))["systemMessage"]
    assert desk.hook(payload("UserPromptSubmit", prompt="secret words")) is None
    desk.answer(200_000)
    assert desk.hook(tool("PreToolUse")) is None
    assert desk.hook(tool("PostToolUse")) is None
    assert desk.standing() == set()
    desk.answer(60_000)
    stopped = desk.hook(payload("PostToolBatch"))
    assert stopped["continue"] is False
    assert desk.standing() == {
        "SessionStart",
        "UserPromptSubmit",
        "PreToolUse",
        "PostToolUse",
        "PostToolUseFailure",
        "PostToolBatch",
    }
    assert desk.hook(tool("PreToolUse"))["hookSpecificOutput"]["permissionDecision"] == "deny"
    desk.hook(payload("SessionEnd"))
    resumed = desk.hook(payload("SessionStart", source="resume"))["systemMessage"]
    assert desk.hook(payload("UserPromptSubmit"))["decision"] == "block"
    raised = write_entry(Entry(Raised(desk.now, Limits(cost=10**9), "dev")))
    assert json.loads(desk.desk.fact((CLAUDE,), raised))["act"] == "proceed"
    assert desk.standing() == set()
    assert desk.hook(payload("UserPromptSubmit")) is None
    expect("hooks/session.txt", "\n\n".join([greeting, stopped["stopReason"], resumed]) + "\n")
    assert "secret" not in desk.folder.journal.read_text(encoding="utf-8")
    assert [usage.tokens.input for usage in desk.usages] == [200_000, 60_000]
    assert [str(event.kind) for event in desk.events] == ["stop", "raise"]
    logged = [json.loads(line)["kind"] for line in desk.folder.events.read_text(encoding="utf-8").splitlines()]
    assert logged == ["stop", "raise"]


def test_less_is_done_before_a_stop_and_what_cannot_be_is_said_once(open_desk: Open) -> None:
    """The model hears of a step once; that its model cannot be changed is logged once."""
    desk = open_desk("session: {cost: $1}\n")
    desk.with_server = True
    desk.hook(payload("SessionStart"))
    desk.answer(205_000)
    said = desk.hook(tool("PreToolUse"))
    assert "start no new subagents" in said["hookSpecificOutput"]["additionalContext"]
    assert "cheaper model" not in json.dumps(said)
    assert desk.hook(tool("PreToolUse")) is None
    denied = desk.hook(tool("PreToolUse", "Agent"))
    assert denied["hookSpecificOutput"]["permissionDecision"] == "deny"
    unapplied = [
        event.finding.sentence for event in desk.events if event.finding and event.finding.cause == "not applied"
    ]
    assert unapplied == ["The model cannot be changed here: the session keeps the one it has."]
    logged = desk.folder.events.read_text(encoding="utf-8")
    assert logged.count("The model cannot be changed here") == 1


def test_a_subagent_counts_and_is_named_by_who_started_it(open_desk: Open) -> None:
    """Its usage lies in a file of its own; it is its parent's to pay."""
    desk = open_desk()
    desk.hook(payload("SessionStart"))
    desk.hook(tool("PreToolUse", "Agent", agent_id="outer") | {"tool_input": {"subagent_type": "general"}})
    desk.hook(payload("SubagentStart", agent_id="inner", agent_type="general"))
    desk.transcript, main = desk.transcript.with_suffix("") / "subagents" / "agent-inner.jsonl", desk.transcript
    desk.transcript.parent.mkdir(parents=True)
    desk.answer(700)
    desk.transcript.write_text(desk.transcript.read_text(encoding="utf-8").replace('{"type"', '{"agentId": "inner", "type"', 1), encoding="utf-8")  # fmt: skip
    desk.transcript = main
    desk.hook(payload("SubagentStop", agent_id="inner"))
    facts = [json.loads(line) for line in desk.folder.journal.read_text(encoding="utf-8").splitlines()]
    spawned = [row["is"] for row in facts if row["fact"] == "SubagentSpawned"]
    assert [(one["child"], one["thread"]) for one in spawned] == [("", "outer"), ("inner", "outer")]
    (answered,) = [row["is"] for row in facts if row["fact"] == "Answer"]
    assert (answered["thread"], answered["tokens"]["input"]) == ("inner", 700)


def test_a_new_subagent_is_given_a_cheaper_model_that_pays(open_desk: Open) -> None:
    """By the ladder of the policy and the prices there are; what its tool calls `opus` is the ladder's."""
    desk = open_desk("degrade:\n  models: [[claude-opus-5-5, claude-haiku-4-5]]\n")
    desk.hook(payload("SessionStart"))
    desk.answer(1_000)
    desk.hook(payload("Stop"))
    heard = desk.desk._watched[CLAUDE].heard["claude-code", SESSION]
    assert heard._cheaper("", True) == "claude-haiku-4-5"
    assert heard._cheaper("opus", True) == "claude-haiku-4-5"
    assert heard._cheaper("unheard-of", True) == "claude-haiku-4-5"
    assert heard._cheaper("claude-haiku-4-5", False) == ""


@pytest.mark.parametrize("name", NAMES)
def test_every_captured_run_goes_through(name: str, open_desk: Open) -> None:
    """No limit is near, so every hook lets it go on, and its session is let go of at its end."""
    desk = open_desk()
    agent = agent_of(name)
    for event, body in captured(name):
        reply = desk.hook({**body, "session_id": SESSION}, agent, event=event)
        assert reply is None or set(reply) == {"systemMessage"}
    assert desk.said == []
    assert (desk.desk._watched == {}) == (captured(name)[-1][0] == "SessionEnd")
    assert (desk.root / name_of(agent, SESSION) / "journal.jsonl").exists()


def test_a_tool_whose_start_nobody_told_counts_when_it_ends(open_desk: Open) -> None:
    """Once; one whose start was told counts there."""
    desk = open_desk()
    desk.hook(tool("PreToolUse"))
    desk.hook(tool("PostToolUse"))
    desk.hook(tool("PostToolUse") | {"tool_use_id": "toolu_2"})
    assert desk.desk._watched[CLAUDE].governed.state.totals.tool_calls == 2


def test_many_subagents_are_not_remembered_for_ever(open_desk: Open) -> None:
    """What their models were told is forgotten, the oldest first, and with the subagent."""
    desk = open_desk("session: {cost: $1}\n")
    desk.with_server = True
    desk.hook(payload("SessionStart"))
    desk.answer(205_000)
    for number in range(300):
        desk.hook(payload("UserPromptSubmit", agent_id=f"a{number}"))
    heard = desk.desk._watched[CLAUDE].heard["claude-code", SESSION]
    assert len(heard._told) == 256
    desk.hook(payload("SubagentStop", agent_id="a299"))
    assert len(heard._told) == 255


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff", b"{}", b'{"session_id": 5}', b'{"session_id": "../.."}', b"[" * 200_000]
)
def test_a_malformed_payload_is_refused(open_desk: Open, body: bytes) -> None:
    """Whoever asked gets nothing, which lets the agent go on; nothing is written."""
    desk = open_desk()
    with pytest.raises(ValueError, match="payload"):
        desk.hook(body)
    assert not desk.root.exists()


def test_an_unknown_agent_is_refused(open_desk: Open) -> None:
    """A hook of a later version."""
    with pytest.raises(KeyError):
        open_desk().hook(payload("Stop"), "other")


def test_time_passes_for_sessions_that_run(open_desk: Open) -> None:
    """A wall clock that runs out while the agent is silent is a standing order before its next hook."""
    desk = open_desk("session: {wall_clock: 30m}\n")
    desk.hook(payload("SessionStart"))
    desk.desk.tick()
    assert desk.standing() == set()
    desk.now += timedelta(minutes=31)
    desk.desk.tick()
    assert "PreToolUse" in desk.standing()


def test_a_policy_with_problems_is_said_at_the_start(open_desk: Open) -> None:
    """The defaults hold, and people learn why where they look."""
    desk = open_desk("session: {cost: cheap}\n")
    said = desk.hook(payload("SessionStart"))["systemMessage"]
    assert "has problems, so the default limits apply; the first is in line 1" in said
    assert "may use $10.00" in said


def test_a_fact_that_is_none_is_refused(open_desk: Open) -> None:
    """So that a typing error raises nothing."""
    with pytest.raises(ValueError, match="no fact"):
        open_desk().desk.fact((CLAUDE,), b"{}")


def test_a_full_disk_stops_no_reply(open_desk: Open) -> None:
    """The standing order cannot be written, which is logged; the hook is answered all the same."""
    desk = open_desk("session: {tool_calls: 1}\n")
    (desk.home / "state" / "hooks").mkdir(parents=True)
    (desk.home / "state" / "hooks" / "standing").touch()
    desk.hook(tool("PreToolUse"))
    assert desk.hook(tool("PreToolUse"))["continue"] is False
    assert "cannot be written" in desk.said[-1]


def test_many_hooks_of_one_session_at_once(open_desk: Open) -> None:
    """Parallel tools: every one is counted, once."""
    calm = "throttle: {calls_per_minute: unlimited, identical_per_minute: unlimited}\nbreaker: {repeats: off}\nrunaway: off\n"
    desk = open_desk(f"session: {{tool_calls: 1000}}\n{calm}")
    desk.hook(payload("SessionStart"))
    data = json.dumps(desk.at_home(tool("PreToolUse"))).encode()
    threads = [
        threading.Thread(target=desk.desk.hook, args=(("claude-code", "PreToolUse", "-"), data)) for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert desk.desk._watched[CLAUDE].governed.state.totals.tool_calls == 40


def test_a_digest_needs_a_key_and_tells_nothing() -> None:
    """Without one nothing is kept; nesting without end gives none."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert digest(b"", {"a": 1}) == digest(b"k", None) == digest(b"k", deep) == ""
    assert digest(b"k", {"a": 1, "b": 2}) == digest(b"k", {"b": 2, "a": 1}) != digest(b"l", {"a": 1, "b": 2})


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_has_a_dialect(agent: str) -> None:
    """Each with the events to register and the seconds they are given."""
    dialect = dialect_of(agent)
    assert dialect.agent.startswith(agent)
    assert "SessionStart" in dialect.events

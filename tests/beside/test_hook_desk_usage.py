"""What the desk counts: an agent's log as it grows, answers that are late, that cannot be read or have no price."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tabstop.beside import hooked_session
from tabstop.beside.hook_records import name_of
from tabstop.beside.session_view import view
from tests.beside.desk import Open
from tests.governor.builders import BEGUN
from tests.support.hook_payloads import SESSION, payload, tool
from tests.support.samples import SAMPLES


def test_what_was_used_before_the_session_began_is_not_its(open_desk: Open) -> None:
    """A fork copies rows, and a session may be older than Tabstop on this machine."""
    desk = open_desk()
    desk.answer(5_000)
    desk.now += timedelta(hours=1)
    desk.hook(payload("SessionStart"))
    desk.answer(10)
    desk.hook(payload("Stop"))
    assert [usage.tokens.input for usage in desk.usages] == [10]


def test_near_a_limit_a_tool_waits_for_its_answer_to_be_written_down(
    open_desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client writes a moment after it asks the hook; so the tool is judged by the answer that asked for it."""
    monkeypatch.setattr(hooked_session, "LAG_TRIES", 1_000)  # however slowly this machine writes
    desk = open_desk("session: {cost: $1}\ndegrade: off\n")
    desk.answer(200_000, calls=("toolu_0",))
    desk.hook(payload("SessionStart") | {"hook_event_name": "SessionStart"})
    desk.now = BEGUN
    late = threading.Timer(0.1, desk.answer, (60_000,), {"calls": ("toolu_1",)})
    begun = time.monotonic()
    late.start()
    reply = desk.hook(tool("PreToolUse"))
    assert 0.09 < time.monotonic() - begun < 20
    assert reply["continue"] is False
    late.join()


def test_a_call_that_is_never_written_down_is_not_waited_for_long(open_desk: Open) -> None:
    """The wait is a third of a second at most."""
    desk = open_desk("session: {cost: $1}\ndegrade: off\n")
    desk.hook(payload("SessionStart"))
    desk.answer(200_000)
    begun = time.monotonic()
    assert desk.hook(tool("PreToolUse")) is None
    assert 0.2 < time.monotonic() - begun < 20


def test_codex_is_followed_by_its_rollout(open_desk: Open) -> None:
    """The hooks tell no usage; the file they name does."""
    desk = open_desk("session: {tokens: 20k}\ndegrade: off\n")
    desk.transcript.write_bytes((SAMPLES / "codex" / "rollout.jsonl").read_bytes())
    desk.now = datetime.fromisoformat("2026-11-21T21:00:00+00:00")
    desk.hook(payload("SessionStart"), "codex")
    assert desk.hook(tool("PreToolUse"), "codex")["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert len(desk.usages) == 5


def test_the_windows_that_codex_writes_down_reach_the_governor(open_desk: Open) -> None:
    """Beside its counts of tokens, where it runs on a plan."""
    desk = open_desk()
    rows = [json.loads(line) for line in (SAMPLES / "codex" / "rollout.jsonl").read_text().splitlines()]
    for row in rows:
        if row.get("payload", {}).get("type") == "token_count":
            primary = {"used_percent": 42, "window_minutes": 300, "resets_in_seconds": 600}
            row["payload"]["rate_limits"] = {"primary": primary, "secondary": None, "plan_type": "plus"}
    desk.transcript.write_text("".join(json.dumps(row) + "\n" for row in rows))
    desk.now = datetime.fromisoformat("2026-11-21T21:00:00+00:00")
    desk.hook(payload("SessionStart"), "codex")
    (reading,) = desk.desk._watched[name_of("codex", SESSION)].governed.state.gauged.readings
    assert (reading.window, reading.used, reading.plan) == ("5h", 4_200, "plus")


UNREADABLE = "What this session uses cannot be read; default tool-call, iteration and time limits apply."


ONLY_COST = (
    "session: {cost: $1, tokens: unlimited, iterations: unlimited, tool_calls: unlimited, wall_clock: unlimited}\n"
)


def a_call(number: int) -> dict[str, Any]:
    return payload(
        "PreToolUse", tool_name="Bash", tool_input={"command": f"ls {number}"}, tool_use_id=f"toolu_{number}"
    )


def test_a_session_without_a_transcript_is_bounded_and_people_are_told(open_desk: Open) -> None:
    """At the tenth tool call, once; when it begins again, in place of how firmly it is bound."""
    desk = open_desk(ONLY_COST)
    greeted = desk.hook(payload("SessionStart"))["systemMessage"]
    assert greeted.endswith("at most one model call late. If it ends without a word, `tabstop sessions` says why.")
    said = [desk.hook(a_call(number)) for number in range(12)]
    assert [one for one in said if one] == [{"systemMessage": f"Tabstop: {UNREADABLE}"}]
    assert [one.finding.sentence for one in desk.events if one.finding] == [UNREADABLE]
    again = desk.hook(payload("SessionStart"))["systemMessage"]
    assert "500 tool calls" in again
    assert f"{UNREADABLE} If it ends" in again


def test_answers_that_cannot_be_read_count(open_desk: Open) -> None:
    """Each is a model call of unknown cost."""
    desk = open_desk(ONLY_COST)
    desk.hook(payload("SessionStart"))
    desk.answer()
    rows = desk.transcript.read_text(encoding="utf-8").replace('"input_tokens": 1000', '"input_tokens": "1000"')
    desk.transcript.write_text(rows, encoding="utf-8")
    desk.hook(a_call(1))
    totals = view(desk.folder).state.totals
    assert (totals.iterations, totals.unread, totals.unseen) == (1, 1, True)
    assert [one.finding.sentence for one in desk.events if one.finding] == [UNREADABLE]


def test_a_model_without_a_price_is_priced_as_the_dearest_known(open_desk: Open) -> None:
    """And it is said, once."""
    desk = open_desk()
    desk.hook(payload("SessionStart"))
    desk.answer(model="claude-unheard-of")
    desk.hook(a_call(1))
    totals = view(desk.folder).state.totals
    assert totals.cost > 0
    assert totals.assumed == 1
    said = [one.finding.sentence for one in desk.events if one.finding]
    assert len(said) == 1
    assert said[0].startswith("The price of claude-unheard-of is not known, so it is priced as ")


def test_it_is_governed_by_what_hooks_can_do_whoever_governed_it_before(open_desk: Open) -> None:
    """Hooks make no last answer: the record says so, for whoever looks at the session."""
    desk = open_desk()
    desk.hook(payload("SessionStart"))
    record = desk.folder.record()
    desk.desk.close()
    desk.folder.write_record(replace(record, settings=replace(record.settings, can_summarize=True)))
    desk.desk = desk.open()
    desk.hook(payload("SessionStart"))
    assert desk.folder.record() == record

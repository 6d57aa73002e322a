"""The desk: payloads of real agents in, replies out, with everything in between: policy, journal, limits, standing orders."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tabstop.agents.dialect import AGENTS, dialect_of, digest
from tabstop.beside.control import tell
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_desk import HookDesk
from tabstop.beside.hook_records import name_of
from tabstop.beside.hook_socket import HookSocket, NobodyError, make_private
from tabstop.beside.journal import Entry, Journal, write_entry
from tabstop.beside.pricing import Pricer
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.beside.session_view import view
from tabstop.governor.facts import Raised, Released
from tabstop.governor.orders import Event
from tabstop.governor.settings import Settings
from tabstop.price_card import PriceCard
from tabstop.session import Limits, SessionOutcome
from tabstop.usage import Usage
from tabstop.verdict import Verdict
from tabstop.wire import StartRequest
from tests.beside.short_folder import short_folder
from tests.governor.builders import BEGUN
from tests.support.golden import expect
from tests.support.hook_payloads import NAMES, SESSION, agent_of, captured, payload, tool
from tests.support.samples import SAMPLES

Open = Callable[..., "Desk"]
CLAUDE = name_of("claude-code", SESSION)


class Told:
    """A session's report to its server."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.begun = self.closed = False
        self.outcome: SessionOutcome | None = None

    def begin(self, *, wait: bool = True) -> Verdict:
        assert not wait
        self.begun = True
        return Verdict()

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def close(self, outcome: SessionOutcome | None) -> bool:
        self.outcome, self.closed = outcome, True
        return True


class Desk:
    """A desk with a repository, a transcript that grows on demand, and a clock that stands still until told."""

    def __init__(self, folder: Path, policy: str) -> None:
        self.home = folder
        self.root = folder / "state" / "sessions"
        self.repository = folder / "widget"
        (self.repository / ".git").mkdir(parents=True)
        (self.repository / "src").mkdir()
        if policy:
            (self.repository / ".github").mkdir()
            (self.repository / ".github" / "tabstop.yml").write_text(policy, encoding="utf-8")
        self.transcript = folder / f"{SESSION}.jsonl"
        self.now = BEGUN
        self.said: list[str] = []
        self.events: list[Event] = []
        self.usages: list[Usage] = []
        self.told: list[Told] = []
        self.with_server = False
        self.answers = 0
        self.desk = self.open()

    def open(self) -> HookDesk:
        socket = self.root.parent / "governor.sock"
        return HookDesk(self.root, {}, self.clock, self.said.append, socket, self.reports_of)

    def reports_of(self, _record: Record, session: GovernedSession, _folder: SessionFolder) -> Told | None:
        """Who reports, where `with_server` says that there is a server; what would be told is kept either way."""
        told = Told(self.events)
        session.listen(lambda event, _order: told.on_event(event), self.usages.append)
        self.told.append(told)
        return told if self.with_server else None

    def clock(self) -> datetime:
        return self.now

    def hook(
        self, body: dict[str, Any] | bytes, agent: str = "claude-code", session: str = "-", event: str = ""
    ) -> Any:
        """The reply as JSON, None for nothing said."""
        data = body if isinstance(body, bytes) else json.dumps(self.at_home(body)).encode()
        event = event or (body["hook_event_name"] if isinstance(body, dict) else "Stop")
        answer = self.desk.hook((agent, event, session), data)
        head, _, text = b"".join([answer] if isinstance(answer, bytes) else answer).partition(b"\n")
        self.wait = float(head.split()[1])
        return json.loads(text) if text else None

    def at_home(self, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "cwd": str(self.repository / "src"), "transcript_path": str(self.transcript)}

    def answer(self, tokens: int = 1_000, *, calls: tuple[str, ...] = (), model: str = "claude-opus-5-5") -> None:
        """The model answers; at $4 per million input tokens."""
        self.now += timedelta(seconds=1)
        self.answers += 1
        blocks = [{"type": "tool_use", "id": one, "name": "Bash", "input": {}} for one in calls]
        message = {"id": f"msg_{self.answers}", "model": model, "usage": {"input_tokens": tokens}, "content": blocks}
        row = {"type": "assistant", "sessionId": SESSION, "requestId": f"req_{self.answers}", "message": message}
        with self.transcript.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({**row, "timestamp": self.now.isoformat()}) + "\n")

    def kept(self, *bodies: dict[str, Any]) -> Path:
        """A folder with what hooks kept while nobody was there, a minute apart."""
        folder = self.home / "waiting"
        folder.mkdir()
        for number, body in enumerate(bodies):
            data = json.dumps(self.at_home(body)).encode()
            at = int((BEGUN - timedelta(minutes=10 - number)).timestamp() * 1e9)
            head = f"hook claude-code {body['hook_event_name']} - {len(data)}\n".encode()
            (folder / f"{at:020d}-1").write_bytes(head + data)
        return folder

    @property
    def folder(self) -> SessionFolder:
        return SessionFolder(self.root / CLAUDE)

    def standing(self, agent: str = "claude-code") -> set[str]:
        folder = self.root.parent / "hooks" / "standing" / f"{agent}-{SESSION}"
        return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Open]:
    desks = []

    def open_one(policy: str = "") -> Desk:
        desks.append(Desk(tmp_path, policy))
        return desks[-1]

    yield open_one
    for one in desks:
        one.desk.close()


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


def test_what_was_used_before_the_session_began_is_not_its(open_desk: Open) -> None:
    """A fork copies rows, and a session may be older than Tabstop on this machine."""
    desk = open_desk()
    desk.answer(5_000)
    desk.now += timedelta(hours=1)
    desk.hook(payload("SessionStart"))
    desk.answer(10)
    desk.hook(payload("Stop"))
    assert [usage.tokens.input for usage in desk.usages] == [10]


def test_near_a_limit_a_tool_waits_for_its_answer_to_be_written_down(open_desk: Open) -> None:
    """The client writes a moment after it asks the hook; so the tool is judged by the answer that asked for it."""
    desk = open_desk("session: {cost: $1}\ndegrade: off\n")
    desk.answer(200_000, calls=("toolu_0",))
    desk.hook(payload("SessionStart") | {"hook_event_name": "SessionStart"})
    desk.now = BEGUN
    late = threading.Timer(0.1, desk.answer, (60_000,), {"calls": ("toolu_1",)})
    late.start()
    begun = time.monotonic()
    reply = desk.hook(tool("PreToolUse"))
    assert 0.09 < time.monotonic() - begun < 5
    assert reply["continue"] is False
    late.join()


def test_a_call_that_is_never_written_down_is_not_waited_for_long(open_desk: Open) -> None:
    """The wait is a third of a second at most."""
    desk = open_desk("session: {cost: $1}\ndegrade: off\n")
    desk.hook(payload("SessionStart"))
    desk.answer(200_000)
    begun = time.monotonic()
    assert desk.hook(tool("PreToolUse")) is None
    assert 0.2 < time.monotonic() - begun < 3


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


def test_codex_is_followed_by_its_rollout(open_desk: Open) -> None:
    """The hooks tell no usage; the file they name does."""
    desk = open_desk("session: {tokens: 20k}\ndegrade: off\n")
    desk.transcript.write_bytes((SAMPLES / "codex" / "rollout.jsonl").read_bytes())
    desk.now = datetime.fromisoformat("2026-11-21T21:00:00+00:00")
    desk.hook(payload("SessionStart"), "codex")
    assert desk.hook(tool("PreToolUse"), "codex")["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert len(desk.usages) == 5


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


def test_what_hooks_kept_is_taken_in(open_desk: Open) -> None:
    """Oldest first, each at its own time; what cannot be read is left out, said, and gone."""
    desk = open_desk()
    folder = desk.kept(payload("SessionStart"), tool("PreToolUse"), tool("PostToolUse"))
    (folder / "00000000000000000002-1").write_bytes(b"hook another Stop - 2\n{}")
    (folder / "00000000000000000001-1").write_bytes(b"hook claude-code Stop - 2\n{}")
    (folder / "nonsense").write_bytes(b"")
    (folder / ".half").write_bytes(b"")
    desk.answer(100)
    desk.desk.take_in_waiting(folder)
    assert [path.name for path in folder.iterdir()] == [".half"]
    assert len(desk.said) == 3
    assert desk.folder.record().began_at == BEGUN - timedelta(minutes=10)
    assert len(desk.usages) == 1
    desk.desk.take_in_waiting(desk.home / "nowhere")


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where another process of this user listens: a folder of its own."""
    with short_folder() as folder:
        monkeypatch.setattr("tempfile.tempdir", str(folder / "ours"))
        yield folder / "theirs" / "governor.sock"


def test_a_session_another_process_watches_is_answered_by_it(open_desk: Open, others: Path) -> None:
    """Under its limits, though its socket lies where our TMPDIR does not lead; what it says last comes through at once."""
    desk = open_desk("session: {tool_calls: 1}\n")
    theirs = HookDesk(desk.root, {}, desk.clock, desk.said.append, others)
    with HookSocket(others, {"hook": theirs.hook, "fact": theirs.fact}, desk.said.append):
        data = json.dumps(desk.at_home(payload("SessionStart"))).encode()
        theirs.hook(("claude-code", "SessionStart", "-"), data)
        assert desk.hook(tool("PreToolUse")) is None
        assert desk.hook(tool("PreToolUse"))["continue"] is False
        with pytest.raises(LookupError, match="watched by another process"):
            desk.desk.fact((CLAUDE,), write_entry(Entry(Released(desk.now))))
        assert tell(desk.folder, Raised(desk.now, Limits(tool_calls=5), "dev"), desk.clock).watched
        assert desk.hook(tool("PreToolUse")) is None
        waiting = desk.kept(tool("PreToolUse"))
        desk.desk.take_in_waiting(waiting)
        assert list(waiting.iterdir()) == []
        assert desk.hook(payload("SessionEnd")) is None
    assert desk.said == []
    assert "Tabstop" in desk.hook(payload("SessionStart", source="resume"))["systemMessage"]
    assert desk.desk._watched[CLAUDE].governed.state.totals.tool_calls == 3


@pytest.mark.parametrize("where", ["ours", "nowhere", "open to others", "one that says nothing"])
def test_one_that_nobody_answers_for_gets_no_answer(where: str, open_desk: Open, others: Path) -> None:
    """So that the hook counts it as unheard; what it kept stays until the watcher is gone, and is then taken in."""
    desk = open_desk()
    desk.hook(payload("SessionStart"))
    desk.answer(100)
    desk.hook(payload("Stop"))
    desk.desk.close()
    desk.desk = desk.open()
    make_private(others.parent)
    if where != "ours":
        desk.folder.keep_watcher(others)
    if where == "open to others":
        others.parent.chmod(0o755)
    silent = HookSocket(others, {}, lambda _text: None)
    if where == "one that says nothing":
        silent.open()
    waiting = desk.kept(tool("PreToolUse"), tool("PostToolUse"))
    with Journal(desk.folder.journal):
        with pytest.raises(NobodyError):
            desk.hook(payload("UserPromptSubmit"))
        desk.desk.take_in_waiting(waiting)
        assert len(list(waiting.iterdir())) == 2
        assert len(desk.said) == 1
    silent.close()
    desk.desk.take_in_waiting(waiting)
    assert list(waiting.iterdir()) == []
    assert "100 tokens" in desk.hook(payload("SessionStart", source="resume"))["systemMessage"]
    assert desk.desk._watched[CLAUDE].governed.state.totals.tool_calls == 1


def test_the_gates_session_holds_for_every_client_session_of_its_job(open_desk: Open) -> None:
    """Its record, its limits, one journal; an unknown one falls back to the policy and says so."""
    desk = open_desk()
    settings = Settings(session="ses-1", limits=Limits(tool_calls=1))
    record = Record("ses-1", BEGUN, StartRequest("claude-code"), settings, hmac_key="00")
    create(desk.root, record)
    other = tool("PreToolUse") | {"session_id": "22222222-2222-4222-8222-222222222222"}
    assert desk.hook(tool("PreToolUse"), session="ses-1") is None
    assert desk.hook(other, session="ses-1") is not None
    desk.hook(payload("SessionEnd"), session="ses-1")
    assert desk.hook(other, session="ses-1")["continue"] is False
    assert [path.name for path in desk.root.iterdir()] == ["ses-1"]
    assert desk.hook(tool("PreToolUse"), session="ses-2") is None
    assert desk.folder.record().agent_session == SESSION
    assert "there is no session ses-2" in desk.said[0]


def test_the_wrapper_brings_its_own_session(open_desk: Open) -> None:
    """One governed session for all attach points; the desk does not close what it did not open."""
    desk = open_desk()
    record = Record("run-1", BEGUN, StartRequest("claude-code"), hmac_key="00")
    folder = create(desk.root, record)
    governed = GovernedSession(Settings(limits=Limits(tool_calls=1)), Pricer(PriceCard(BEGUN)), desk.clock)
    desk.desk.watch(folder, record, governed)
    assert desk.hook(tool("PreToolUse"), session="run-1") is None
    assert desk.hook(tool("PreToolUse"), session="run-1")["continue"] is False
    desk.hook(payload("SessionEnd"), session="run-1")
    assert governed.state.totals.tool_calls == 1
    desk.desk.close()


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


def test_a_prepared_session_is_told_of_until_it_is_let_go(open_desk: Open) -> None:
    """Its client's sessions come and go; a settle step, or the end of the governor, has its last report made."""
    desk = open_desk()
    desk.with_server = True
    folder = create(desk.root, Record("ses-1", BEGUN, StartRequest("claude-code"), hmac_key="00"))
    desk.hook(payload("SessionStart"), session="ses-1")
    desk.hook(payload("SessionEnd"), session="ses-1")
    [told] = desk.told
    assert (told.begun, told.closed) == (True, False)
    assert desk.desk.let_go("another") == 1
    assert desk.desk.let_go("ses-1") == 0
    assert (told.begun, told.closed, told.outcome) == (True, True, None)
    Journal(folder.journal).close()


def test_a_session_that_hooks_began_ends_with_its_client(open_desk: Open) -> None:
    """How it ended is told in the background, which the end of the governor, and the next beginning, wait for."""
    desk = open_desk("session: {tool_calls: 1, cost: $1}")
    desk.with_server = True
    desk.hook(payload("SessionStart"))
    desk.hook(payload("SessionEnd"))
    desk.hook(payload("SessionStart", source="resume"))
    assert [one.outcome for one in desk.told] == [SessionOutcome.FINISHED, None]
    for call in ("toolu_1", "toolu_2"):
        desk.hook(tool("PreToolUse") | {"tool_use_id": call})
    desk.hook(payload("SessionEnd"))
    desk.desk.close()
    assert [one.outcome for one in desk.told] == [SessionOutcome.FINISHED, SessionOutcome.STOPPED_TOOL_CALLS]
    Journal(desk.folder.journal).close()


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

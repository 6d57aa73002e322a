"""The hook itself, run as its agent runs it: what it hands over, whom it asks, and that it waits and answers as it is told."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tabstop.agents.claude_code import billing as claude_code
from tabstop.agents.codex import billing as codex
from tabstop.beside import hook
from tabstop.beside.governor_call import governor_socket
from tabstop.beside.hook_gate import PROMPTS
from tabstop.beside.hook_socket import STILL_HERE, HookAnswer, HookSocket
from tabstop.beside.session_folder import sessions_root
from tests.beside.hook_stage import PAYLOAD, Stage, stage

__all__ = ["stage"]


def test_it_hands_over_and_prints_the_answer(stage: Stage) -> None:
    """The payload as it came, with agent, event and session; the answer with its exit code."""
    with stage.governor(HookAnswer('{"continue": false}', code=2)):
        assert stage.run(TABSTOP_SESSION="claude-1") == (2, b'{"continue": false}')
        assert stage.run() == (2, b'{"continue": false}')
    assert [words for words, _ in stage.heard] == [
        ("claude-code", "PreToolUse", "claude-1"),
        ("claude-code", "PreToolUse", "-"),
    ]
    assert stage.heard[0][1] == PAYLOAD
    assert stage.waiting == []


TOLD = b'{"tabstop_set":"ANTHROPIC_API_KEY CODEX_API_KEY","tabstop_environ":"TABSTOP_SERVER=6f6666 HOME=2f2268",'


@pytest.mark.parametrize(
    ("event", "payload", "told"),
    [
        ("SessionStart", b'{"a":1}', TOLD + b'"a":1}'),
        ("UserPromptSubmit", b'{"a":1}', TOLD + b'"a":1}'),
        ("PreToolUse", b'{"a":1}', b'{"a":1}'),
        ("SessionStart", b"{}", b"{}"),
        ("SessionStart", b"no JSON", b"no JSON"),
    ],
)
def test_it_tells_which_keys_are_set_where_a_session_begins(
    stage: Stage, event: str, payload: bytes, told: bytes
) -> None:
    """A vendor's by their names, never a value; what says which server is asked with it. An older governor leaves both alone."""
    keys = {"ANTHROPIC_API_KEY": "sk-secret", "CODEX_API_KEY": "sk-secret", "CLAUDE_CODE_USE_BEDROCK": "No "}
    keys |= {"TABSTOP_SERVER": "off", "HOME": '/"h'}
    with stage.governor():
        stage.run(event, payload, **keys)
    assert stage.heard == [(("claude-code", event, "-"), told)]


def test_a_token_that_nobody_took_lies_on_no_disk(stage: Stage) -> None:
    """What is kept for a governor is the payload as it came."""
    stage.run("UserPromptSubmit", TABSTOP_TOKEN="tabstop_eng_1")
    assert stage.waiting == [f"hook claude-code UserPromptSubmit - {len(PAYLOAD)}\n".encode() + PAYLOAD]


def test_what_it_tells_is_what_tells_who_pays() -> None:
    """The same names and events as the package, without importing it."""
    assert {*hook.VARIABLES} == {*claude_code.VARIABLES, *codex.VARIABLES}
    assert hook.NO == claude_code.NO
    assert {*hook.BEGINS} == {"SessionStart", *PROMPTS}


def test_whoever_runs_the_agent_is_asked_first(stage: Stage) -> None:
    """The wrapper names its socket; when it is gone, the resident governor is asked."""
    own = stage.folder / "wrapper" / "w.sock"
    with stage.governor(HookAnswer("wrapper"), own), stage.governor(HookAnswer("resident")):
        assert stage.run(TABSTOP_SOCKET=str(own))[1] == b"wrapper"
    with stage.governor(HookAnswer("resident")):
        assert stage.run(TABSTOP_SOCKET=str(own))[1] == b"resident"


def test_a_large_payload_is_handed_on(stage: Stage) -> None:
    """A whole conversation of twenty megabytes."""
    big = PAYLOAD + b" " * (20 * 1024 * 1024)
    with stage.governor():
        assert stage.run(payload=big) == (0, b'{"ok":1}')
    assert len(stage.heard[0][1]) == len(big)


def test_it_waits_as_it_is_told(stage: Stage) -> None:
    """Slowing down is waiting in the hook."""
    with stage.governor(HookAnswer("{}", wait=0.5)):
        begun = time.monotonic()
        stage.run()
        assert time.monotonic() - begun >= 0.5


def test_it_can_be_held_while_a_person_is_asked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than it would wait for a governor that says nothing, and longer than for one that is slow to say what it says."""
    monkeypatch.setattr(hook, "LONGEST_WAIT", 2.0)
    monkeypatch.setattr(hook, "ANSWER_SECONDS", 2.0)

    def held(_words: tuple[str, ...], _body: bytes) -> Iterator[bytes]:
        for _ in range(7):
            yield STILL_HERE
            time.sleep(0.4 if stage.here else 1.3)
        yield HookAnswer("{}").encode()

    with HookSocket(stage.socket, {"hook": held}, lambda _text: None):
        assert stage.run() == (0, b"{}")


def test_a_payload_without_end_is_not_swallowed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than any agent sends is a fault: nothing is said, and memory stays bounded."""
    if stage.here is not None:
        monkeypatch.setattr(hook, "LARGEST", 1000)
        assert stage.run(payload=b"x" * 2000) == (0, b"")
        assert "longer than 1000 bytes" in stage.log


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"TABSTOP_STATE": "/s", "RUNNER_TEMP": "/r"}, "/s/hooks"),
        ({"RUNNER_TEMP": "/r", "XDG_STATE_HOME": "/x"}, "/r/tabstop/hooks"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/tabstop/hooks"),
        ({"HOME": "/h"}, "/h/.local/state/tabstop/hooks"),
        ({"RUNNER_TEMP": "/r" * 50}, "/r" * 50 + "/tabstop/hooks"),
    ],
)
def test_it_finds_the_governors_folders(environ: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same places as the package, without importing it."""
    for name in ("TABSTOP_STATE", "RUNNER_TEMP", "XDG_STATE_HOME", "HOME", "TABSTOP_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert hook.state_folder() == folder == str(sessions_root(environ).parent / "hooks")
    assert hook.sockets() == ([], str(governor_socket(environ)))
    monkeypatch.setenv("TABSTOP_SOCKET", "/w")
    assert hook.sockets()[0] == ["/w"]

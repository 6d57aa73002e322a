"""Command lines: which begin a session, whose, whether somebody types, and how each agent is asked for one last answer."""

from __future__ import annotations

import pytest

from tabstop.agents.command_line import CommandLine, Invocation, command_line_of, has, value_of

NEW = "99999999-9999-4999-8999-999999999999"
OLD = "11111111-1111-4111-8111-111111111111"


def line(program: str) -> CommandLine:
    found = command_line_of(program)
    assert found is not None
    return found


def read(text: str, *, terminal: bool = True) -> Invocation | None:
    argv = text.split()
    return line(argv[0]).read(argv, new_session=NEW, terminal=terminal)


@pytest.mark.parametrize("program", ["claude", "/usr/local/bin/claude", "codex", "gemini", "codex.exe", "gemini.js"])
def test_agents_are_known_by_their_program(program: str) -> None:
    """Wherever it lies."""
    assert command_line_of(program) is not None


@pytest.mark.parametrize("program", ["sh", "python3", "claude-wrapper", ""])
def test_other_programs_are_not(program: str) -> None:
    """What nobody knows is not guessed at."""
    assert command_line_of(program) is None


@pytest.mark.parametrize(
    ("text", "session", "resumed", "headless"),
    [
        ("claude -p x", NEW, False, True),
        ("claude --print x", NEW, False, True),
        ("claude", NEW, False, False),
        (f"claude -p --session-id {OLD} x", OLD, False, True),
        (f"claude --resume {OLD}", OLD, True, False),
        (f"claude -r {OLD} -p x", OLD, True, True),
        (f"claude --resume={OLD} -p x", OLD, True, True),
        ("claude --resume my-work -p x", "", True, True),
        ("claude -c -p x", "", True, True),
        (f"claude --resume {OLD} --fork-session -p x", NEW, False, True),
        ("codex exec x", "", False, True),
        ("codex -m gpt-5.5 exec x", "", False, True),
        ("codex e x", "", False, True),
        (f"codex exec resume {OLD} x", OLD, True, True),
        (f"codex exec -c a=b resume {OLD} x", OLD, True, True),
        ("codex exec resume --last x", "", True, True),
        ("codex resume", "", True, False),
        (f"codex resume {OLD}", OLD, True, False),
        ("codex", "", False, False),
        ("codex -- resume x", "", False, False),
        ("gemini -p x", NEW, False, True),
        ("gemini", NEW, False, False),
        ("gemini --resume latest -p x", "", True, True),
        (f"gemini --session-id {OLD}", OLD, False, False),
    ],
)
def test_sessions(text: str, session: str, resumed: bool, headless: bool) -> None:
    """A session that begins is given its id where the agent takes one; one that goes on keeps its own."""
    found = read(text)
    assert found is not None
    assert (found.session, found.resumed, found.headless) == (session, resumed, headless)
    assert (NEW in found.argv) is (session == NEW)


@pytest.mark.parametrize(
    "text",
    [
        "claude mcp list",
        "claude update",
        "claude --version",
        "codex login",
        "codex mcp add x",
        "codex --help",
        "gemini mcp list",
        "gemini --version",
    ],
)
def test_what_begins_no_session(text: str) -> None:
    """It is only run."""
    assert read(text) is None
    assert line(text.split(maxsplit=1)[0]).harmless(text.split())


@pytest.mark.parametrize(
    "text",
    [
        *(f"claude {word} x" for word in ("agents", "attach", "auto-mode", "gateway", "respawn", "ultrareview")),
        *(f"codex {word}" for word in ("app-server", "mcp-server", "exec-server", "remote-control", "cloud", "proto")),
        "codex -c a=b app-server",
        "gemini gemma x",
    ],
)
def test_what_asks_a_model_without_a_session_of_its_own(text: str) -> None:
    """It is no session that can be read, and it is not let run unbounded either."""
    assert read(text) is None
    assert not line(text.split(maxsplit=1)[0]).harmless(text.split())


@pytest.mark.parametrize("program", ["claude", "codex", "gemini"])
def test_an_agent_without_options_is_not_harmless(program: str) -> None:
    """It begins a session."""
    assert not line(program).harmless([program])


def test_without_a_terminal_claude_and_gemini_do_not_wait_for_anybody() -> None:
    """As both document."""
    for text in ("claude x", "gemini"):
        found = read(text, terminal=False)
        assert found is not None
        assert found.headless


@pytest.mark.parametrize("text", ["claude -p --no-session-persistence x", "claude --bg x", "codex exec --ephemeral x"])
def test_what_nobody_could_see(text: str) -> None:
    """Said, with the option that is in the way."""
    found = read(text)
    assert found is not None
    assert next(word for word in text.split() if word.startswith("--")) in found.blind + found.leaves
    assert bool(found.leaves) == ("--bg" in text)


def test_hooks_for_one_run() -> None:
    """Claude Code takes settings on its command line, unless the user gave their own; the others take none."""
    assert line("claude").with_hooks(["claude", "-p", "x"], "{}") == ("claude", "--settings", "{}", "-p", "x")
    assert line("claude").with_hooks(["claude", "--settings=a", "x"], "{}") == ("claude", "--settings=a", "x")
    assert line("codex").with_hooks(["codex"], "{}") == ("codex",)
    assert line("gemini").with_hooks(["gemini"], "{}") == ("gemini",)


def test_one_last_answer() -> None:
    """The same model, one turn, and as much of its length for words as the agent can be told."""
    last = line("claude").last_answer(["claude", "--model", "haiku", "-p", "x"], OLD, "Sum up.", 2_000)
    assert last is not None
    assert last.argv == ("claude", "-p", "--resume", OLD, "--max-turns", "1", "--model", "haiku", "Sum up.")
    assert (last.environ["CLAUDE_CODE_MAX_OUTPUT_TOKENS"], last.environ["MAX_THINKING_TOKENS"]) == ("2000", "0")
    last = line("codex").last_answer(["codex", "exec", "-m", "gpt-5.5", "-c", "a=1", "x"], OLD, "Sum up.", 2_000)
    assert last is not None
    assert last.argv == (
        *("codex", "exec", "resume", "-m", "gpt-5.5", "-c", "a=1", "-c", 'model_reasoning_effort="low"'),
        *("-c", 'sandbox_mode="read-only"', "-c", 'approval_policy="never"'),
        *("--skip-git-repo-check", OLD, "Sum up."),
    )
    assert line("gemini").last_answer(["gemini"], OLD, "Sum up.", 2_000) is None


@pytest.mark.parametrize(
    ("program", "session", "command"),
    [
        ("claude", OLD, f"claude --resume {OLD}"),
        ("claude", "", "claude --continue"),
        ("codex", OLD, f"codex exec resume {OLD}"),
        ("codex", "", "codex exec resume --last"),
        ("gemini", OLD, f"gemini --resume {OLD}"),
        ("gemini", "", "gemini --resume latest"),
    ],
)
def test_how_to_resume(program: str, session: str, command: str) -> None:
    """What people type."""
    assert line(program).resume(session) == command


def test_options() -> None:
    """However they are written, up to a bare `--`."""
    argv = ["x", "--a", "1", "--b=2", "--", "--c", "3"]
    assert [value_of(argv, name) for name in ("--a", "--b", "--c", "--d")] == ["1", "2", "", ""]
    assert [has(argv, name) for name in ("--a", "--b", "--c")] == [True, True, False]
    assert value_of(["--a"], "--a") == ""
    assert value_of(["--a", "1"], "--b") == ""

"""`tabstop install`, `uninstall` and `governor`: what people read, and what is left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tabstop.agents.dialect import AGENTS
from tabstop.beside import governor_call, governor_process
from tabstop.cli.main import main
from tests.support.golden import expect


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean home, and a project one works in."""
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    project = tmp_path / "widget"
    (project / ".git").mkdir(parents=True)
    (project / "src").mkdir()
    monkeypatch.chdir(project / "src")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("agent", AGENTS)
def test_what_people_read(home: Path, agent: str) -> None:
    """What was done, how firmly it binds, how to undo it; the same again; and undone."""
    said = [run("install", agent), run("install", agent), run("uninstall", agent), run("uninstall", agent)]
    assert [done.exit_code for done in said] == [0, 0, 0, 0]
    expect(f"install/{agent}.txt", "\n".join(done.output.replace(str(home), "~") for done in said))


def test_a_project_has_its_own(home: Path) -> None:
    """From any folder of it; and a warning that the file names this machine."""
    settings = home / "widget" / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"disableAllHooks": true}', encoding="utf-8")
    said = [run("install", "claude-code", "--project").output]
    changed = json.loads(settings.read_bytes()) | {"model": "haiku"}
    settings.write_text(json.dumps(changed), encoding="utf-8")
    said.append(run("uninstall", "claude-code", "--project").output)
    expect("install/project.txt", "\n".join(said).replace(str(home), "~"))
    assert not (home / ".claude").exists()


def test_outside_a_repository_the_project_is_where_one_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing above is guessed at."""
    (home / "widget" / ".git").rmdir()
    run("install", "gemini", "--project")
    assert (home / "widget" / "src" / ".gemini" / "settings.json").exists()


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_a_file_that_cannot_be_changed(home: Path, command: str) -> None:
    """The reason, and exit code 1."""
    (home / ".gemini").mkdir()
    (home / ".gemini" / "settings.json").write_text('{"a": 1, // mine\n}', encoding="utf-8")
    done = run(command, "gemini")
    assert done.exit_code == 1
    expect("install/comments.txt", done.output.replace(str(home), "~"))


@pytest.mark.parametrize("running", [True, False])
def test_the_governor_by_hand(monkeypatch: pytest.MonkeyPatch, running: bool) -> None:
    """It says when it runs already; else it runs here, with its own exit code."""
    monkeypatch.setattr(governor_call, "is_running", lambda _environ: running)
    monkeypatch.setattr(governor_process, "main", lambda: 75)
    done = run("governor")
    assert done.exit_code == (0 if running else 75)
    assert ("runs already" in done.output) is running


def test_the_status_line(home: Path) -> None:
    """Put in when asked for, kept when hooks are put in again, and taken out with them."""
    settings = home / ".claude" / "settings.json"
    first = run("install", "claude-code", "--statusline").output
    again = run("install", "claude-code", "--statusline").output
    entry = json.loads(settings.read_bytes())["statusLine"]
    assert entry["type"] == "command"
    assert entry["command"].endswith("tabstop/beside/status_start.py")
    run("install", "claude-code")
    assert json.loads(settings.read_bytes())["statusLine"] == entry
    out = run("uninstall", "claude-code").output
    expect("install/statusline.txt", f"{first}\n{again}\n{out}".replace(str(home), "~"))
    assert not settings.exists()


@pytest.mark.parametrize("entry", [{"type": "command", "command": "~/.claude/mine.sh"}, "odd", None])
def test_a_status_line_of_ones_own_is_left(home: Path, entry: object) -> None:
    """And the one who asked is told."""
    settings = home / ".claude" / "settings.json"
    settings.parent.mkdir()
    before = json.dumps({"statusLine": entry})
    settings.write_text(before, encoding="utf-8")
    assert "There is a status line of your own; it was left." in run("install", "claude-code", "--statusline").output
    assert json.loads(settings.read_bytes())["statusLine"] == entry
    run("uninstall", "claude-code")
    assert settings.read_text(encoding="utf-8") == before


def test_other_agents_have_no_status_line(home: Path) -> None:
    """Said, and the hooks are put in."""
    done = run("install", "codex", "--statusline")
    assert done.exit_code == 0
    assert "Only Claude Code has a status line." in done.output

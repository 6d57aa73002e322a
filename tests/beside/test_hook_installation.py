"""Installing hooks: merged, reversible byte by byte, doing it again changes nothing, and nothing of others is ever lost."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.agents.dialect import AGENTS, dialect_of
from tabstop.beside.hook_installation import (
    BACKUP,
    NotInstalledError,
    Place,
    install,
    is_installed,
    place_of,
    uninstall,
)

OTHERS = """\
{
    "model": "opus", "permissions": {"allow": ["Bash(ls:*)"]},
    "hooks": {
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "lint.sh", "timeout": 5}]},
            {"matcher": "", "hooks": []}
        ],
        "Notification": []
    },
    "unknown": {"naïve": [1, 2.50, null]}
}"""


def environ(home: Path) -> dict[str, str]:
    return {"HOME": str(home)}


def ours(path: Path) -> dict[str, list[dict[str, Any]]]:
    found = json.loads(path.read_bytes())["hooks"]
    return {
        event: [one for group in groups for one in group["hooks"] if "tabstop" in one["command"]]
        for event, groups in found.items()
    }


@pytest.mark.parametrize("agent", AGENTS)
def test_hooks_are_put_in_and_run(agent: str, tmp_path: Path) -> None:
    """Every event its dialect needs, with a command that works as it stands, in the unit of time the agent counts in."""
    place = place_of(agent, environ(tmp_path), None)
    done = install(place, environ(tmp_path))
    assert done.changed
    found = ours(place.path)
    assert tuple(found) == done.events == tuple(dialect_of(agent).events)
    (entry,) = found["SessionStart"]
    seconds = dialect_of(agent).events["SessionStart"]
    assert entry["timeout"] == (seconds * 1000 if agent == "gemini" else seconds)
    (tmp_path / ".local" / "share" / "tabstop" / "governor.command").unlink()
    run = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    said = subprocess.run(["sh", "-c", entry["command"]], input=b"{}", capture_output=True, env=run, check=True)
    assert b"governor does not answer" in said.stdout
    assert uninstall(place).removed
    assert not place.path.exists()


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("other", ["", "notes.md"])
def test_no_empty_folder_stays_in_a_project(agent: str, other: str, tmp_path: Path) -> None:
    """The one install made goes with its file; one that holds something else, and the user's own, stay."""
    project = tmp_path / "widget"
    for root in (project, None):
        place = place_of(agent, environ(tmp_path), root)
        install(place, environ(tmp_path))
        if other:
            (place.path.parent / other).write_text("mine", encoding="utf-8")
        assert uninstall(place).removed
        assert place.path.parent.exists() == bool(other or root is None)


@pytest.mark.parametrize("text", [OTHERS, "{}", "", "{}\n", '{"hooks": {}}', '{\n\t"hooks": {"Stop": []}\n}\n'])
def test_taking_them_out_gives_the_file_back(text: str, tmp_path: Path) -> None:
    """Byte by byte, with its rights; and putting them in twice is putting them in once."""
    place = place_of("claude-code", environ(tmp_path), None)
    place.path.parent.mkdir()
    place.path.write_text(text, encoding="utf-8")
    place.path.chmod(0o640)
    first = install(place, environ(tmp_path))
    assert first.backup is not None
    assert first.backup.read_text(encoding="utf-8") == text
    installed = place.path.read_bytes()
    again = install(place, environ(tmp_path))
    assert not again.changed
    assert place.path.read_bytes() == installed
    if text == OTHERS:
        merged = json.loads(installed)
        before = json.loads(text)
        assert list(merged) == list(before)
        assert merged["unknown"] == before["unknown"]
        assert merged["hooks"]["PreToolUse"][:2] == before["hooks"]["PreToolUse"]
        assert "naïve" in installed.decode()
        assert b'\n    "model"' in installed
    assert uninstall(place).changed
    assert place.path.read_text(encoding="utf-8") == text
    assert place.path.stat().st_mode & 0o777 == 0o640
    assert not first.backup.exists()
    assert not uninstall(place).changed


def test_what_was_changed_since_is_kept(tmp_path: Path) -> None:
    """Other settings added meanwhile stay; hooks of others in our group stay; the copy from before stays too."""
    place = place_of("claude-code", environ(tmp_path), None)
    place.path.parent.mkdir()
    place.path.write_text(OTHERS, encoding="utf-8")
    install(place, environ(tmp_path))
    changed = json.loads(place.path.read_bytes())
    changed["model"] = "haiku"
    changed["hooks"]["Stop"][0]["hooks"].append({"type": "command", "command": "bell"})
    changed["hooks"]["PreToolUse"].append("odd")
    changed["hooks"]["PreToolUse"].append({"hooks": "odd"})
    place.path.write_text(json.dumps(changed), encoding="utf-8")
    moved = install(place, environ(tmp_path))
    assert moved.backup == place.path.with_name("settings.json" + BACKUP)
    done = uninstall(place)
    assert done.backup is not None
    left = json.loads(place.path.read_bytes())
    assert left["model"] == "haiku"
    assert left["hooks"]["Stop"] == [{"hooks": [{"type": "command", "command": "bell"}]}]
    assert left["hooks"]["PreToolUse"][2:] == ["odd", {"hooks": "odd"}]
    assert "tabstop" not in place.path.read_text(encoding="utf-8")


def test_a_file_made_by_us_and_used_by_others_stays(tmp_path: Path) -> None:
    """Only what held nothing else is removed."""
    place = place_of("codex", environ(tmp_path), None)
    install(place, environ(tmp_path))
    changed = json.loads(place.path.read_bytes()) | {"other": 1}
    place.path.write_text(json.dumps(changed), encoding="utf-8")
    done = uninstall(place)
    assert (done.removed, done.backup) == (False, None)
    assert json.loads(place.path.read_bytes()) == {"other": 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not plain JSON"),
        ('{"a": 1, // comment\n"b": 2}', "Comments and trailing commas would be lost"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": 1, "b": 2, "a": 3}', 'the key "a" stands there twice'),
        ("[]", "holds no JSON object"),
        ('{"hooks": []}', "not in the form"),
        ('{"hooks": {"Stop": {}}}', "not in the form"),
        ("[" * 100_000, "nests too deeply"),
        ("\ufeff{}", "not plain JSON"),
    ],
)
def test_what_is_not_understood_is_not_touched(text: str, why: str, tmp_path: Path) -> None:
    """The message says why and that nothing was changed."""
    place = place_of("gemini", environ(tmp_path), None)
    place.path.parent.mkdir()
    place.path.write_text(text, encoding="utf-8")
    with pytest.raises(NotInstalledError, match=f"(?s){why}.*Nothing was changed|{why}.*nothing was changed"):
        install(place, environ(tmp_path))
    with pytest.raises(NotInstalledError):
        uninstall(place)
    assert place.path.read_text(encoding="utf-8") == text
    assert [one.name for one in place.path.parent.iterdir()] == ["settings.json"]


def test_a_linked_settings_file_stays_a_link(tmp_path: Path) -> None:
    """People keep settings in a repository of their own; what the link leads to is changed."""
    place = place_of("claude-code", environ(tmp_path), None)
    place.path.parent.mkdir()
    real = tmp_path / "dotfiles" / "claude.json"
    real.parent.mkdir()
    real.write_text(OTHERS, encoding="utf-8")
    place.path.symlink_to(real)
    install(place, environ(tmp_path))
    assert place.path.is_symlink()
    assert "tabstop" in real.read_text(encoding="utf-8")
    uninstall(place)
    assert place.path.is_symlink()
    assert real.read_text(encoding="utf-8") == OTHERS
    real.unlink()
    with pytest.raises(NotInstalledError, match="does not exist"):
        install(place, environ(tmp_path))


def test_places_that_cannot_be_used_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in place of the file; a file in place of the folder; a disk that says no half-way leaves the old file."""
    place = place_of("claude-code", environ(tmp_path), None)
    place.path.mkdir(parents=True)
    with pytest.raises(NotInstalledError, match="no plain file"):
        install(place, environ(tmp_path))
    blocked = tmp_path / "blocked"
    blocked.touch()
    with pytest.raises(NotInstalledError, match="cannot be"):
        install(Place("codex", blocked / "hooks.json"), environ(tmp_path))
    with pytest.raises(NotInstalledError, match="cannot be written"):
        install(place_of("codex", environ(tmp_path), None), {"HOME": str(blocked)})
    codex = place_of("codex", environ(tmp_path), None)
    install(codex, environ(tmp_path))
    kept = codex.path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        codex.path.write_bytes(kept[:-2] + b',"a": 1}')
        with pytest.raises(NotInstalledError, match="No space left"):
            uninstall(codex)
    assert [one.name for one in codex.path.parent.iterdir()] == ["hooks.json"]

    def denied(_path: Path) -> None:
        raise OSError(13, "Permission denied")

    codex.path.write_bytes(kept)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", denied)
        with pytest.raises(NotInstalledError, match="cannot be changed"):
            uninstall(codex)


@pytest.mark.parametrize(
    ("agent", "given", "project", "path"),
    [
        ("claude-code", {"HOME": "/h"}, None, "/h/.claude/settings.json"),
        ("claude-code", {"HOME": "/h", "CLAUDE_CONFIG_DIR": "/c"}, None, "/c/settings.json"),
        ("claude-code", {"CLAUDE_CONFIG_DIR": "/c"}, "/p", "/p/.claude/settings.json"),
        ("codex", {"HOME": "/h"}, None, "/h/.codex/hooks.json"),
        ("codex", {"CODEX_HOME": "/c"}, None, "/c/hooks.json"),
        ("codex", {}, "/p", "/p/.codex/hooks.json"),
        ("gemini", {"HOME": "/h"}, None, "/h/.gemini/settings.json"),
        ("gemini", {}, "/p", "/p/.gemini/settings.json"),
    ],
)
def test_where_each_agent_reads_its_hooks(agent: str, given: dict[str, str], project: str | None, path: str) -> None:
    """As their own documentation says, with the variables that move them."""
    assert place_of(agent, given, Path(project) if project else None).path == Path(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
ENTRIES = st.lists(st.fixed_dictionaries({"type": st.just("command"), "command": st.text()}, optional={"timeout": st.integers()}), max_size=2)  # fmt: skip
HOOKS = st.dictionaries(
    st.sampled_from(["PreToolUse", "Stop", "Mine"]), st.lists(st.fixed_dictionaries({"hooks": ENTRIES}), max_size=2)
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text().filter(lambda name: name != "hooks"), JSON, max_size=4), st.none() | HOOKS, st.booleans()
)
def test_in_and_out_is_nothing(
    tmp_path_factory: pytest.TempPathFactory, others: dict[str, Any], hooks: Any, ascii_only: bool
) -> None:
    """For any settings: what is there stays, and taking the hooks out gives the same bytes."""
    home = tmp_path_factory.mktemp("home")
    told = others if hooks is None else {**others, "hooks": hooks}
    text = json.dumps(told, ensure_ascii=ascii_only).encode("utf-8", "replace")
    place = place_of("claude-code", environ(home), None)
    place.path.parent.mkdir()
    place.path.write_bytes(text)
    install(place, environ(home))
    merged = json.loads(place.path.read_bytes())
    assert {name: value for name, value in merged.items() if name != "hooks"} == json.loads(text).__class__(
        (name, value) for name, value in json.loads(text).items() if name != "hooks"
    )
    for event, groups in (hooks or {}).items():
        assert merged["hooks"][event][: len(groups)] == groups
    uninstall(place)
    assert place.path.read_bytes() == text


def test_whether_they_are_in(tmp_path: Path) -> None:
    """Ours, and what they run is there; an entry alone binds nobody."""
    place = place_of("claude-code", environ(tmp_path), None)
    assert not is_installed(place)
    place.path.parent.mkdir()
    place.path.write_text('{"hooks": {"Stop": [1, {"hooks": 2}, {"hooks": [{"command": "true"}]}]}}', encoding="utf-8")
    assert not is_installed(place)
    install(place, environ(tmp_path), ["/usr/bin/python3", "-I", "-S", "/action/governor_start.py"])
    assert is_installed(place)
    folder = tmp_path / ".local" / "share" / "tabstop"
    assert (folder / "governor.command").read_text() == "/usr/bin/python3\n-I\n-S\n/action/governor_start.py\n"
    (folder / "hook.py").unlink()
    assert not is_installed(place)

"""Installing hooks: our entries merged into an agent's settings, everything else left as it stands, and taken out again.

A settings file is changed only as a whole, by replacing it; before the first change a copy is kept beside it. What we do not
understand we do not touch: a file that is not plain JSON, or holds a key twice, is left alone with an explanation.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabstop.agents.dialect import dialect_of
from tabstop.beside import hook as hook_file
from tabstop.beside.governor_call import governor_command
from tabstop.beside.session_folder import write_privately
from tabstop.beside.standing_orders import put_unheard

BACKUP = ".before-tabstop"

_OURS = re.compile(r"tabstop/hook\.py['\"]? (?:claude-code|codex|gemini) \w+\s*$")
_OUR_STATUS_LINE = re.compile(r"tabstop/beside/status_start\.py['\"]?\s*$|\btabstop statusline\s*$")
_MILLISECONDS = frozenset({"gemini"})
"""Agents that count a hook's time in milliseconds; the others count seconds."""


class NotInstalledError(Exception):
    """Nothing was changed; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an agent reads its hooks: the user's settings, or those of one project."""

    agent: str
    path: Path
    of_project: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done. changed: False when the file was already so. backup: where the file as it was before lies.

    status_line: whether ours is in.
    """

    path: Path
    changed: bool
    events: tuple[str, ...] = ()
    backup: Path | None = None
    removed: bool = False
    warnings: tuple[str, ...] = ()
    status_line: bool = False


def place_of(agent: str, environ: Mapping[str, str], project: Path | None) -> Place:
    """The agent's settings file. project: its root; None for the user's own settings."""
    home = Path(environ.get("HOME") or "/")
    if agent == "claude-code":
        folder = project / ".claude" if project else Path(environ.get("CLAUDE_CONFIG_DIR") or home / ".claude")
        return Place(agent, folder / "settings.json", project is not None)
    if agent == "codex":
        folder = project / ".codex" if project else Path(environ.get("CODEX_HOME") or home / ".codex")
        return Place(agent, folder / "hooks.json", project is not None)
    return Place(agent, (project or home) / ".gemini" / "settings.json", project is not None)


def install(
    place: Place, environ: Mapping[str, str], governor: Sequence[str] | None = None, *, status_line: bool = False
) -> Outcome:
    """Put our hooks in. Doing it again changes nothing. Raises `NotInstalledError`.

    governor: how hooks start it; None for this Python with its packages. status_line: put our status line in too, unless there is
    one of somebody else's; one that is in stays.
    """
    command = _put_hook_there(environ, governor or governor_command())
    path, text, settings = _read(place.path)
    wanted = _without(settings)
    hooks = wanted.setdefault("hooks", {})
    dialect = dialect_of(place.agent)
    for event, seconds in dialect.events.items():
        timeout = seconds * 1000 if place.agent in _MILLISECONDS else seconds
        entry = {"type": "command", "command": f"{command} {place.agent} {event}", "timeout": timeout}
        hooks.setdefault(event, []).append({"hooks": [entry]})
    if place.agent == "claude-code" and (status_line or "statusLine" in settings):
        wanted.setdefault("statusLine", {"type": "command", "command": status_line_command()})
    ours = _is_our_status_line(wanted.get("statusLine"))
    warnings = _warnings(place.agent, settings, no_status_line=status_line and not ours)
    if wanted == settings:
        return Outcome(place.path, changed=False, events=tuple(dialect.events), warnings=warnings, status_line=ours)
    backup = _backup(path, text) if text is not None and _without(settings) == settings else _kept_backup(path)
    _replace(path, _written(wanted, text))
    return Outcome(place.path, True, tuple(dialect.events), backup, warnings=warnings, status_line=ours)


def status_line_command(python: str = sys.executable) -> str:
    """What Claude Code runs for its status line: this Python, and the packages it has."""
    return f"{shlex.quote(python)} -I {shlex.quote(str(Path(hook_file.__file__).with_name('status_start.py')))}"


def uninstall(place: Place) -> Outcome:
    """Take our hooks out. A file that says nothing else than before we came is put back byte by byte. Raises `NotInstalledError`.

    A file that held nothing else goes, and in a project its folder too where that is then empty.
    """
    path, text, settings = _read(place.path)
    wanted = _without(settings)
    if text is None or wanted == settings:
        return Outcome(place.path, changed=False)
    backup = path.with_name(path.name + BACKUP)
    before = _bytes_of(backup)
    try:
        if before is not None and _said(_parsed(before, backup)) == _said(wanted):
            _replace(path, before)
            backup.unlink()
        elif before is None and not wanted:
            path.unlink()
            if place.of_project:  # an agent's own home stays: Codex does not start where `CODEX_HOME` is missing
                with suppress(OSError):  # it holds something else
                    place.path.parent.rmdir()
            return Outcome(place.path, True, removed=True)
        else:
            _replace(path, _written(wanted, text))
            return Outcome(place.path, True, backup=backup if before is not None else None)
    except OSError as error:
        raise NotInstalledError(f"{path} cannot be changed ({error.strerror}). Nothing was changed.") from error
    return Outcome(place.path, True)


def is_installed(place: Place) -> bool:
    """Whether hooks of ours are in, and what they run is there. Raises `NotInstalledError` for a file we cannot read."""
    _, _, settings = _read(place.path)
    groups = [group for one in settings.get("hooks", {}).values() for group in one if isinstance(group, dict)]
    entries = [entry for group in groups if isinstance(group.get("hooks"), list) for entry in group["hooks"]]
    hooks = [shlex.split(entry["command"])[-3] for entry in entries if _is_ours(entry)]
    return bool(hooks) and all(Path(one).is_file() for one in hooks)


def data_folder(environ: Mapping[str, str]) -> Path:
    """Where the hook lies, whatever becomes of the environment it was installed from (XDG Base Directory)."""
    data = environ.get("XDG_DATA_HOME") or Path(environ.get("HOME") or "/") / ".local" / "share"
    return Path(data) / "tabstop"


def _put_hook_there(environ: Mapping[str, str], governor: Sequence[str]) -> str:
    """Copy the hook and how to start the governor; the hook's command up to its agent.

    The hook runs on the interpreter behind a virtual environment, which outlives it; the governor needs the environment.
    """
    folder = data_folder(environ)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_privately(folder / "hook.py", Path(hook_file.__file__).read_bytes())
        write_privately(folder / "governor.command", "".join(f"{one}\n" for one in governor).encode())
        put_unheard(folder / "unheard")
    except OSError as error:
        raise NotInstalledError(f"{folder} cannot be written ({error.strerror}). Nothing was changed.") from error
    python = getattr(sys, "_base_executable", "") or sys.executable
    return f"{shlex.quote(python)} -I -S {shlex.quote(str(folder / 'hook.py'))}"


def _read(path: Path) -> tuple[Path, bytes | None, dict[str, Any]]:
    """The file itself (behind any links), its bytes, None where there is none, and what it says."""
    real = Path(os.path.realpath(path))
    if path.is_symlink() and not real.exists():
        raise NotInstalledError(f"{path} is a link to {real}, which does not exist. Nothing was changed.")
    text = _bytes_of(real)
    return real, text, _parsed(text or b"", path)


def _bytes_of(path: Path) -> bytes | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise NotInstalledError(f"{path} is no plain file. Nothing was changed.")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NotInstalledError(f"{path} cannot be read ({error.strerror}). Nothing was changed.") from error


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    """An empty file says nothing. Raises `NotInstalledError` for what could not be written again without losing something."""
    if not text.strip():
        return {}
    try:
        settings = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except RecursionError as error:
        raise NotInstalledError(f"{path} nests too deeply. Nothing was changed.") from error
    except ValueError as error:
        raise NotInstalledError(
            f"{path} is not plain JSON: {error}. Comments and trailing commas would be lost, so nothing was changed. "
            "Correct the file and run this again."
        ) from error
    if not isinstance(settings, dict):
        raise NotInstalledError(f"{path} holds no JSON object. Nothing was changed.")
    hooks = settings.get("hooks", {})
    if not isinstance(hooks, dict) or not all(isinstance(groups, list) for groups in hooks.values()):
        raise NotInstalledError(f"`hooks` in {path} is not in the form its agent documents. Nothing was changed.")
    return settings


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, _ in pairs if [key for key, _ in pairs].count(name) > 1)
        raise ValueError(f"the key {json.dumps(twice)} stands there twice")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _without(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without our hooks and our status line: groups and events that held nothing else go too."""
    if _is_our_status_line(settings.get("statusLine")):
        settings = {name: value for name, value in settings.items() if name != "statusLine"}
    if "hooks" not in settings:
        return dict(settings)
    hooks: dict[str, Any] = {}
    for event, groups in settings["hooks"].items():
        kept = [one for group in groups if (one := _group_without(group)) is not None]
        if kept or not groups:
            hooks[event] = kept
    if not hooks and settings["hooks"]:
        return {name: value for name, value in settings.items() if name != "hooks"}
    return {**settings, "hooks": hooks}


def _said(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without empty lists of hooks, which say nothing."""
    hooks = {event: groups for event, groups in settings.get("hooks", {}).items() if groups}
    others = {name: value for name, value in settings.items() if name != "hooks"}
    return {**others, "hooks": hooks} if hooks else others


def _group_without(group: Any) -> Any:
    entries = group.get("hooks") if isinstance(group, dict) else None
    if not isinstance(entries, list):
        return group
    kept = [one for one in entries if not _is_ours(one)]
    if len(kept) == len(entries):
        return group
    return {**group, "hooks": kept} if kept else None


def _is_ours(entry: Any) -> bool:
    return isinstance(entry, dict) and _OURS.search(str(entry.get("command", ""))) is not None


def _is_our_status_line(entry: Any) -> bool:
    return isinstance(entry, dict) and _OUR_STATUS_LINE.search(str(entry.get("command", ""))) is not None


def _written(settings: Mapping[str, Any], like: bytes | None) -> bytes:
    """As JSON, indented as the file was."""
    found = re.search(rb"\n([ \t]+)\S", like or b"")
    indent: int | str = found[1].decode() if found else 2
    text = json.dumps(settings, indent=indent, ensure_ascii=False) + (
        "\n" if like is None or like.endswith(b"\n") else ""
    )
    return text.encode("utf-8", "surrogatepass")


def _backup(path: Path, text: bytes) -> Path:
    backup = path.with_name(path.name + BACKUP)
    _replace(backup, text, like=path)
    return backup


def _kept_backup(path: Path) -> Path | None:
    backup = path.with_name(path.name + BACKUP)
    return backup if backup.exists() else None


def _replace(path: Path, content: bytes, like: Path | None = None) -> None:
    """In one step, with the rights of what was there. Raises `NotInstalledError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            model = like or path
            if model.exists():
                shutil.copymode(model, draft)
            Path(draft).replace(path)
        except OSError:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise NotInstalledError(f"{path} cannot be written ({error.strerror}). Nothing was changed.") from error


def _warnings(agent: str, settings: Mapping[str, Any], *, no_status_line: bool) -> tuple[str, ...]:
    found = []
    if agent == "claude-code" and settings.get("disableAllHooks") is True:
        found.append(
            "`disableAllHooks` is true in this file: Claude Code runs no hook, ours neither, until it is removed."
        )
    if no_status_line:
        found.append(
            "There is a status line of your own; it was left. To have ours, remove `statusLine` and run this again."
            if agent == "claude-code"
            else "Only Claude Code has a status line."
        )
    return tuple(found)

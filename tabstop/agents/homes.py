"""Homes: the folders in which the agents keep their logs on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Homes:
    """Where each agent keeps its logs. A folder may not exist; one that is named twice is there once.

    claude_code: configuration folders, each with `projects/`. codex: CODEX_HOME, with `sessions/` and `archived_sessions/`.
    gemini: `.gemini`, with `tmp/`. opencode: its data folder, with `opencode.db`.
    """

    claude_code: tuple[Path, ...] = ()
    codex: tuple[Path, ...] = ()
    gemini: tuple[Path, ...] = ()
    opencode: tuple[Path, ...] = ()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Homes:
        """By each agent's own variables.

        CLAUDE_CONFIG_DIR and CODEX_HOME may name several folders with commas between them (the clients take one; people who keep two
        accounts list both, as they do for ccusage). Without CLAUDE_CONFIG_DIR both of the client's usual places count.
        GEMINI_CLI_HOME stands for the home folder that holds `.gemini`. Without HOME, only what a variable names is known.
        """
        home = _folder(environ.get("HOME", ""), None)
        config = _folder(environ.get("XDG_CONFIG_HOME", ""), home) or (home / ".config" if home else None)
        data = _folder(environ.get("XDG_DATA_HOME", ""), home) or (home / ".local/share" if home else None)
        gemini = _folder(environ.get("GEMINI_CLI_HOME", ""), home) or home
        return cls(
            claude_code=_named(environ.get("CLAUDE_CONFIG_DIR", ""), home)
            or _known(home and home / ".claude", config and config / "claude"),
            codex=_named(environ.get("CODEX_HOME", ""), home) or _known(home and home / ".codex"),
            gemini=_known(gemini and gemini / ".gemini"),
            opencode=_known(data and data / "opencode"),
        )


def _named(value: str, home: Path | None) -> tuple[Path, ...]:
    return _known(*(_folder(one, home) for one in value.split(",")))


def _folder(value: str, home: Path | None) -> Path | None:
    """A folder as a variable names it; None for one that is not absolute, which would depend on where we were started."""
    named = value.strip()
    if home is not None and (named == "~" or named.startswith("~/")):
        return home / named[2:]
    return Path(named) if named.startswith("/") else None


def _known(*folders: Path | None) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(one for one in folders if one is not None))

"""Finding the transcript of a session that runs: by its id, or as the one that grows in its folder's project."""

from __future__ import annotations

import re
from pathlib import Path

from tabstop.agents.claude_code.following import SessionFollower
from tabstop.agents.dialect import Read
from tabstop.agents.growing_file import sizes_of

_LONGEST_NAME = 200
"""Characters of a project folder's name that are the path; behind them the client puts a hash."""


class TranscriptLog:
    """See `tabstop.agents.command_line.AgentLog`."""

    def __init__(self, config: Path, cwd: str, session: str, key: bytes) -> None:
        """config: CLAUDE_CONFIG_DIR. With an empty session, what is there now is not the one that is looked for."""
        self.session = session
        self._projects = config / "projects"
        self._folder = re.sub(r"[^A-Za-z0-9]", "-", cwd)
        self._key = key
        self._before = {} if session else self._sizes()
        self._follower: SessionFollower | None = None

    @property
    def found(self) -> bool:
        """See `AgentLog.found`."""
        return self._follower is not None

    def read(self) -> list[Read]:
        """See `AgentLog.read`."""
        if self._follower is None:
            path = self._find()
            if path is None:
                return []
            self.session = path.stem
            self._follower = SessionFollower(path, self._key)
        return self._follower.read()

    def _find(self) -> Path | None:
        if self.session:
            return next(iter(sorted(self._projects.glob(f"*/{self.session}.jsonl"))), None)
        grown = (path for path, size in self._sizes().items() if size != self._before.get(path))
        return next(grown, None)

    def _sizes(self) -> dict[Path, int]:
        """Of every transcript of this working directory."""
        name = self._folder
        pattern = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}*"
        return sizes_of(self._projects.glob(f"{pattern}/*.jsonl"))

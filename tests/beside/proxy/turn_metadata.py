"""Codex's header that tells of a turn: which session and thread, and where it works."""

from __future__ import annotations

import json

SHA = "5f9d8c7" + "0" * 33


def codex(**told: object) -> str:
    """Of session `s`, thread `t`."""
    return json.dumps({"session_id": "s", "thread_id": "t", **told})

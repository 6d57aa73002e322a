"""GitHub's own example webhook payloads (npm `@octokit/webhooks-examples`), read from where `scripts/emulators` installed them."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

from tests.support.emulator import INSTALLED

_INDEX = INSTALLED / "node_modules" / "@octokit" / "webhooks-examples" / "api.github.com" / "index.json"


class PayloadsUnavailableError(Exception):
    """The package is not installed; the text says what to run."""


def octokit_events() -> list[str]:
    """The names of all events with examples (`pull_request`, `check_run`, …)."""
    return sorted(_all())


def octokit_examples(event: str) -> list[dict[str, Any]]:
    """Every example payload of an event, the caller's own copies. Raises `PayloadsUnavailableError`, or KeyError for an event without examples."""
    return copy.deepcopy(_all()[event])


@cache
def _all() -> dict[str, list[dict[str, Any]]]:
    if not _INDEX.exists():
        raise PayloadsUnavailableError(
            "GitHub's example payloads are not installed. Run `scripts/emulators` (make test does)."
        )
    return {entry["name"]: entry["examples"] for entry in json.loads(_INDEX.read_text())}

"""By: what makes one row of a report."""

from __future__ import annotations

from enum import StrEnum


class By(StrEnum):
    """What makes one row."""

    PR = "pr"
    BRANCH = "branch"
    REPO = "repo"
    MODEL = "model"
    AGENT = "agent"
    DAY = "day"

"""A town for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.jobs.town import Town, a_town


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """Acme, with the App installed, before anything happened."""
    return a_town(tmp_path)

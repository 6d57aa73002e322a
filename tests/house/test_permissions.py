"""The README's permission table is the one `/setup` and `doctor` use."""

from __future__ import annotations

from pathlib import Path

from app.github_api.manifest import PERMISSIONS

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readme_lists_exactly_the_permissions_the_app_asks_for() -> None:
    """Whoever installs the App reads what it will ask for, and why, before they meet the button."""
    begin, end = "<!-- permissions:begin -->\n", "<!-- permissions:end -->"
    shown = README.read_text(encoding="utf-8").split(begin)[1].split(end)[0]
    rows = [f"| {one.title} | {one.access} | {one.why} |" for one in PERMISSIONS]
    assert shown.splitlines() == ["| permission | access | why |", "| --- | --- | --- |", *rows]

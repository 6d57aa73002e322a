"""Pages about running Tabstop hold what the code says: settings, permissions, events. `UPDATE_GOLDEN=1` writes them anew."""

from __future__ import annotations

from dataclasses import fields

import click
import pytest

from app.cli.main import operator
from app.github_api.manifest import event_table, permission_table
from app.settings import Settings
from tests.house.source import ROOT
from tests.support.golden import expect_file


def settings_table() -> str:
    """Every setting with its default and what it is for."""
    rows = []
    for setting in fields(Settings):
        name, default, doc = (setting.metadata[key] for key in ("name", "default", "doc"))
        shown = "**required**" if default is None else f"`{default}`" if default else ""
        rows.append(f"| `{name}` | {shown} | {doc} |")
    return "\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *rows]) + "\n"


@pytest.mark.parametrize(
    ("page", "part", "text"),
    [
        ("docs/configuration.md", "settings", settings_table()),
        ("README.md", "permissions", permission_table()),
        ("docs/operating.md", "permissions", permission_table()),
        ("docs/operating.md", "events", event_table()),
    ],
)
def test_generated_parts_are_in_step(page: str, part: str, text: str) -> None:
    """What stands between the marks is generated; the rest of the page is written by people."""
    path = ROOT / page
    before, begin, rest = path.read_text(encoding="utf-8").partition(f"<!-- {part}:begin -->\n")
    _, end, after = rest.partition(f"<!-- {part}:end -->\n")
    assert begin, f"{page} has no mark for {part}"
    assert end, f"{page} has no mark for the end of {part}"
    expect_file(path, f"{before}{begin}{text}{end}{after}")


def commands(group: click.Group, prefix: str = "") -> set[str]:
    """Every command as it is typed, without options."""
    context = click.Context(group)
    found = set()
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        found |= commands(command, f"{prefix}{name} ") if isinstance(command, click.Group) else {f"{prefix}{name}"}
    return found


def test_every_command_is_in_the_operators_page() -> None:
    """Somebody who runs the server finds each command where it is explained."""
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    assert [name for name in sorted(commands(operator)) if f"`{name}" not in text and f"cli {name}" not in text] == []

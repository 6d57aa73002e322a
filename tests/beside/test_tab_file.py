"""The tab file knows a branch's tab by every name its repository is known by."""

from __future__ import annotations

from pathlib import Path

from tabstop.beside.tab_file import keep_tabs, read_tab
from tabstop.report.facts import Facts
from tabstop.report.placing import place
from tabstop.report.tally import Plans
from tests.report.groups import group


def test_a_clone_with_a_former_name_has_its_tab(tmp_path: Path) -> None:
    """As one with the name of now has; what was renamed and never worked in has none."""
    path = tmp_path / "tabs.json"
    placed = place([group(repository="acme/gadget", branch="fix/a")], {}, Facts())
    keep_tabs(path, placed, Plans(), {"acme/widget": "acme/Gadget", "acme/x": "acme/y"})
    tab = read_tab(path, "acme/gadget", "fix/a")
    assert tab is not None
    assert read_tab(path, "Acme/Widget", "fix/a") == tab
    assert read_tab(path, "acme/x", "fix/a") is None

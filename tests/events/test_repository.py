"""Repositories that are renamed, given away or deleted: their clones' old names, and what was spent in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.jobs.town import INSTALLATION, WIDGET, Town, repository_body


def told(town: Town, action: str, name: str = WIDGET.full_name, **changes: Any) -> None:
    """GitHub tells of it."""
    body = {"action": action, "repository": repository_body(replace(WIDGET, full_name=name)), "changes": changes}
    town.deliver("repository", body)
    town.settle()


@pytest.mark.parametrize(
    ("action", "changes", "old"),
    [
        ("renamed", {"repository": {"name": {"from": "Gizmo"}}}, "acme/gizmo"),
        ("transferred", {"owner": {"from": {"organization": {"login": "Oldcorp"}}}}, "oldcorp/widget"),
        ("transferred", {"owner": {"from": {"user": {"login": "bob"}}}}, "bob/widget"),
    ],
)
def test_a_name_from_before_we_knew_it(town: Town, action: str, changes: dict[str, Any], old: str) -> None:
    """The event tells it, though the books never had it; told again, it is kept once."""
    town.opened()
    told(town, action, **changes)
    told(town, action, **changes)
    with town.books() as db:
        found = db.repository_by_name(old)
        assert found == town.repository()
        assert db.former_names(found.id) == [old]


def test_a_rename_is_noticed_by_any_event(town: Town) -> None:
    """GitHub is asked, and the old name stays known."""
    town.opened()
    renamed = replace(WIDGET, full_name="acme/gadget")
    town.github.install(INSTALLATION, 4, "acme", renamed)
    town.deliver("push", {"ref": "refs/heads/main", "repository": repository_body(renamed), "commits": []})
    town.settle()
    with town.books() as db:
        found = db.repository_by_name("acme/widget")
    assert found is not None
    assert (found.full_name, found.id) == ("acme/gadget", town.repository().id)


def test_a_deleted_one_keeps_its_last_name(town: Town) -> None:
    """Only GitHub's answer closes it: an event may be older than what we hold."""
    town.opened()
    told(town, "deleted")
    assert town.repository().active
    town.github.install(INSTALLATION, 4, "acme")
    told(town, "deleted")
    assert (town.repository().active, town.repository().full_name) == (False, "acme/widget")


def test_what_needs_nothing(town: Town) -> None:
    """A new topic; an event without a repository."""
    town.opened()
    told(town, "edited", topics={"from": []})
    town.deliver("repository", {"action": "renamed"})
    town.settle()
    with town.books() as db:
        assert db.former_names(town.repository().id) == []

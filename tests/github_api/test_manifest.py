"""The App's permissions and events: exactly what is needed, and what is missing or too much is found."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
from githubkit_schemas.v2026_03_10.types.group_0017 import AppPermissionsType

from app.github_api.manifest import (
    EVENTS,
    PERMISSIONS,
    manifest,
    missing_events,
    missing_permissions,
    unused_permissions,
)

GRANTED = {p.key: p.access for p in PERMISSIONS}


def test_permissions_are_ones_github_knows() -> None:
    """Every key and access is in GitHub's own schema: a misspelt one would be refused with the whole manifest."""
    known = get_type_hints(AppPermissionsType)
    for permission in PERMISSIONS:
        assert permission.access in get_args(known[permission.key]), permission


def test_every_event_has_its_permission() -> None:
    """GitHub lets an App subscribe only to events whose permission it has."""
    assert {event.needs for event in EVENTS} <= set(GRANTED)


def test_every_line_says_why() -> None:
    """People are asked to grant these; each has a reason, and nothing is asked for twice."""
    assert all(p.why and p.title for p in PERMISSIONS)
    assert len(GRANTED) == len(PERMISSIONS)
    assert all(event.why for event in EVENTS)


@pytest.mark.parametrize(
    ("change", "missing", "unused"),
    [
        ({}, [], {}),
        ({"checks": "read"}, ["checks"], {}),
        ({"contents": "write"}, [], {"contents": "write, read is enough"}),
        ({"issues": "write"}, [], {"issues": "write"}),
        ({"members": "admin"}, [], {"members": "admin, read is enough"}),
    ],
)
def test_granted_against_needed(change: dict[str, str], missing: list[str], unused: dict[str, str]) -> None:
    """More than needed still works; less does not; both are told apart."""
    assert [p.key for p in missing_permissions(GRANTED | change)] == missing
    assert unused_permissions(GRANTED | change) == unused


def test_nothing_granted() -> None:
    """A registration made by hand and left empty lacks all."""
    assert missing_permissions({}) == list(PERMISSIONS)
    assert missing_events(()) == list(EVENTS)


def test_a_long_name_is_cut() -> None:
    """GitHub takes 34 characters; an organization's login may have 39."""
    assert manifest(name="Tabstop " + "x" * 39, server="https://a.example/")["name"] == "Tabstop " + "x" * 26
    assert manifest(name="Tabstop", server="https://a.example/")["url"] == "https://a.example"

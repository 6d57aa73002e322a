"""The policy's JSON Schema (draft 2020-12) for editors, written from the same table that the parser walks."""

from __future__ import annotations

import json
from typing import Any

from tabstop.policy.forms import KIND, LOGIN
from tabstop.policy.grammar import ROOT, SECTIONS, Section
from tabstop.policy.key import Key, Where

_ONLY = " Organization's file only."


def schema() -> dict[str, Any]:
    """One schema for both files; keys of the organization's alone say so in their description.

    It is as strict as the parser about keys and forms. It cannot see what needs the whole file or the other one: items
    out of order, an organization's key in a repository, loosening.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tabstop policy",
        "description": "Budgets and limits of coding agents: `.github/tabstop.yml` of a repository or an organization.",
        **_object(ROOT),
        "minProperties": 1,
    }


def schema_json() -> str:
    """The schema as it is published and printed."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _object(section: Section) -> dict[str, Any]:
    properties = {name: _child(child) for name, child in section.children.items()}
    made: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    return made if section is ROOT else {**made, "minProperties": 1}


def _child(child: Section | Key) -> dict[str, Any]:
    if isinstance(child, Key):
        return _described(child.form.schema(), child.meaning, child.where, child.default)
    meaning = SECTIONS[child.path]
    if child.each == "[]":
        return _described({"type": "array", "items": _item(child)}, meaning, child.where)
    if child.each:
        names = {"type": "object", "additionalProperties": _named(child), "propertyNames": _NAMES[child.each]}
        return _described(names, meaning, child.where)
    body = _object(child)
    if child.shorthand:
        body = {"anyOf": [child.shorthand.form.schema(), body]}
    elif child.switched_off:
        body = {"anyOf": [{"enum": ["off"]}, body]}
    return _described(body, meaning, child.where)


def _item(section: Section) -> dict[str, Any]:
    item = section.children["[]"]
    assert isinstance(item, Section)  # noqa: S101 - so says the table
    body = _object(item)
    if section.path == "repositories":
        return {**body, "required": ["cap"], "oneOf": [{"required": ["match"]}, {"required": ["topic"]}]}
    kinds = [name for name in item.children if name not in {"model", "from", "why"}]
    return {**body, "required": ["model"], "anyOf": [{"required": [name]} for name in kinds]}


def _named(section: Section) -> dict[str, Any]:
    item = section.children[section.each]
    if isinstance(item, Key):
        return item.form.schema()
    cap = item.children["cap"]
    assert isinstance(cap, Key)  # noqa: S101 - so says the table
    return {"anyOf": [cap.form.schema(), {**_object(item), "required": ["cap"]}]}


_NAMES = {
    each: {"pattern": form.schema()["anyOf"][1]["pattern"]} for each, form in (("<login>", LOGIN), ("<kind>", KIND))
}


def _described(body: dict[str, Any], meaning: str, where: Where, default: str = "") -> dict[str, Any]:
    text = meaning + (f" Default: {default}." if default else "") + (_ONLY if where is Where.ORGANIZATION else "")
    return {"description": text, **body}

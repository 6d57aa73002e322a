"""Policy audit: a row for every limit that changed on a default branch: old, new, who, commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from app.ledger.books import AuditRow
from app.registry import PolicyFile, Transaction
from tabstop.policy.change import Change, changed_limits
from tabstop.policy.document import PolicyDocument, RepositoryRule
from tabstop.policy.effective import effective
from tabstop.policy.model import Cap, Policy
from tabstop.policy.notation import show_cap


def repository_changes(before: Policy, after: Policy) -> tuple[Change, ...]:
    """What a repository's file changed there."""
    return changed_limits(before, after)


def organization_changes(before: PolicyDocument | None, after: PolicyDocument | None) -> tuple[Change, ...]:
    """What the organization's file changed for all, and for repositories by name or topic."""
    old, new = (effective(document, None, name="").policy for document in (before, after))
    changes = list(changed_limits(old, new))
    for key in ("repositories", "may_loosen"):
        was, becomes = (_shown(document, key) for document in (before, after))
        if was != becomes:
            changes.append(Change(key, was, becomes, loosens=True))
    return tuple(changes)


def audit_changes(db: Transaction, changes: Sequence[Change], file: PolicyFile, who: int | None, now: datetime) -> None:
    """One row per change, and one when a file came that does not count. Rows name people by internal id."""
    whose = "organization" if file.repository_id is None else str(file.repository_id)
    at = {"repository": file.repository_id, "commit": file.commit}
    if file.state in {"invalid", "unreadable"}:
        body = at | {"state": file.state, "problems": len(file.problems)}
        db.audit(AuditRow("policy.not_counted", now, whose, body, who))
    for change in changes:
        told = _without_logins(db, change)
        body = at | {"limit": told.key, "old": told.old, "new": told.new, "loosens": told.loosens}
        db.audit(AuditRow("policy.changed", now, whose, body, who))


def _shown(document: PolicyDocument | None, key: str) -> str:
    found = document.get(key, ()) if document else ()
    return "; ".join(_rule(item) if isinstance(item, RepositoryRule) else str(item) for item in found) or "none"


def _rule(rule: RepositoryRule) -> str:
    which = f"topic {rule.topic}" if rule.topic else rule.match
    return f"{which}: {show_cap(rule.cap.over(Cap()))}"


def _without_logins(db: Transaction, change: Change) -> Change:
    """Logins stand in keys (`engineers.LOGIN`, `aliases.LOGIN`, `slack.people.LOGIN`) and among approvers; a row outlives the right to be forgotten."""
    scope, _, login = change.key.rpartition(".")
    if scope in {"engineers", "aliases", "slack.people"}:
        return replace(change, key=f"{scope}.{_by_id(db, login)}")
    if change.key == "approvers":
        old, new = (_approvers(db, text) for text in (change.old, change.new))
        return replace(change, old=old, new=new)
    return change


def _approvers(db: Transaction, text: str) -> str:
    names = [name.strip() for name in text.split(",")]
    return ", ".join(n if n == "none" or n.startswith("team:") else _by_id(db, n) for n in names)


def _by_id(db: Transaction, login: str) -> str:
    engineer = db.engineer_by_login(login)
    return f"engineer:{engineer.id}" if engineer else "engineer:unknown"

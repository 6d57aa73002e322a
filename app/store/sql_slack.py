"""Whom engineers are in Slack, as far as was found out, in a database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from app.registry import SlackMember
from app.store.sql_part import SqlPart, per_database
from app.store.tables import SLACK_MEMBER

_S = SLACK_MEMBER.c
_FOUND_OUT = ("digest", "member", "problem", "checked_at")

_MEMBERS = select(SLACK_MEMBER).where(_S.organization_id == bindparam("org")).order_by(_S.engineer_id)
_MEMBER = _MEMBERS.where(_S.engineer_id == bindparam("engineer"))
_KEEP = per_database(
    lambda into: (adding := into(SLACK_MEMBER).values(organization_id=bindparam("org"))).on_conflict_do_update(
        index_elements=["organization_id", "engineer_id"],
        set_={name: adding.excluded[name] for name in _FOUND_OUT},
    )
)


class SqlSlack(SqlPart):
    """The part of `app.registry.Registry` about people in Slack."""

    def slack_members(self) -> list[SlackMember]:
        """See `Registry`."""
        return [_member(row) for row in self._rows(_MEMBERS)]

    def slack_member(self, engineer_id: int) -> SlackMember | None:
        """See `Registry`."""
        row = self._row(_MEMBER, engineer=engineer_id)
        return _member(row) if row else None

    def keep_slack_member(self, member: SlackMember) -> None:
        """See `Registry`."""
        values = {name: getattr(member, name) for name in _FOUND_OUT}
        self._write(_KEEP, {"engineer_id": member.engineer_id, **values})


def _member(row: Any) -> SlackMember:
    return SlackMember(row.engineer_id, row.digest, row.member, row.problem, row.checked_at)

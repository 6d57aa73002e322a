"""Every table, as SQLAlchemy Core sees it: what statements are written against and migrations compared with."""

from __future__ import annotations

from sqlalchemy import MetaData, Table
from sqlmodel import SQLModel

from app.store import tables_evidence, tables_ledger, tables_registry, tables_work

_CLASSES: list[type[SQLModel]] = [
    found
    for module in (tables_evidence, tables_ledger, tables_registry, tables_work)
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, SQLModel) and found is not SQLModel
]

METADATA: MetaData = SQLModel.metadata


def _table(name: str) -> Table:
    return METADATA.tables[name]


TAB = _table("tab")
PLACE = _table("place")
BUDGET = _table("budget")
LATCH = _table("latch")
OVERRUN_CAUSE = _table("overrun_cause")
OVERDRIVE = _table("overdrive")
SESSION = _table("agent_session")
ATTEMPT = _table("start_attempt")
NEED = _table("need")
BREAKER = _table("breaker")
BREAKER_TRIP = _table("breaker_trip")
SESSION_EVENT = _table("session_event")
SESSION_OVERDRIVE = _table("session_overdrive")
USAGE = _table("usage")
USAGE_KEY = _table("usage_key")
ENTRY = _table("entry")
CLIENT_TOTAL = _table("client_total")
USAGE_WITNESS = _table("usage_witness")
EVIDENCE = _table("evidence")
SESSION_LINK = _table("session_link")
SESSION_COMMIT = _table("session_commit")
SESSION_THREAD = _table("session_thread")
COMMIT_PULLS = _table("commit_pulls")
TAB_SESSION = _table("tab_session")
ORGANIZATION = _table("organization")
REPOSITORY = _table("repository")
FORMER_NAME = _table("former_name")
FORMER_DEFAULT = _table("former_default")
ENGINEER = _table("engineer")
ENGINEER_TOKEN = _table("engineer_token")
GAUGE = _table("gauge")
EARLIER_GAUGE = _table("earlier_gauge")
SESSION_GAUGE = _table("session_gauge")
SLACK_MEMBER = _table("slack_member")
PULL_REQUEST = _table("pull_request")
POLICY_FILE = _table("policy_file")
SECRET = _table("secret")
JOB = _table("job")
SLOT = _table("cron_slot")
DELIVERY = _table("delivery")
AUDIT = _table("audit")
AUDIT_HEAD = _table("audit_head")

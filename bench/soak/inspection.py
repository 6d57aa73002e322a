"""Inspection: what the books, the outbox and GitHub show afterwards, against what was sent and acknowledged."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from app.jobs.tab_facts import CHECK_NAME, MARKER
from app.ledger.books import SessionRow
from app.registry import Transaction
from app.store.columns import to_micros
from app.store.engine import Database
from app.store.sql_store import SqlStore
from app.store.tables import JOB
from bench.soak.load import Load, Reported
from bench.stage import LoopbackStage
from tabstop.money import NANO_PER_DOLLAR, show
from tabstop.usage import Grain

TAB_CAP = 3 * NANO_PER_DOLLAR
POLICY = "tab: $3\nhold: $0.10\nengineer: $100,000\nrepository: $100,000\n"
"""Small enough that some tabs turn red within a run."""

QUIET_SECONDS = 150
"""A job whose worker was killed waits for a minute until its lease ends, and what follows from it some seconds more."""

SOON = timedelta(seconds=8)
"""What is asked for later than this is no consequence of the load, but of a clock."""


def wait_until_quiet(url: str) -> bool:
    """Wait until the outbox has nothing due, leased, to be tried again or soon due; False when that does not come."""
    with closing(Database(url)) as database:
        deadline = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < deadline:
            if not _waiting(database):
                return True
            time.sleep(0.25)
    return False


def _waiting(database: Database) -> int:
    soon = to_micros(datetime.now(UTC) + SOON)
    waiting = select(func.count()).where(JOB.c.dead_at.is_(None), JOB.c.run_at <= soon)
    with database.reading() as db:
        return int(db.execute(waiting).scalar_one())


def violations(url: str, stage: LoopbackStage, load: Load) -> list[str]:
    """Everything that is not as it has to be; the server has stopped."""
    with closing(SqlStore(url)) as store:
        organization = store.organizations()[0]
        with store.look(organization.id) as books:
            found = [*_sessions(books, load), *_holds(books, load)]
        found += [f"a job failed for good: {job.kind} {job.key}: {error}" for job, error in store.dead_jobs()]
    found += [f"the server refused what it should take: {said}" for said in load.refused]
    for command in ("recompute", "verify"):
        done = stage.server.command("audit", command)
        if done.returncode:
            found.append(f"audit {command}: {done.stdout}{done.stderr}")
    return [*found, *_checks(stage, load)]


def _sessions(books: Transaction, load: Load) -> Iterator[str]:
    stored = {session.id: session for session in books.all_sessions()}
    for session_id in stored.keys() - load.sessions.keys():
        yield f"session {session_id} was admitted, and nobody asked for it or was told"
    for session_id, reported in load.sessions.items():
        if session_id not in stored:
            yield f"session {session_id} was admitted, and is lost"
        else:
            yield from _usage(books, stored[session_id], reported)


def _usage(books: Transaction, session: SessionRow, reported: Reported) -> Iterator[str]:
    """No acknowledged usage is lost, none is doubled."""
    known = books.known([key for call in reported.calls.values() for key in call.keys])
    for call in reported.calls.values():
        ids = {known[key].id for key in call.keys if key in known}
        if len(ids) != 1 or any(key not in known for key in call.keys):
            yield f"{call.keys[0]} was acknowledged, and is stored as {len(ids)} usages"
    rows = [row for row in books.usages_of(session.id) if row.grain is Grain.CALL and row.same_as is None]
    if len(rows) != len(reported.calls):
        yield f"session {session.id}: {len(reported.calls)} calls were acknowledged, {len(rows)} are stored"
    tokens = sum(call.tokens.total for call in reported.calls.values())
    if (session.spent.nano, session.spent.tokens) != (reported.cost, tokens):
        yield f"session {session.id}: {show(reported.cost)} and {tokens} tokens were reported, it shows {session.spent}"
    if (session.ended_at is not None) != reported.ended:
        yield f"session {session.id}: ended there {session.ended_at is not None}, here {reported.ended}"


def _holds(books: Transaction, load: Load) -> Iterator[str]:
    """What budgets hold is what sessions hold that have not ended, and those are the ones that did not say so."""
    held: Counter[int] = Counter()
    for session in books.live_sessions():
        for budget_id in books.places([session.place_id])[session.place_id].budget_ids:
            held[budget_id] += session.held.nano
    for budget in books.all_budgets(datetime.now(UTC)):
        if budget.held.nano != held[budget.id]:
            yield f"budget {budget.id} holds {show(budget.held.nano)}, its sessions {show(held[budget.id])}"
    living = len(books.live_sessions())
    silent = sum(not reported.ended for reported in load.sessions.values())
    if living != silent:
        yield f"{living} sessions have not ended, {silent} did not say so"


def _checks(stage: LoopbackStage, load: Load) -> Iterator[str]:
    """The newest check on every head says what was spent there, and concludes from it; there is one comment at most."""
    for number in load.pulls:
        pull = stage.github.pulls[number]
        spent = sum(s.cost for s in load.sessions.values() if s.branch == pull["head"]["ref"])
        checks = stage.github.checks_on(pull["head"]["sha"])
        if not checks:
            yield f"pull request {number} has no check on its head"
            continue
        load.counts["checks posted twice"] += len(checks) - 1
        output = checks[-1]["output"]
        wanted = "failure" if spent >= TAB_CAP else "neutral" if spent * 100 >= TAB_CAP * 75 else "success"
        if (checks[-1]["name"], checks[-1]["conclusion"]) != (CHECK_NAME, wanted):
            yield f"pull request {number}: {show(spent)} were spent, its check says {checks[-1]['conclusion']}"
        if show(spent) not in output["title"] + output["summary"]:
            yield f"pull request {number}: {show(spent)} were spent, its check says {output['title']!r}"
        comments = [comment for comment in stage.github.comments_on(number) if MARKER in comment["body"]]
        if len(comments) > 1:
            yield f"pull request {number} has {len(comments)} of our comments"
        if spent and not any(show(spent) in comment["body"] for comment in comments):
            yield f"pull request {number}: {show(spent)} were spent, its comment does not say so"

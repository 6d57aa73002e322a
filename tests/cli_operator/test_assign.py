"""A session's calls assigned, split and taken back at the operator's desk: what they read, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.ledger.admit import Start, admit
from app.ledger.record_usage import Report, record_usage
from app.registry import Repository, Store
from tabstop.attribution import Confidence
from tabstop.budget import Scope
from tabstop.cost import Cost, CostState
from tabstop.evidence import NOWHERE, Evidence
from tabstop.policy.model import Policy
from tabstop.usage import Tokens, Usage
from tabstop.wire import StartAnswer
from tests.cli_operator.operator_at_work import Acme, AtWork
from tests.support.golden import expect

BEGAN = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
CALLS = ((0, 3, ""), (10, 1, "claude/fix"), (20, 2, "other"))
"""Minute, millions of tokens (a dollar each) and branch of the calls that ses_1 made."""


def begun(at_work: AtWork, calls: tuple[tuple[int, int, str], ...] = CALLS) -> Acme:
    """ses_1 of alice's, on acme/widget#7, and a second repository."""
    acme = at_work.with_acme()
    with at_work.store().open(acme.organization.id) as books:
        books.save_repository(Repository(0, 7002, "acme/site"))
        start = Start(
            key="one",
            token_id="one",
            session_id="ses_1",
            repository_id=acme.widget.id,
            branch="claude/fix",
            engineer_id=acme.alice.id,
            person=Scope.ENGINEER,
            policy=Policy(),
            policy_commit="",
            agent="claude-code",
            login="alice",
            place_confidence=Confidence.CLAIMED,
        )
        admit(books, start, BEGAN, lambda admission, _session: StartAnswer(admission.verdict))
    uses(at_work, acme, calls)
    return acme


def uses(at_work: AtWork, acme: Acme, calls: tuple[tuple[int, int, str], ...]) -> None:
    """The session reports calls."""
    usages = [
        Usage(
            (f"anthropic:msg:{minute}",),
            "m",
            Tokens(output=count * 1_000_000),
            BEGAN + timedelta(minutes=minute),
            evidence=Evidence("", branch) if branch else NOWHERE,
        )
        for minute, count, branch in calls
    ]
    report = Report(usages, (), Policy(), lambda u: Cost(CostState.KNOWN, u.tokens.output * 1_000, "m"), "alice")
    with at_work.store().open(acme.organization.id) as books:
        session = books.session("ses_1")
        assert session
        record_usage(books, session, report, BEGAN + timedelta(hours=1))


def typed(at_work: AtWork, *words: str) -> str:
    """A command as it is typed and what it answers."""
    result = at_work.types(*words)
    line = " ".join(f'"{word}"' if " " in word else word for word in words)
    return f"$ {line}\n{result.output}" + (f"(exit {result.exit_code})\n" if result.exit_code else "")


def a_day(at_work: AtWork) -> str:
    """Everything once, and again."""
    acme = begun(at_work)
    why = ("--why", "it was the site's migration")
    said = [
        typed(at_work, "assign", "ses_1", "--to", "site", *why),
        typed(at_work, "assign", "ses_1", "--to", "site", *why),
    ]
    uses(at_work, acme, ((30, 4, ""),))
    since = ("--calls-since", "2026-11-21T14:10", "--calls-until", "2026-11-21T14:30")
    said += [
        typed(at_work, "assign", "ses_1", "--to", "widget#7", *since, *why, "--by", "alice"),
        typed(at_work, "split", "ses_1", "--to", "widget@claude/fix=60%", "--to", "engineer=40%", *why),
        typed(at_work, "split", "ses_1", "--to", "widget@claude/fix=60%", "--to", "engineer=40%", *why),
        typed(
            at_work, "split", "ses_1", "--to", "widget#7=branch:claude/fix", "--to", "site=until:2026-11-21T14:10",
            "--to", "widget=rest", *why,
        ),
        typed(at_work, "unassign", "ses_1", "--why", "a mistake"),
        typed(at_work, "unassign", "ses_1", "--why", "a mistake"),
    ]  # fmt: skip
    return "\n".join(said)


def test_what_is_read(on_each: AtWork) -> None:
    """Every answer, in the order of a day; the ledger adds up at its end, and each change has its audit row."""
    expect("operator-assign/a-day.txt", a_day(on_each))
    assert on_each.types("audit", "recompute").exit_code == 0
    store = on_each.store()
    organization = store.organizations()[0].id
    store.seal_audit(organization, b"k")
    with store.look(organization) as books:
        kinds = [sealed.row.kind for sealed in books.audit_rows()]
    assert [kind for kind in kinds if kind.startswith("session.")] == [
        "session.assigned",
        "session.assigned",
        "session.split",
        "session.split",
        "session.unassigned",
    ]


def test_both_checks_follow(at_work: AtWork) -> None:
    """The tab it leaves and the one it comes to are asked to be shown again."""
    acme = begun(at_work, CALLS[:2])
    store = at_work.store()
    with store.open(acme.organization.id) as books:
        tab = books.open_tab(acme.widget.id, "next", BEGAN)
    assert tab.id not in to_be_shown(store)
    assert at_work.types("assign", "ses_1", "--to", "widget@next", "--why", "x").exit_code == 0
    assert to_be_shown(store) == {tab.id, acme.pull_request.tab_id}


def to_be_shown(store: Store) -> set[int]:
    """The tabs whose checks wait to be brought up to date; they do not any more."""
    now, found = datetime.now(UTC) + timedelta(days=1), set()
    while job := store.take_job("w", now):
        found |= {job.payload["tab"]} if job.kind == "refresh_tab" else set()
        store.finish_job(job, now)
    return found


WRONG = (
    ("assign", "ses_9", "--to", "site"),
    ("assign", "ses_1", "--to", "nothing"),
    ("assign", "ses_1", "--to", "other/site"),
    ("assign", "ses_1", "--to", "widget#8"),
    ("assign", "ses_1", "--to", "widget#"),
    ("assign", "ses_1", "--to", "widget#99999999999999999999"),
    ("assign", "ses_1", "--to", "widget#²"),
    ("assign", "ses_1", "--to", "widget@nobody"),
    ("assign", "ses_1", "--to", "#7"),
    ("assign", "ses_1", "--to", "site", "--by", "eve"),
    ("assign", "ses_1", "--to", "site", "--calls-since", "yesterday"),
    ("assign", "ses_1", "--to", "site", "--calls-since", "2026-11-22"),
    ("assign", "ses_1", "--to", "site", "--calls-since", "2026-11-22", "--calls-until", "2026-11-21"),
    ("split", "ses_1", "--to", "site=100%"),
    ("split", "ses_1", "--to", "site=60%", "--to", "widget=30%"),
    ("split", "ses_1", "--to", "site=50%", "--to", "widget=50.0000000001%"),
    ("split", "ses_1", "--to", "site=\u0665\u0660%", "--to", "widget=50%"),
    ("split", "ses_1", "--to", "site=60%", "--to", "widget=rest"),
    ("split", "ses_1", "--to", "site=60%", "--to", "site=40%"),
    ("split", "ses_1", "--to", "site", "--to", "widget=rest"),
    ("split", "ses_1", "--to", "site=until:noon", "--to", "widget=rest"),
    ("split", "ses_1", "--to", "site=rest", "--to", "widget=rest"),
    ("split", "ses_1", "--to", "site=until:2026-11-21T14:05", "--to", "widget=branch:other"),
    ("split", "ses_1", "--to", "site=until:2026-11-21T14:15", "--to", "widget=branch:claude/fix"),
    ("unassign", "ses_9"),
)


def test_what_is_wrong_is_said(at_work: AtWork) -> None:
    """Each in a sentence; nothing is changed by any."""
    acme = begun(at_work)
    with at_work.store().look(acme.organization.id) as books:
        before = books.all_entries()
    said = [typed(at_work, *words, "--why", "x") for words in WRONG]
    said.append(typed(at_work, "unassign", "ses_1", "--why", " "))
    expect("operator-assign/wrong.txt", "\n".join(said))
    with at_work.store().look(acme.organization.id) as books:
        assert books.all_entries() == before
        assert books.session("ses_1").assigned_place is None  # type: ignore[union-attr]


def test_before_any_call(at_work: AtWork) -> None:
    """What it uses goes there; there is nothing to split, and no call at any time."""
    acme = begun(at_work, ())
    said = [
        typed(at_work, "split", "ses_1", "--to", "site=50%", "--to", "widget=50%", "--why", "x"),
        typed(at_work, "assign", "ses_1", "--to", "site", "--calls-since", "2026-11-21", "--why", "x"),
        typed(at_work, "assign", "ses_1", "--to", "site", "--why", "x"),
    ]
    expect("operator-assign/no-calls.txt", "\n".join(said))
    uses(at_work, acme, CALLS)
    with at_work.store().look(acme.organization.id) as books:
        places = books.places({row.place_id for row in books.usages_of("ses_1")})
    assert {place.confidence for place in places.values()} == {"manual"}


def test_of_nobody_known(at_work: AtWork) -> None:
    """A run without an engineer cannot go to one."""
    acme = begun(at_work)
    store = at_work.store()
    with store.open(acme.organization.id) as books:
        session = books.session("ses_1")
        assert session
        books.change_session(replace(session, engineer_id=None))
    result = at_work.types("assign", "ses_1", "--to", "engineer", "--why", "x")
    assert (result.exit_code, "Nobody is known who ran session ses_1" in result.output) == (1, True)

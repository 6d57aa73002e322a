"""What an account used becomes its person's once the policy says who they are; what still runs, when it has ended."""

from __future__ import annotations

from app.github_api.protocol import RemoteUser
from app.jobs import same_people
from app.ledger.books import Job
from app.ledger.end_session import end_session
from app.ledger.recompute import recompute
from app.registry import Engineer, EngineerKind
from tabstop.budget import Scope
from tabstop.money import dollars
from tabstop.session import SessionOutcome
from tests.jobs.test_policy import push
from tests.jobs.town import RULES, Town, audit_rows

ALIASES = "aliases: {{{login}: ['renovate[bot]', old-alice, Alice@Acme.example]}}\n"


def by_bot(town: Town, cost: str, *, ends: bool = True) -> str:
    """A session of renovate's on the pull request's branch."""
    with town.books() as db:
        bot = db.save_engineer(Engineer(0, 601, "renovate[bot]", EngineerKind.BOT, town.at))
    session = town.start(engineer_id=bot.id, person=Scope.GUEST, login=bot.login)
    town.spend(session, cost)
    if ends:
        end(town, session.id)
    return session.id


def end(town: Town, session_id: str) -> None:
    with town.books() as db:
        session = db.session(session_id)
        assert session
        end_session(db, session, SessionOutcome.FINISHED, "", town.at)


def charged(town: Town) -> dict[tuple[Scope, str], int]:
    """Nano-dollars spent of each person's budget, and of the guests'."""
    found: dict[tuple[Scope, str], int] = {}
    with town.store.look(town.org) as db:
        assert recompute(db, town.at) == []
        for budget in db.all_budgets(town.at):
            if budget.key.scope in {Scope.ENGINEER, Scope.GUEST} and budget.spent.nano:
                person = db.engineer(budget.key.subject_id) if budget.key.scope is Scope.ENGINEER else None
                found[budget.key.scope, person.login if person else ""] = budget.spent.nano
    return found


def names_alice(town: Town) -> None:
    """The organization's file says who renovate works for."""
    push(town, ALIASES.format(login="Alice"), "o1", RULES)


def test_the_past_goes_to_the_person(town: Town) -> None:
    """With the budget, an audit row that names nobody, and a check that says so; once more changes nothing."""
    town.opened()
    town.github.members["acme"] = {"alice"}
    by_bot(town, "3")
    town.settle()
    assert charged(town) == {(Scope.GUEST, ""): dollars(3)}
    assert "`renovate[bot]`" in town.check().check.summary
    names_alice(town)
    assert charged(town) == {(Scope.ENGINEER, "alice"): dollars(3)}
    assert "`renovate[bot]`" not in town.check().check.summary
    [row] = audit_rows(town, "session.handed_over")
    assert row.body["moved"] == 1
    assert "alice" not in str(row.body)
    same_people.run(town.world, town.org, {})
    town.settle()
    assert len(audit_rows(town, "session.handed_over")) == 1
    assert town.dead() == []


def test_a_running_session_follows_when_it_has_ended(town: Town) -> None:
    """What it holds lies in the budget it was admitted to; late usage goes to the person."""
    town.opened()
    town.github.members["acme"] = {"alice"}
    town.engineer()
    session = by_bot(town, "3", ends=False)
    names_alice(town)
    assert charged(town) == {(Scope.GUEST, ""): dollars(3)}
    end(town, session)
    town.store.enqueue([Job("same_people", "all")])
    town.settle()
    assert charged(town) == {(Scope.ENGINEER, "alice"): dollars(3)}


def test_a_login_tabstop_has_not_met_is_asked_for(town: Town) -> None:
    """By GitHub's id, as everybody is known; one that GitHub has not is nobody, and everything stays."""
    town.opened()
    by_bot(town, "3")
    push(town, ALIASES.format(login="zoe"), "o1", RULES)
    assert charged(town) == {(Scope.GUEST, ""): dollars(3)}
    town.github.users["zoe"] = RemoteUser(77, "Zoe")
    town.github.members["acme"] = {"zoe"}
    same_people.run(town.world, town.org, {})
    assert charged(town) == {(Scope.ENGINEER, "Zoe"): dollars(3)}


def test_who_is_no_member_stays_a_guest(town: Town) -> None:
    """The session has its person's name; the money stays with the repository's guests."""
    town.opened()
    session_id = by_bot(town, "3")
    town.github.users["eve"] = RemoteUser(78, "eve")
    push(town, ALIASES.format(login="eve"), "o1", RULES)
    assert charged(town) == {(Scope.GUEST, ""): dollars(3)}
    with town.store.look(town.org) as db:
        session = db.session(session_id)
        assert session
        eve = db.engineer(session.engineer_id or 0)
    assert (eve.login if eve else "") == "eve"


def test_without_such_an_account_nothing_is_done(town: Town) -> None:
    """Addresses and names in git are of the future only."""
    town.opened()
    names_alice(town)
    assert (town.dead(), audit_rows(town, "session.handed_over")) == ([], [])

"""Calls assigned by hand, as pull requests show it: off one check and onto the other, and no job takes it back."""

from __future__ import annotations

from app.ledger.assign import Word, assign, unassign
from app.ledger.by_hand import Target
from tabstop.evidence import NOWHERE, PullRequestLink
from tests.jobs.laptop import a_laptop, later, on
from tests.jobs.test_attribute_session import W, again
from tests.jobs.town import Town

WORD = Word("test")


def test_both_checks_say_so(town: Town) -> None:
    """Also of what is used later, whatever evidence it brings; taken back, the evidence has its way."""
    town.opened(1)
    second = town.opened(2)
    laptop = a_laptop(town, "feature-1")
    laptop.tell(("a", 0, NOWHERE))
    town.settle()
    assert "$1.00" in town.check(1).check.title
    with town.books() as db:
        session = db.session(laptop.session.id)
        assert session
        assign(db, session, Target(second.tab_id, second.repository_id), WORD, town.at)
    laptop.tell(("b", 1, on("feature-1")), links=[PullRequestLink(W, 1, "feature-1", later(1))])
    again(laptop)
    town.settle()
    assert laptop.lies() == {"a": ("feature-2", W, "manual"), "b": ("feature-2", W, "manual")}
    assert town.check(1).check.title.startswith("No agent spend yet")
    assert "$2.00" in town.check(2).check.title
    with town.books() as db:
        session = db.session(laptop.session.id)
        assert session
        assert unassign(db, session, WORD, town.at).moved == 2
    town.settle()
    assert laptop.lies() == {"a": ("feature-1", W, "inferred"), "b": ("feature-1", W, "verified")}
    assert "$2.00" in town.check(1).check.title
    assert town.check(2).check.title.startswith("No agent spend yet")
    assert town.dead() == []

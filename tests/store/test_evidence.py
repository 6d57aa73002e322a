"""What sessions told of where their calls were made, in every kind of store."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from app.ledger.attribute_again import attribute_again
from app.ledger.recompute import recompute
from app.ledger.told import MOST_PLACES, learn
from app.registry import Store, Transaction
from app.store.sql_evidence import MOST_ON_BRANCH
from tabstop.evidence import CommitMade, Evidence, PullRequestLink
from tests.ledger.builders import (
    ENGINEER,
    NOW,
    REPOSITORY,
    a_policy,
    a_report,
    a_start,
    a_usage,
    an_organization,
    at,
    begun,
    report,
)

ONE = Evidence("acme/web", "a", "", "/home/alice")
OTHER = Evidence("", "", "0123456")
LINK = PullRequestLink("acme/web", 7, "a", at(3))
MADE = CommitMade("0123456789", "acme/web", "a", at(4))
HEAD = "0123456789abcdef0123456789abcdef01234567"


def test_evidence_comes_back_without_its_folder(store: Store) -> None:
    """By session, and by id of any session; the same of two sessions is two."""
    organization, other = an_organization(store).id, an_organization(store, "other").id
    plain = replace(ONE, folder="")
    with store.open(organization) as books:
        ids = books.add_evidence("one", [ONE, OTHER])
        again = books.add_evidence("two", [ONE])
        assert ids.keys() == {plain, OTHER}
        assert books.evidence_of("one") == ids
        assert books.evidence_of("two") == again
        assert books.evidence([*ids.values(), *again.values(), 1]) == {
            ids[plain]: plain,
            ids[OTHER]: OTHER,
            again[plain]: plain,
        }
        assert books.evidence([]) == {}
    with store.look(other) as books:
        assert books.evidence_of("one") == {}
        assert books.evidence(ids.values()) == {}


def test_links_and_commits_come_back(store: Store) -> None:
    """Repositories in lower case; kept again they have a new time."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        for link in (LINK, replace(LINK, repository="ACME/web", at=None), replace(LINK, branch="")):
            books.keep_link("one", link)
        books.keep_link("two", replace(LINK, number=8))
        assert books.links_of("one") == [replace(LINK, branch=""), replace(LINK, at=None)]
        for made in (MADE, replace(MADE, repository="ACME/web", at=None), replace(MADE, branch="b")):
            books.keep_commit("one", made)
        assert books.commits_of("one") == [replace(MADE, at=None), replace(MADE, branch="b")]
        assert books.commits_of("two") == []


def test_what_is_undone_was_not_told(store: Store) -> None:
    """All of it is part of the transaction."""
    organization = an_organization(store).id

    def tell_and_fail() -> None:
        with store.open(organization) as books:
            learn(books, "one", [ONE], [LINK], [MADE])
            books.keep_pulls_of_commit(REPOSITORY, HEAD, [7], NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        tell_and_fail()
    with store.look(organization) as books:
        assert not learn(books, "one", []).anything
        assert books.pulls_of_commits(REPOSITORY, [HEAD]) == {}


def test_who_saw_a_pull_request(store: Store) -> None:
    """By link, by branch in any repository, by any beginning of its head."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        books.keep_link("linked", LINK)
        books.keep_link("linked elsewhere", replace(LINK, repository="acme/site"))
        books.add_evidence("on it", [Evidence("eve/web", "a")])
        books.add_evidence("on none", [OTHER])
        books.keep_commit("made it", MADE)
        books.keep_commit("made another", replace(MADE, sha="0123457"))
        assert books.sessions_that_saw("Acme/Web", 7, "a", HEAD) == ["linked", "made it", "on it"]
        assert books.sessions_that_saw("acme/web", 8, "", "") == []


def test_a_branch_of_thousands_has_its_newest_sessions(store: Store) -> None:
    """A push to `develop` does not ask about every session there ever was."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        for number in range(MOST_ON_BRANCH + 3):
            books.add_evidence(f"{number:03}", [ONE])
        assert books.sessions_that_saw("acme/web", 1, "a", "")[0] == "003"


def test_githubs_word_on_commits(store: Store) -> None:
    """The newest answer stands, of each repository."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        books.keep_pulls_of_commit(REPOSITORY, HEAD, [], NOW)
        books.keep_pulls_of_commit(REPOSITORY, HEAD, [7, 8], at(1))
        books.keep_pulls_of_commit(REPOSITORY, "0123456", [], NOW)
        assert books.pulls_of_commits(REPOSITORY, [HEAD, "0123456", "unknown"]) == {
            HEAD: ((7, 8), at(1)),
            "0123456": ((), NOW),
        }
        assert books.pulls_of_commits(REPOSITORY + 1, [HEAD]) == books.pulls_of_commits(REPOSITORY, []) == {}


def test_generations(store: Store) -> None:
    """Every tab of a branch, the first one first."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        first = books.open_tab(REPOSITORY, "a", NOW)
        books.end_tab(first.id, at(1))
        second = books.open_tab(REPOSITORY, "a", at(2))
        books.open_tab(REPOSITORY, "b", NOW)
        assert books.generations(REPOSITORY, "a") == [replace(first, ended_at=at(1)), second]
        assert books.generations(REPOSITORY, "c") == []


def test_an_earlier_life_of_a_branch_that_is_heard_of_late(store: Store) -> None:
    """It comes first, whatever its number; the branch's open tab stays the one that sessions get."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        now = books.open_tab(REPOSITORY, "a", at(9))
        past = books.past_tab(REPOSITORY, "a", at(1))
        assert (past.generation, past.ended_at) == (2, at(1))
        assert books.generations(REPOSITORY, "a") == [past, now]
        assert books.open_tab(REPOSITORY, "a", at(10)) == now
        assert books.tab_of_branch(REPOSITORY, "a") == now
        books.end_tab(now.id, at(11))
        assert books.reopen_tab(REPOSITORY, "a", at(12)) == now
        books.end_tab(now.id, at(13))
        assert books.open_tab(REPOSITORY, "a", at(14)).generation == 3
        assert books.past_tab(REPOSITORY, "b", at(1)).generation == 1


def test_a_usage_keeps_what_says_more(store: Store) -> None:
    """Two sources of one call, in either order, with a third that says nothing."""
    organization = an_organization(store).id
    sources = [
        a_usage("req:1", evidence=Evidence("acme/web")),
        a_usage("req:1", "msg:1", evidence=ONE),
        a_usage("msg:1"),
    ]
    for number, order in enumerate(permutations(sources)):
        with store.open(organization) as books:
            name = f"{number}"
            session = begun(books, a_start(name))
            for usage in order:
                mine = replace(usage, keys=tuple(f"{number}:{key}" for key in usage.keys))
                report(books, session.id, a_report([mine]))
                report(books, session.id, a_report([mine]))
            assert told_of(books, session.id) == [replace(ONE, folder="")]


def told_of(books: Transaction, session_id: str) -> list[Evidence]:
    """Of its usages that are left."""
    ids = [row.evidence_id for row in books.usages_of(session_id) if row.same_as is None]
    return [books.evidence([one])[one] for one in ids if one is not None]


def test_learning_in_any_order(store: Store) -> None:
    """The earliest time stands, any time is better than none, and what was known is no news."""
    organization = an_organization(store).id
    links = [LINK, replace(LINK, at=at(1)), replace(LINK, at=None)]
    for number, order in enumerate(permutations(links)):
        with store.open(organization) as books:
            name = str(number)
            for link in order:
                learn(books, name, [ONE, replace(ONE, commit="0123456")], [link], [replace(MADE, at=link.at)])
            told = learn(books, name, [ONE], order, [MADE])
            assert (told.news, told.links, told.commits[0].at) == (False, (replace(LINK, at=at(1)),), at(1))
            assert list(told.evidence) == [replace(ONE, folder="")]


def test_nobody_floods_the_tables(store: Store) -> None:
    """Beyond the first places a call's word is not kept; those known go on."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        many = [Evidence("acme/web", f"{number:04}") for number in range(MOST_PLACES + 5)]
        learn(books, "one", many[:150])
        told = learn(books, "one", many[100:])
        assert len(told.evidence) == MOST_PLACES
        assert told.id_of(many[-1]) is None
        assert told.id_of(many[0]) is not None


@pytest.mark.parametrize(
    ("engineer", "run", "believed"),
    [(ENGINEER, "", True), (ENGINEER + 1, "", False), (None, "", False), (ENGINEER, "77", False)],
)
def test_who_may_say_where_anothers_call_was_made(
    store: Store, engineer: int | None, run: str, *, believed: bool
) -> None:
    """The same engineer's other session, and nobody else: a key is easily known."""
    organization = an_organization(store).id
    with store.open(organization) as books:
        first = begun(books, a_start("first"))
        other = begun(books, a_start("other", engineer_id=engineer, run_id=run))
        report(books, first.id, a_report([a_usage("req:1")]))
        told = a_usage("req:1", evidence=Evidence("acme/web", "theirs"))
        report(books, other.id, a_report([told, a_usage("req:2", evidence=told.evidence)]))
        assert told_of(books, first.id) == ([told.evidence] if believed else [])
        now = books.session(first.id)
        assert now is not None
        assert now.has_evidence is believed
        assert attribute_again(books, now, a_policy(), "alice", NOW) == int(believed)
        assert recompute(books, NOW) == []

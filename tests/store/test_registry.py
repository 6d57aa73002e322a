"""Organizations, repositories, people, pull requests and policies: stored by GitHub's ids, the newer view wins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.registry import (
    FORK,
    Engineer,
    EngineerKind,
    EngineerToken,
    PolicyFile,
    PullRequest,
    Repository,
    SlackMember,
    Store,
)
from tabstop.money import dollars
from tabstop.policy.model import Policy
from tests.ledger.builders import NOW, REPOSITORY, an_organization, at


def test_an_organization_is_stored_by_githubs_id(store: Store) -> None:
    """A new login or installation changes the one there is; uninstalled and installed again it is active."""
    first = store.register(1, "acme", 11)
    with store.open(first.id) as books:
        books.save_organization(
            replace(first, active=False, paused=True, timezone="Europe/Berlin", installation_id=None)
        )
        assert books.timezone == "Europe/Berlin"
    assert store.organization_by_installation(11) is None
    again = store.register(1, "acme-corp", 12)
    assert again == replace(
        first, login="acme-corp", installation_id=12, active=True, paused=True, timezone="Europe/Berlin"
    )
    assert store.organization_by_github_id(1) == again
    assert store.organization_by_installation(12) == again
    assert store.organization_by_github_id(2) is None
    other = store.register(2, "Beta", 21)
    assert {organization.id for organization in store.organizations()} == {again.id, other.id}
    with store.look(first.id) as books:
        assert books.organization() == again


def test_a_repository_keeps_its_id_when_it_is_renamed(store: Store) -> None:
    """Names change, GitHub's ids do not."""
    with store.open(an_organization(store).id) as books:
        new = books.save_repository(Repository(0, 7, "acme/Zoo", "trunk", False, ("payments",)))
        assert new.id != 0
        assert books.repository(new.id) == new
        assert books.repository_by_name("ACME/zoo") == new
        renamed = books.save_repository(replace(new, id=0, full_name="acme/ape", active=False, topics=()))
        assert renamed == replace(new, full_name="acme/ape", active=False, topics=())
        assert books.repository_by_github_id(7) == renamed
        assert books.repository_by_name("acme/Zoo") == renamed
        assert books.repository_by_name("acme/cat") is None
        assert books.repository_by_name("") is None
        assert [found.full_name for found in books.repositories()] == ["acme/ape", "acme/web"]
        assert (books.repository(1), books.repository_by_github_id(1)) == (None, None)


def test_clones_go_on_with_the_names_a_repository_went_by(store: Store) -> None:
    """Who has a name now goes before who had it, and who had it last before who had it first."""
    with store.open(an_organization(store).id) as books:
        first = books.save_repository(Repository(0, 7, "acme/one"))
        books.save_repository(replace(first, full_name="acme/Two"))
        first = books.save_repository(replace(first, full_name="acme/three"))
        assert books.former_names(first.id) == ["acme/two", "acme/one"]
        books.keep_former_name(first.id, "Acme/One")
        assert books.former_names(first.id) == ["acme/one", "acme/two"]
        second = books.save_repository(Repository(0, 8, "acme/two"))
        assert books.repository_by_name("acme/two") == second
        second = books.save_repository(replace(second, full_name="acme/four"))
        assert books.repository_by_name("acme/two") == second
        assert books.repository_by_name("ACME/ONE") == first
        assert books.former_names(second.id + 1) == []
        books.keep_former_name(second.id, "Umbrella/two")
        assert books.former_owners() == {"acme", "umbrella"}


def test_a_fork_of_another_name_is_no_former_name(store: Store) -> None:
    """It leads to the repository only for whoever asks for a fork's."""
    with store.open(an_organization(store).id) as books:
        first = books.save_repository(Repository(0, 7, "acme/one"))
        books.keep_former_name(first.id, f"{FORK}Eve/Gizmo")
        assert books.former_names(first.id) == []
        assert books.former_owners() == set()
        assert books.repository_by_name(f"{FORK}eve/gizmo") == first
        assert books.repository_by_name("eve/gizmo") is None


def test_a_name_given_to_another_repository_is_the_active_ones(store: Store) -> None:
    """A deleted repository's name may come back for another."""
    with store.open(an_organization(store).id) as books:
        books.save_repository(Repository(0, 8, "acme/app", active=False))
        live = books.save_repository(Repository(0, 7, "acme/app"))
        books.save_repository(Repository(0, 9, "acme/app", active=False))
        assert books.repository_by_name("acme/app") == live


def test_who_was_checked_stays_checked(store: Store) -> None:
    """Merely seen again, a member stays one; a new check counts."""
    with store.open(an_organization(store).id) as books:
        seen = books.save_engineer(Engineer(0, 5, "Alice"))
        member = books.save_engineer(replace(seen, id=0, kind=EngineerKind.MEMBER, checked_at=NOW))
        assert member.id == seen.id
        assert books.save_engineer(Engineer(0, 5, "alice2")) == replace(member, login="alice2")
        assert books.engineer_by_login("ALICE2") == replace(member, login="alice2")
        assert books.engineer_by_login("alice") is None
        left = books.save_engineer(replace(member, kind=EngineerKind.OUTSIDE, checked_at=at(9)))
        assert books.engineer(member.id) == left
        erased = books.save_engineer(replace(left, login=""))
        assert books.engineer(member.id) == erased
        assert books.engineer_by_login("") is None
        assert books.engineer(1) is None


def test_a_token_is_found_by_its_digest(store: Store) -> None:
    """In whichever organization; revoked once and for all; newest first."""
    organization = an_organization(store)
    token = EngineerToken(1, organization.id, 201, "d1", "laptop", ("start", "usage"), NOW)
    with store.open(organization.id) as books:
        books.add_engineer_token(token)
        books.add_engineer_token(replace(token, id=2, digest="d2"))
        books.revoke_engineer_token(2, at(1))
        books.revoke_engineer_token(2, at(2))
        assert books.engineer_tokens() == [replace(token, id=2, digest="d2", revoked_at=at(1)), token]
    assert store.engineer_token("d1") == token
    assert store.engineer_token("d3") is None
    with pytest.raises(Exception, match=r"UNIQUE|unique|already"), store.open(organization.id) as books:
        books.add_engineer_token(replace(token, id=3))


def test_who_somebody_is_in_slack_is_remembered(store: Store) -> None:
    """The newest finding of each engineer, of one organization."""
    other = an_organization(store, "other").id
    found = SlackMember(201, "d1", "U012AB3CD", "", NOW)
    with store.open(an_organization(store).id) as books:
        assert books.slack_member(201) is None
        books.keep_slack_member(SlackMember(202, "d2", "", "Slack said `users_not_found`.", NOW))
        books.keep_slack_member(SlackMember(201, "d1", "", "It could not be reached.", at(1)))
        books.keep_slack_member(found)
        assert books.slack_member(201) == found
        assert [member.engineer_id for member in books.slack_members()] == [201, 202]
    with store.look(other) as books:
        assert (books.slack_members(), books.slack_member(201)) == ([], None)


def a_pull(**more: Any) -> PullRequest:
    return PullRequest(
        **{
            "id": 0,
            "repository_id": REPOSITORY,
            "number": 7,
            "tab_id": 301,
            "head_sha": "abc",
            "head_branch": "claude/x",
            "base_branch": "main",
            "author_id": 201,
            "title": "Ünïcode",
            "state": "open",
            "draft": False,
            "updated_at": NOW,
            **more,
        }
    )


def test_an_older_event_never_overwrites_a_newer(store: Store) -> None:
    """Webhooks come in any order; what is stored is the newest seen, with what we posted kept."""
    with store.open(an_organization(store).id) as books:
        first = books.save_pull_request(a_pull())
        posted = replace(
            first, check_run_id=1, check_sha="abc", check_digest="d", comment_id=2, comment_digest="e", title="not now"
        )
        books.note_posted(posted)
        stored = replace(posted, title="Ünïcode")
        assert books.pull_request(REPOSITORY, 7) == stored
        assert books.save_pull_request(a_pull(updated_at=at(-1), state="closed")) == stored
        newer = books.save_pull_request(a_pull(updated_at=at(1), head_sha="def", edits_policy=True, tab_id=302))
        assert newer == replace(stored, updated_at=at(1), head_sha="def", edits_policy=True, tab_id=302)
        assert books.pull_request(REPOSITORY, 7) == newer
        assert books.pull_request(REPOSITORY, 8) is None


def test_pull_requests_are_found_by_tab_and_head(store: Store) -> None:
    """A shared head, a tab adopted twice, open ones only."""
    with store.open(an_organization(store).id) as books:
        pulls: list[dict[str, Any]] = [
            {},
            {"head_sha": "def"},
            {"repository_id": 102},
            {"state": "merged"},
            {"tab_id": 302},
        ]
        for number, more in enumerate(pulls, start=1):
            books.save_pull_request(a_pull(number=number, **more))

        def numbers(found: list[PullRequest]) -> list[int]:
            return [pull.number for pull in found]

        assert numbers(books.pull_requests_of_tab(301)) == [4, 3, 2, 1]
        assert numbers(books.open_pull_requests()) == [1, 2, 5, 3]
        assert numbers(books.open_pull_requests(REPOSITORY)) == [1, 2, 5]
        assert numbers(books.open_pull_requests(REPOSITORY, "abc")) == [1, 5]
        assert numbers(books.open_pull_requests(head_sha="abc")) == [1, 5, 3]


def a_file(repository_id: int | None, state: str, tab: str = "", commit: str = "c1", minutes: int = 0) -> PolicyFile:
    text = f"version: 1\ntab:\n  cap: {tab}\n" if tab else ""
    problems = ("line 1: broken",) if state == "invalid" else ()
    return PolicyFile(repository_id, commit, text, state, problems, at(minutes))


def test_the_last_valid_policy_stays_in_force(store: Store) -> None:
    """The repository's over the organization's over the defaults; unreadable is not absent (promise 6)."""
    with store.open(an_organization(store).id) as books:
        assert (books.policy_in_force(REPOSITORY).policy.tab.nano, books.policy_in_force(REPOSITORY).read) == (
            dollars(50),
            False,
        )
        books.add_policy_file(a_file(None, "valid", "20", "o1"))
        books.add_policy_file(a_file(REPOSITORY, "absent"))
        found = books.policy_in_force(REPOSITORY)
        assert (found.policy.tab.nano, found.commit, found.problem, found.read) == (dollars(20), "o1", "", True)

        books.add_policy_file(a_file(REPOSITORY, "valid", "5", "r1"))
        found = books.policy_in_force(REPOSITORY)
        assert (found.policy.tab.nano, found.commit.split()[0]) == (dollars(5), "r1")
        assert books.policy_in_force(102).policy.tab.nano == dollars(20)

        broken = a_file(REPOSITORY, "invalid", "6", "r2")
        books.add_policy_file(broken)
        found = books.policy_in_force(REPOSITORY)
        assert (found.policy.tab.nano, found.commit.split()[0], bool(found.problem)) == (dollars(5), "r1", True)
        assert books.policy_file(REPOSITORY) == broken
        in_force = books.policy_file_in_force(REPOSITORY)
        assert in_force is not None
        assert in_force.commit == "r1"

        books.add_policy_file(a_file(None, "unreadable", commit="o2"))
        assert books.policy_in_force(102).policy.tab.nano == dollars(20)
        books.add_policy_file(a_file(REPOSITORY, "absent", commit="r3"))
        found = books.policy_in_force(REPOSITORY)
        assert (found.policy.tab.nano, bool(found.problem)) == (dollars(20), True)


@pytest.mark.parametrize("state", ["invalid", "unreadable"])
def test_an_organizations_file_that_never_was_valid_permits_nothing(store: Store, state: str) -> None:
    """It is not a missing one: a repository tightens the defaults only, until the file is valid or gone."""
    with store.open(an_organization(store).id) as books:
        books.add_policy_file(a_file(REPOSITORY, "valid", "500", "r1"))
        books.add_policy_file(a_file(102, "valid", "5", "r2"))
        assert books.policy_in_force(REPOSITORY).policy.tab.nano == dollars(500)

        books.add_policy_file(a_file(None, state, "900" if state == "invalid" else "", "o1"))
        found = books.policy_in_force(REPOSITORY)
        assert (found.policy.tab.nano, found.commit) == (dollars(50), "r1")
        assert found.problem == (
            f"the organization's policy file is {state}; it does not count, "
            "and repositories may only tighten the defaults"
        )
        assert books.policy_in_force(102).policy.tab.nano == dollars(5)

        books.add_policy_file(a_file(None, "absent", commit="o2", minutes=1))
        assert (books.policy_in_force(REPOSITORY).policy.tab.nano) == dollars(500)
        books.add_policy_file(a_file(None, state, commit="o3", minutes=2))
        assert books.policy_in_force(REPOSITORY).policy.tab.nano == dollars(500), "the absence was the last that counts"


def test_an_engineers_cap_is_the_same_in_every_repository(store: Store) -> None:
    """Its budget is shared, so no repository's file moves it, not even one that was valid in an earlier release."""
    with store.open(an_organization(store).id) as books:
        for repository, cap in ((REPOSITORY, "$0.01"), (102, "$700")):
            text = f"engineer: {{cap: {cap}, window: day, downgrade: {{cap: $1}}}}\ntab: $20\n"
            books.add_policy_file(PolicyFile(repository, "r1", text, "valid", (), NOW))
        policies = [books.policy_in_force(repository).policy for repository in (REPOSITORY, 102)]
        assert [policy.tab.nano for policy in policies] == [dollars(20)] * 2
        assert {policy.engineer for policy in policies} == {Policy().engineer}
        assert {policy.downgrade for policy in policies} == {Policy().downgrade}


def test_the_same_read_again_is_kept_once(store: Store) -> None:
    """Reading an unchanged file again only tells when it was last seen."""
    with store.open(an_organization(store).id) as books:
        assert books.policy_file(None) is None
        assert books.policy_file_in_force(None) is None
        books.add_policy_file(a_file(None, "valid", "20"))
        books.add_policy_file(a_file(None, "valid", "20", minutes=5))
        assert books.policy_file(None) == a_file(None, "valid", "20", minutes=5)
        assert books.policy_file_in_force(None) == a_file(None, "valid", "20", minutes=5)


def test_the_store_answers_that_it_is_there(store: Store) -> None:
    """A database that can be used raises nothing."""
    store.ping()


def test_branches_that_were_the_default_one(store: Store) -> None:
    """Each until when: the earliest word counts. One that is it again is no former one."""
    with store.open(an_organization(store).id) as books:
        first = books.save_repository(Repository(0, 7, "acme/one", "trunk"))
        second = books.save_repository(Repository(0, 8, "acme/two", "trunk"))
        assert books.former_defaults(first.id) == {}
        books.keep_former_default(first.id, "main", at(5))
        books.keep_former_default(first.id, "main", at(9))
        books.keep_former_default(first.id, "Main", at(9))
        books.keep_former_default(second.id, "main", at(2))
        assert books.former_defaults(first.id) == {"main": at(5), "Main": at(9)}
        books.keep_former_default(first.id, "main", at(3))
        assert books.former_defaults(first.id) == {"main": at(3), "Main": at(9)}
        books.save_repository(replace(first, private=False))
        assert "main" in books.former_defaults(first.id)
        books.save_repository(replace(first, default_branch="main"))
        assert books.former_defaults(first.id) == {"Main": at(9)}
        books.save_repository(replace(first, default_branch="develop"))
        assert books.former_defaults(second.id) == {"main": at(2)}

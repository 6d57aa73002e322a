"""The policy: read from the default branch, judged in pull requests, audited when it changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.github_api.protocol import RemoteRepository
from app.jobs.tab_facts import POLICY_PATH
from app.registry import InForce, PolicyFile
from tabstop.money import dollars
from tests.jobs.town import ALICE, RULES, SITE, WIDGET, Town, audit_rows, repository_body


def in_force(town: Town) -> InForce:
    """What holds in acme/widget."""
    with town.store.look(town.org) as db:
        return db.policy_in_force(town.repository().id)


def push(
    town: Town, text: str | None, commit: str, remote: RemoteRepository = WIDGET, touched: str = POLICY_PATH
) -> None:
    """Alice pushes the policy to the default branch of a repository."""
    name = remote.full_name
    town.pass_time(minutes=1)
    if text is None:
        town.github.files.pop((name, "", POLICY_PATH), None)
    else:
        town.github.write_file(name, POLICY_PATH, text, commit)
    body = {
        "ref": "refs/heads/main",
        "after": commit,
        "sender": ALICE,
        "commits": [{"added": [], "modified": [touched], "removed": []}],
        "repository": repository_body(remote),
    }
    town.deliver("push", body)
    town.settle()


def test_a_pushed_policy_is_in_force_and_audited(town: Town) -> None:
    """Old, new, who and at which commit, for every limit; nobody by name."""
    town.opened()
    assert in_force(town).read
    push(town, "tab:\n  cap: $5\ncheck: advise\n", "c1")
    assert (in_force(town).policy.tab.nano, in_force(town).commit) == (dollars(5), "c1")
    rows = audit_rows(town, "policy.changed")
    assert [(r.body["limit"], r.body["commit"], r.body["loosens"]) for r in rows] == [
        ("tab.cap", "c1", False),
        ("check", "c1", True),
    ]
    with town.store.look(town.org) as db:
        alice = db.engineer_by_login("alice")
    assert alice is not None
    assert {r.engineer_id for r in rows} == {alice.id}
    assert "5" in rows[0].body["new"]


def test_who_is_told_directly_is_audited_without_names_and_addresses(town: Town) -> None:
    """That somebody's messages go to somebody else is a decision; who they are in Slack is not the log's to keep."""
    town.opened()
    text = "slack: {people: {alice: alice@acme.example}}\n"
    push(town, text, "o1", RULES)
    push(town, text.replace("alice@", "mallory@"), "o2", RULES)
    rows = [row.body for row in audit_rows(town, "policy.changed")]
    with town.store.look(town.org) as db:
        alice = db.engineer_by_login("alice")
    assert alice is not None
    assert [(row["limit"], row["old"], row["new"]) for row in rows] == [
        (f"slack.people.engineer:{alice.id}", "not told directly", "told directly"),
        (f"slack.people.engineer:{alice.id}", "told directly", "told directly, as somebody else in Slack"),
    ]


def test_a_changed_policy_changes_the_checks(town: Town) -> None:
    """A cap that is lowered under what is spent turns the check red without a session doing anything."""
    town.opened()
    town.spend(town.start(), "6")
    town.settle()
    assert town.check().check.conclusion == "success"
    push(town, "tab:\n  cap: $5\n", "c1")
    assert town.check().check.conclusion == "failure"


def test_the_last_valid_policy_stays_in_force(town: Town) -> None:
    """Promise 6: a newer file that is invalid, or cannot be read, does not count, and surfaces say so."""
    town.opened()
    push(town, "tab:\n  cap: $5\n", "c1")
    push(town, "tab:\n  cpa: $500\n", "c2")
    assert (in_force(town).policy.tab.nano, bool(in_force(town).problem)) == (dollars(5), True)
    push(town, None, "c3")
    assert (in_force(town).policy.tab.nano, in_force(town).problem) == (dollars(50), "")
    push(town, "tab:\n  cap: $7\n", "c4")
    assert in_force(town).policy.tab.nano == dollars(7)
    assert [r.body["state"] for r in audit_rows(town, "policy.not_counted")] == ["invalid"]


def test_unreadable_is_not_absent(town: Town) -> None:
    """What GitHub will not show is not what is not there."""
    town.opened()
    push(town, "tab:\n  cap: $5\n", "c1")
    town.github.unreadable.add(("acme/widget", POLICY_PATH))
    push(town, "tab:\n  cap: $9\n", "c2")
    assert (in_force(town).policy.tab.nano, "unreadable" in in_force(town).problem) == (dollars(5), True)
    town.github.unreadable.clear()
    push(town, "tab:\n  cap: $9\n", "c3")
    assert (in_force(town).policy.tab.nano, in_force(town).problem) == (dollars(9), "")


def test_the_organizations_policy_holds_everywhere(town: Town) -> None:
    """The file in ORG/.github holds in every repository; a repository may only tighten."""
    town.opened()
    push(town, "tab:\n  cap: $20\napprovers: [alice]\nengineers:\n  alice:\n    cap: $9\n", "o1", RULES)
    assert in_force(town).policy.tab.nano == dollars(20)
    push(town, "tab:\n  cap: $90\n", "c1")
    assert in_force(town).policy.tab.nano == dollars(20)
    rows = audit_rows(town, "policy.changed")
    assert {r.subject for r in rows} == {"organization"}
    assert "alice" not in str([r.body for r in rows])
    assert any(r.body["limit"].startswith("engineers.engineer:") for r in rows)


def test_losing_sight_of_the_organizations_policy_does_not_lift_it(town: Town) -> None:
    """Taking `.github` out of the installation is not deleting the policy."""
    town.opened()
    push(town, "tab:\n  cap: $20\n", "o1", RULES)
    del town.github.repositories[777]["acme/.github"]
    with town.books() as db:
        repository = db.repository_by_github_id(RULES.github_id)
    assert repository
    push(town, "tab:\n  cap: $20\n", "o2", RULES)
    assert in_force(town).policy.tab.nano == dollars(20)


def test_a_push_elsewhere_reads_nothing(town: Town) -> None:
    """Only pushes to the default branch that touch the file."""
    town.opened()
    town.github.write_file("acme/widget", POLICY_PATH, "tab:\n  cap: $5\n", "c1")
    push(town, "tab:\n  cap: $5\n", "c1", touched="README.md")
    assert in_force(town).policy.tab.nano == dollars(50)


@pytest.mark.parametrize(("first", "then"), [(True, "Europe/Berlin"), (False, "UTC")])
def test_a_timezone_applies_from_the_next_month(town: Town, first: bool, then: str) -> None:
    """At once with the first policy of all; a change waits for the turn of the month, so that no window starts anew."""
    text = "timezone: Europe/Berlin\n"
    if first:
        town.github.write_file("acme/.github", POLICY_PATH, text, "o1")
    town.opened()
    town.deliver(
        "installation", {"action": "created", "installation": {"id": 777, "account": {"id": 4, "login": "acme"}}}
    )
    town.settle()
    push(town, text, "o1", RULES)
    with town.store.look(town.org) as db:
        assert db.organization().timezone == then
    town.pass_time(days=10)
    town.settle()
    with town.store.look(town.org) as db:
        assert db.organization().timezone == "Europe/Berlin"


# In a pull request


def editing(town: Town, text: str | None, number: int = 1) -> None:
    """A pull request changes the policy, or removes it."""
    remote = town.pull(number)
    town.github.changed["acme/widget", number] = ("src/a.py", POLICY_PATH)
    if text is not None:
        town.github.write_file("acme/widget", POLICY_PATH, text, remote.head_sha, ref=remote.head_sha)
    town.pull_event("opened", remote)
    town.settle()


def test_a_pull_request_that_breaks_the_policy_fails(town: Town) -> None:
    """The author sees each problem on its line, before it is merged."""
    editing(town, "tab:\n  cpa: $500\nchek: advise\n")
    check = town.check().check
    assert check.conclusion == "failure"
    assert [(a.path, a.start_line, a.level) for a in check.annotations] == [
        (POLICY_PATH, 2, "failure"),
        (POLICY_PATH, 3, "failure"),
    ]
    assert town.seen(1).edits_policy


def test_annotations_do_not_pile_up(town: Town) -> None:
    """GitHub only ever adds annotations, so an update sends none again."""
    editing(town, "tab:\n  cpa: $500\n")
    town.spend(town.start(), "1")
    town.settle()
    posted = town.check()
    assert posted.updates >= 2
    assert len(posted.check.annotations) == 1


def test_a_valid_edit_lists_what_changes(town: Town) -> None:
    """Old → new; and it does not count before it is merged."""
    editing(town, "tab:\n  cap: $500\n")
    check = town.check().check
    assert check.conclusion == "success"
    assert "tab.cap" in check.summary
    assert in_force(town).policy.tab.nano == dollars(50)
    town.spend(town.start(), "50")
    town.settle()
    assert town.check().check.conclusion == "failure"


def test_a_pull_request_may_remove_the_policy(town: Town) -> None:
    """Which changes limits too."""
    town.github.write_file("acme/widget", POLICY_PATH, "tab:\n  cap: $5\n", "c1")
    editing(town, None)
    check = town.check().check
    assert check.conclusion == "success"
    assert "tab.cap" in check.summary


def test_loosening_what_the_organization_holds_is_a_problem(town: Town) -> None:
    """Promise 6, said to the author."""
    town.github.write_file("acme/.github", POLICY_PATH, "tab:\n  cap: $20\n", "o1")
    town.opened(7)
    town.deliver(
        "installation", {"action": "created", "installation": {"id": 777, "account": {"id": 4, "login": "acme"}}}
    )
    town.settle()
    editing(town, "tab:\n  cap: $500\n")
    assert town.check().check.conclusion == "failure"


def test_an_organizations_file_that_never_was_valid_is_not_a_missing_one(town: Town) -> None:
    """An edit is judged as it would count: against the defaults, until the organization's file is valid."""
    town.github.write_file("acme/.github", POLICY_PATH, "tab:\n  cpa: $20\n", "o1")
    town.opened(7)
    town.deliver(
        "installation", {"action": "created", "installation": {"id": 777, "account": {"id": 4, "login": "acme"}}}
    )
    town.settle()
    assert "organization's policy file is invalid" in in_force(town).problem
    push(town, "tab:\n  cap: $400\n", "c1")
    assert in_force(town).policy.tab.nano == dollars(50)
    editing(town, "tab:\n  cap: $500\n")
    assert town.check().check.conclusion == "failure"
    assert "`tab.cap` loosens $50 (the default) to $500" in str(town.check().check.annotations)
    push(town, "may_loosen: [tab]\n", "o2", RULES)
    assert in_force(town).policy.tab.nano == dollars(400)


def test_an_edit_is_judged_against_what_an_earlier_release_took_for_valid(town: Town) -> None:
    """The organization's file counts as far as it can be read, also where an edit is judged."""
    town.opened(7)
    with town.books() as db:
        db.add_policy_file(PolicyFile(None, "o1", "tab: $20\nformerly: 1\n", "valid", (), town.at))
    editing(town, "tab:\n  cap: $30\n")
    assert town.check().check.conclusion == "failure"


def test_a_repository_does_not_set_an_engineers_budget(town: Town) -> None:
    """Pushed, it does not count; in a pull request it is a problem on its line. The other repositories never notice."""
    town.opened()
    push(town, "engineer: $0.01\n", "c1")
    assert (in_force(town).policy.engineer.nano, "invalid" in in_force(town).problem) == (dollars(1000), True)
    push(town, None, "c2")
    editing(town, "tab: $5\nengineer: $0.01\n", number=2)
    (found,) = town.check(2).check.annotations
    assert (found.start_line, found.level) == (2, "failure")
    assert "`engineer.cap` in the file of the organization's `.github` repository" in found.message
    assert audit_rows(town, "policy.changed") == []


def test_an_edit_taken_back_is_forgotten(town: Town) -> None:
    """A later push that leaves the policy alone is judged without it."""
    editing(town, "tab:\n  cpa: $500\n")
    town.pass_time(minutes=1)
    town.github.changed["acme/widget", 1] = ("src/a.py",)
    town.pull_event("synchronize", town.pull(1, head_sha="f" * 40))
    town.settle()
    assert town.check().check.conclusion == "success"
    assert not town.seen(1).edits_policy


def test_public_repositories_have_policies_too(town: Town) -> None:
    """Reading is the same."""
    push(town, "tab:\n  cap: $5\n", "c1", SITE)
    with town.store.look(town.org) as db:
        assert db.policy_in_force(town.repository(SITE).id).policy.tab.nano == dollars(5)


def test_an_edit_of_the_organizations_policy_is_judged_as_such(town: Town) -> None:
    """In ORG/.github the organization's own keys are allowed, and its limits are compared."""
    sha = "a" * 40
    remote = replace(town.pull(1), head_sha=sha, head_repository_id=RULES.github_id)
    town.github.put("acme/.github", remote, (POLICY_PATH,))
    text = "organization:\n  cap: $900\napprovers: [alice]\ntab:\n  cpa: $2\n"
    town.github.write_file("acme/.github", POLICY_PATH, text, sha, ref=sha)
    town.pull_event("opened", remote, RULES)
    town.settle()
    (posted,) = town.github.checks_on(sha)
    assert [(a.start_line, a.level) for a in posted.check.annotations] == [(5, "failure")]
    assert "organization.cap" in posted.check.summary


def test_a_repository_out_of_reach_leaves_no_dead_job(town: Town) -> None:
    """Taken from the installation between the push and the look at its files: GitHub is asked, and it is closed."""
    town.opened()
    town.pass_time(minutes=1)
    town.pull_event("synchronize", town.pull(1, head_sha="f" * 40))
    del town.github.repositories[777]["acme/widget"]
    town.github.pull_requests.clear()
    town.github.changed.clear()
    town.settle()
    assert town.dead() == []
    assert not town.repository(WIDGET).active

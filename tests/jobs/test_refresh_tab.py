"""The check and the comment of a pull request, from spending to what GitHub has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.github_api.fake import FakeGitHub, FakeInstallation
from app.github_api.protocol import GitHubError
from app.jobs.runner import Runner
from app.jobs.tab_facts import CHECK_NAME, MARKER
from tests.jobs.town import WIDGET, Town

ENFORCED = "tab:\n  cap: $5\n"
ADVISED = "tab:\n  cap: $5\ncheck: advise\n"


def test_a_pull_request_without_an_agent_is_answered(town: Town) -> None:
    """Promise 5: every pull request has its check, agents or not; with nothing to say there is no comment."""
    town.opened()
    check = town.check().check
    assert (check.name, check.conclusion) == (CHECK_NAME, "success")
    assert town.comments() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"draft": True},
        {"head_repository_id": 999, "head_owner": "mallory"},
        {"head_repository_id": None, "head_owner": "mallory"},
        {"author_id": None, "author_login": ""},
        {"author_login": "dependabot[bot]", "author_is_bot": True},
    ],
    ids=["draft", "fork", "deleted fork", "deleted author", "bot"],
)
def test_every_kind_of_pull_request_is_answered(town: Town, changes: dict[str, Any]) -> None:
    """Drafts, forks and bots are blocked by a missing check like anybody else."""
    town.opened(**changes)
    assert town.check().check.conclusion == "success"


def test_a_push_is_answered_on_its_own_commit(town: Town) -> None:
    """Only the check on the newest head counts, so each push gets one."""
    town.opened()
    town.pass_time(minutes=1)
    town.pull_event("synchronize", town.pull(1, head_sha="f" * 40))
    town.settle()
    assert len(town.github.checks_on(f"{1:040x}")) == len(town.github.checks_on("f" * 40)) == 1
    assert town.seen(1).check_sha == "f" * 40


@pytest.mark.parametrize("state", ["closed", "merged"])
def test_a_closed_pull_request_is_left_alone(town: Town, state: str) -> None:
    """It needs no answer any more."""
    town.pull_event("closed", town.pull(1, state=state))
    town.settle()
    assert (town.github.writes, town.dead()) == (0, [])


@pytest.mark.parametrize(
    ("policy", "spent", "conclusion", "comments"),
    [
        ("", "0.50", "success", 1),
        ("", "38", "neutral", 1),
        ("", "50", "failure", 1),
        (ENFORCED, "4", "neutral", 1),
        (ENFORCED, "5", "failure", 1),
        (ADVISED, "5", "neutral", 1),
        ("tab:\n  cap: $5\ncomment: 'off'\n", "5", "failure", 0),
        ("comment: on_warning\n", "0.50", "success", 0),
    ],
)
def test_spending_shows(town: Town, policy: str, spent: str, conclusion: str, comments: int) -> None:
    """Green, amber and red by the tab's own budget; the comment by its mode."""
    if policy:
        town.github.write_file("acme/widget", ".github/tabstop.yml", policy, "c0ffee")
    town.opened()
    session = town.start()
    town.spend(session, spent)
    town.settle()
    assert (town.check().check.conclusion, len(town.comments())) == (conclusion, comments)
    assert town.dead() == []


def test_the_comment_is_one_and_is_edited(town: Town) -> None:
    """Found again by its id, or by marker and author when the id is gone; made anew when somebody deleted it."""
    town.opened()
    session = town.start()
    town.github.comment("acme/widget", 1, "mallory", f"not ours {MARKER}")
    for _ in range(2):
        town.spend(session, "1.00")
        town.settle()
    (comment,) = (c for c in town.comments() if c.author == town.github.bot_login)
    assert comment.edits >= 1
    assert MARKER in comment.body

    del town.github.comments[comment.id]
    town.spend(session, "1.00")
    town.settle()
    (again,) = (c for c in town.comments() if c.author == town.github.bot_login)
    assert again.id != comment.id
    assert town.seen(1).comment_id == again.id


def test_a_crash_after_the_comment_makes_no_second_one(town: Town) -> None:
    """Sent and not remembered: the next time it is found by its marker."""
    town.opened()
    ours = town.github.comment("acme/widget", 1, town.github.bot_login, f"before the crash {MARKER}")
    town.spend(town.start(), "1.00")
    town.settle()
    assert [c.id for c in town.comments()] == [ours]
    assert town.comments()[0].edits == 1


def test_a_thousand_batches_make_a_handful_of_writes(town: Town) -> None:
    """Promise 8: work coalesces per tab. At most one round of writes every five seconds, the first at once, the last sure."""
    town.opened()
    session = town.start()
    town.settle()
    before = town.github.writes
    for _ in range(250):
        for _ in range(4):
            town.spend(session, "0.01")
            town.work()
        town.pass_time(milliseconds=80)
    town.settle()
    assert town.github.writes - before <= 2 * (20 // 5 + 3)
    assert "$10.00" in town.check().check.summary


def test_nothing_new_is_not_sent(town: Town) -> None:
    """An unchanged text is not sent again, however often it is asked for."""
    pull_request = town.opened()
    town.spend(town.start(), "1.00")
    town.settle()
    before = town.github.writes
    for _ in range(5):
        town.refresh(pull_request.tab_id)
        town.settle()
    assert town.github.writes == before


def test_a_rate_limit_is_waited_for(town: Town) -> None:
    """Retry-After is obeyed; then the check comes."""
    town.opened()
    town.spend(town.start(), "50")
    before = town.github.writes
    town.github.refusals = [GitHubError("slow down", status=429, retry_after=300)]
    town.settle(minutes=4)
    assert (town.github.writes, town.check().check.conclusion) == (before, "success")
    town.settle(minutes=2)
    assert (town.check().check.conclusion, town.dead()) == ("failure", [])


def test_an_outage_of_hours_loses_nothing(town: Town) -> None:
    """GitHub is away for six hours: nothing is asked for again meanwhile, and the red check comes when it is back."""
    town.opened()
    town.spend(town.start(), "50")
    town.github.refusals = [GitHubError("GitHub answered 502", status=502, retry_after=30)] * 1_000
    for _ in range(6 * 12):
        town.work()
        town.pass_time(minutes=5)
    assert town.dead() == []
    town.github.refusals = []
    for _ in range(3 * 12):
        town.work()
        town.pass_time(minutes=5)
    assert (town.check().check.conclusion, town.dead()) == ("failure", [])


def test_a_shared_head_shows_the_worst(town: Town) -> None:
    """Two branches at one commit have one check: that of the tab that stands worst, naming the other."""
    town.opened(1)
    town.opened(2, head_sha=f"{1:040x}")
    town.spend(town.start("feature-2"), "50")
    town.settle()
    check = town.check(1).check
    assert check.conclusion == "failure"
    assert "#1" in check.summary
    assert len(town.comments(2)) == 1
    assert town.comments(1) == []


def test_a_repository_out_of_reach_is_looked_for(town: Town) -> None:
    """Taken from the installation without a word: asked for, found gone, and no job is left dead."""
    pull_request = town.opened()
    del town.github.repositories[777]["acme/widget"]
    town.spend(town.start(), "1.00")
    town.settle()
    assert not town.repository(WIDGET).active
    assert town.dead() == []
    town.refresh(pull_request.tab_id)
    town.settle()
    assert town.dead() == []


def test_a_suspended_installation_posts_nothing(town: Town) -> None:
    """Nothing is asked of GitHub while it is suspended; on return every open pull request is answered."""
    pull_request = town.opened()
    town.github.accounts.pop(777)
    account = {"id": 4, "login": "acme"}
    town.deliver("installation", {"action": "suspend", "installation": {"id": 777, "account": account}})
    town.settle()
    before = town.github.writes
    town.pull_event("synchronize", town.pull(1, head_sha="e" * 40))
    town.refresh(pull_request.tab_id)
    town.settle()
    assert town.github.writes == before
    town.github.accounts[777] = (4, "acme")
    town.deliver("installation", {"action": "unsuspend", "installation": {"id": 777, "account": account}})
    town.settle()
    assert town.check(1).check.conclusion == "success"


def test_asking_again_does_not_cut_a_retry_after_short(town: Town) -> None:
    """Promise 8: a burst that goes on while GitHub wants to be left alone changes nothing about it."""
    pull_request = town.opened()
    session = town.start()
    before = town.github.reads + town.github.writes
    town.spend(session, "1")
    town.github.refusals = [GitHubError("slow down", status=429, retry_after=60)]
    for _ in range(10):
        town.work()
        town.spend(session, "1")
        town.refresh(pull_request.tab_id)
        town.pass_time(seconds=5)
    assert town.github.reads + town.github.writes == before
    town.settle()
    assert "$11.00" in town.check().check.summary


def test_what_always_fails_ends_in_the_dead_state(town: Town) -> None:
    """A refusal that asking again cannot help is visible at once; waiting for turns does not hide it."""
    pull_request = town.opened()
    town.spend(town.start(), "1")
    town.github.refusals = [GitHubError("Resource not accessible by integration", status=403)]
    town.settle()
    assert town.dead() == [("refresh_tab", "Resource not accessible by integration")]
    town.refresh(pull_request.tab_id)
    town.settle()
    assert town.dead() == []
    assert "$1.00" in town.check().check.summary


def test_a_mistake_of_ours_ends_in_the_dead_state(town: Town) -> None:
    """An error nobody expected is tried again ever later, and then kept with its reason."""
    pull_request = town.opened()
    town.start()
    town.settle()
    town.runner = Runner(replace(town.world, github=Broken()), town.runner.handlers)
    town.refresh(pull_request.tab_id)
    for _ in range(40):
        town.settle(minutes=1)
        town.pass_time(minutes=15)
    assert [kind for kind, _ in town.dead()] == ["refresh_tab"]


class Broken(FakeGitHub):
    """Fails in a way no Protocol promises."""

    def installation(self, installation_id: int) -> FakeInstallation:
        raise ZeroDivisionError(installation_id)

"""Notices: told to the right channel, warnings at most once, red and refusals through an outage, and never a flood."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.jobs import notice
from app.registry import Engineer, PullRequest, Repository
from app.slack_api.protocol import ChatError
from app.store.migrate import upgrade
from app.store.open import open_store
from app.world import GiveUpError, RetryLaterError
from tabstop.budget import Scope
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.wire_json import to_json
from tests.jobs.notice_stage import NOW, ORGANIZATIONS_FILE, OUTAGE, Stage, spent_finding


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A fresh SQLite file with that organization."""
    url = f"sqlite:///{tmp_path}/books.db"
    upgrade(url)
    store = open_store(url)
    organization = store.register(101, "acme", 11)
    with store.open(organization.id) as books:
        repository = books.save_repository(Repository(0, 1001, "acme/web"))
        alice = books.save_engineer(Engineer(0, 5, "alice"))
        tab = books.open_tab(repository.id, "claude/fix-login", NOW)
        books.save_pull_request(
            PullRequest(0, repository.id, 7, tab.id, "a" * 40, tab.branch, "main", alice.id, "Fix", "open", False, NOW)
        )
    stage = Stage(store, organization.id, repository, alice, tab)
    stage.policy(ORGANIZATIONS_FILE, organization=True)
    return stage


def test_a_step_is_told_once(stage: Stage) -> None:
    """However often the job runs, a warning is one message."""
    payload = stage.crossed(stage.budget(Scope.TAB, "38.20"), 75)
    for _ in range(3):
        notice.run(stage.world(), stage.organization_id, payload)
    assert stage.told() == [
        "#ai-spend acme/web: The tab's budget (claude/fix-login) is past 75 %: $38.20 spent of $50.00."
    ]
    assert "https://github.com/acme/web/pull/7|acme/web#7" in stage.chat.messages[0].blocks[-1]["elements"][0]["text"]


def test_a_step_is_not_repeated_after_a_doubtful_send(stage: Stage) -> None:
    """The message arrived, its answer was lost: a warning leaves it there."""
    payload = stage.crossed(stage.budget(Scope.TAB, "38.20"), 75)
    stage.chat.lost_answers = 1
    notice.run(stage.world(), stage.organization_id, payload)
    notice.run(stage.world(), stage.organization_id, payload)
    assert len(stage.told()) == 1


def test_red_is_repeated_after_a_doubtful_send_and_says_so(stage: Stage) -> None:
    """Red is worth a repeat, and the reader is told that it may be one."""
    payload = stage.crossed(stage.budget(Scope.TAB, "50.13"), 100)
    stage.chat.lost_answers = 1
    with pytest.raises(RetryLaterError):
        notice.run(stage.world(), stage.organization_id, payload)
    notice.run(stage.world(), stage.organization_id, payload)
    first, second = stage.told()
    assert first == "#ai-spend acme/web: The tab's budget (claude/fix-login) is spent: $50.13 spent of $50.00."
    assert second == f"{first} This may be a repeat: an earlier attempt may have arrived."


@pytest.mark.parametrize("step", [75, 100])
def test_an_outage_loses_nothing_and_marks_nothing(stage: Stage, step: int) -> None:
    """While the chat does not answer at all nothing was tried, so what comes after is told once and unmarked."""
    budget = stage.budget(Scope.TAB, "38.20" if step == 75 else "50.13")
    stage.enqueue("crossed", stage.crossed(budget, step))
    stage.chat.fail_with([OUTAGE] * 3)
    runner = stage.runner()
    for _ in range(5):
        runner.drain()
        stage.now += timedelta(minutes=5)
    assert len(stage.told()) == 1
    assert "repeat" not in stage.told()[0]
    assert not stage.store.dead_jobs()


def test_a_mistake_of_people_ends_in_a_dead_job(stage: Stage) -> None:
    """A channel that does not exist is shown to the operator, with what to do, instead of being tried for ever."""
    stage.chat.channels = frozenset({"other"})
    stage.enqueue("crossed", stage.crossed(stage.budget(Scope.TAB, "38.20"), 75))
    stage.runner().drain()
    ((_, reason),) = stage.store.dead_jobs()
    assert "channel_not_found" in reason


def test_a_rate_limit_is_obeyed(stage: Stage) -> None:
    """The outbox waits as long as the chat asks."""
    stage.chat.fail_with([ChatError("less", retry_after=41)])
    with pytest.raises(RetryLaterError) as caught:
        notice.run(stage.world(), stage.organization_id, stage.crossed(stage.budget(Scope.TAB, "38.20"), 75))
    assert caught.value.after == 41


def test_a_jump_over_several_steps_is_one_message(stage: Stage) -> None:
    """Spend that goes from 60 % to red at once tells of red only."""
    budget = stage.budget(Scope.TAB, "50.13")
    for step in (75, 90, 100):
        notice.run(stage.world(), stage.organization_id, stage.crossed(budget, step))
    assert stage.told() == ["#ai-spend acme/web: The tab's budget (claude/fix-login) is spent: $50.13 spent of $50.00."]


def test_what_is_no_longer_so_is_not_told(stage: Stage) -> None:
    """A correction came before the message: nothing is past the step any more."""
    notice.run(stage.world(), stage.organization_id, stage.crossed(stage.budget(Scope.TAB, "20"), 75))
    assert stage.told() == []


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ("slack:\n  channel: '#payments'\n", "#payments"),
        ("slack:\n  channel: '#secret'\n", "#ai-spend"),
        ("", "#ai-spend"),
    ],
)
def test_the_channel_is_the_policys_and_allow_listed(stage: Stage, text: str, channel: str) -> None:
    """A repository may choose among the channels its organization lists, and no other."""
    if text:
        stage.policy(text)
    notice.run(stage.world(), stage.organization_id, stage.crossed(stage.budget(Scope.REPOSITORY, "500", "500"), 100))
    assert [m.channel for m in stage.chat.messages] == [channel]


@pytest.mark.parametrize("scope", [Scope.ENGINEER, Scope.ORGANIZATION])
def test_budgets_of_no_repository_go_to_the_organizations_channel(stage: Stage, scope: Scope) -> None:
    """Whatever channel a repository chose; and as a state, without a name or a figure."""
    stage.policy("slack:\n  channel: '#payments'\n")
    notice.run(stage.world(), stage.organization_id, stage.crossed(stage.budget(scope, "1000.40", "1000"), 100))
    (said,) = stage.told()
    assert said.startswith("#ai-spend")
    assert "alice" not in said
    assert "$" not in said


def test_names_when_the_policy_says_so(stage: Stage) -> None:
    """`slack.names: true` names the engineer; their figures stay with them."""
    stage.policy(ORGANIZATIONS_FILE + "  names: true\n", organization=True)
    notice.run(
        stage.world(), stage.organization_id, stage.crossed(stage.budget(Scope.ENGINEER, "1000.40", "1000"), 100)
    )
    assert stage.told() == ["#ai-spend alice's budget for November 2026 is spent."]


def test_a_refusal_is_told_with_its_reason(stage: Stage) -> None:
    """What was not started, why, with the arithmetic and where to read on."""
    stage.budget(Scope.TAB, "50.13")
    stage.enqueue("refused:k1", stage.refused(spent_finding()))
    stage.runner().drain()
    assert stage.told() == [
        "#ai-spend acme/web: Start refused: the tab's budget (claude/fix-login) is spent: $50.13 spent of $50.00, $2.00 asked."
    ]
    assert "actions/runs/99" in stage.chat.messages[0].blocks[-1]["elements"][0]["text"]


def test_refusals_do_not_flood(stage: Stage) -> None:
    """A loop that asks a hundred times is one message per cause and hour; another cause or another hour is news."""
    stage.budget(Scope.TAB, "50.13")
    runner = stage.runner()

    def ask(times: int, cause: str = "spent") -> int:
        for n in range(times):
            stage.enqueue(f"refused:{stage.now}:{cause}:{n}", stage.refused(spent_finding(cause=cause)))
        runner.drain()
        return len(stage.told())

    assert ask(30) == 1
    assert ask(1, cause="held") == 2
    assert ask(3) == 2
    stage.now += timedelta(hours=1)
    assert ask(3) == 3


def test_a_refusal_with_one_new_reason_is_news(stage: Stage) -> None:
    """The tab's reason is known, the organization's is not: it is told, with both."""
    for scope in (Scope.TAB, Scope.ORGANIZATION):
        stage.budget(scope, "50.13")
    runner = stage.runner()
    stage.enqueue("refused:1", stage.refused(spent_finding()))
    runner.drain()
    stage.enqueue("refused:2", stage.refused(spent_finding(), spent_finding(Scope.ORGANIZATION)))
    runner.drain()
    assert len(stage.told()) == 2
    assert "(and 1 more reason)" in stage.told()[1]


def test_a_refusal_survives_an_outage(stage: Stage) -> None:
    """It is told when the chat is back; one whose answer was lost is told again, marked."""
    stage.budget(Scope.TAB, "50.13")
    stage.enqueue("refused:1", stage.refused(spent_finding()))
    stage.chat.fail_with([OUTAGE, OUTAGE])
    stage.chat.lost_answers = 1
    runner = stage.runner()
    for _ in range(5):
        runner.drain()
        stage.now += timedelta(minutes=5)
    assert [("repeat" in said) for said in stage.told()] == [False, True]


def test_a_refusal_that_is_no_budgets_is_told_too(stage: Stage) -> None:
    """A pause has no budget of its own: it is remembered under the repository's."""
    stage.budget(Scope.REPOSITORY, "0", "500")
    pause = Finding(Signal.PAUSE, Outcome.STOP, "organization", sentence="An operator has paused new sessions.")
    for n in range(3):
        stage.enqueue(f"refused:{n}", stage.refused(pause, tab=False))
    stage.runner().drain()
    assert stage.told() == ["#ai-spend acme/web: Start refused: an operator has paused new sessions."]


def test_a_refusal_just_before_a_window_ends_is_not_lost(stage: Stage) -> None:
    """The job runs in December, the budget that refused was November's."""
    stage.budget(Scope.ENGINEER, "50.13")
    stage.enqueue("refused:1", stage.refused(spent_finding(Scope.ENGINEER)))
    stage.now = datetime(2026, 12, 1, 0, 0, 5, tzinfo=UTC)
    stage.runner().drain()
    assert len(stage.told()) == 1


def test_an_engineers_refusal_names_nobody(stage: Stage) -> None:
    """The engineer's empty budget is a state in a channel."""
    stage.budget(Scope.ENGINEER, "50.13")
    stage.enqueue("refused:1", stage.refused(spent_finding(Scope.ENGINEER)))
    stage.runner().drain()
    (message,) = stage.chat.messages
    said = f"{message.text} {message.blocks}"
    assert "alice" not in said
    assert "$" not in said


@pytest.mark.parametrize("kind", ["crossed", "refused"])
def test_without_a_channel_or_a_chat_there_is_nothing_to_do(stage: Stage, kind: str) -> None:
    """No token, or no channel in the policy: everything else works."""
    budget = stage.budget(Scope.TAB, "50.13")
    payload = stage.crossed(budget, 100) if kind == "crossed" else stage.refused(spent_finding())
    notice.run(stage.world(chat=False), stage.organization_id, payload)
    stage.policy("slack:\n  channel: 'off'\n")
    stage.policy("check: enforce\n", organization=True)
    stage.enqueue(kind, payload)
    stage.runner().drain()
    assert stage.told() == []
    assert not stage.store.dead_jobs()


def test_a_repository_without_pull_request_is_linked_itself(stage: Stage) -> None:
    """There is always something to read on."""
    notice.run(stage.world(), stage.organization_id, stage.crossed(stage.budget(Scope.REPOSITORY, "500", "500"), 100))
    assert "<https://github.com/acme/web|acme/web>" in stage.chat.messages[0].blocks[-1]["elements"][0]["text"]


def test_what_is_gone_is_not_told(stage: Stage) -> None:
    """A repository or a budget that does not exist any more is no error."""
    gone = {**stage.refused(spent_finding()), "repository": 1, "tab": None}
    notice.run(stage.world(), stage.organization_id, gone)
    notice.run(stage.world(), stage.organization_id, {"notice": "crossed", "budget": 1, "step": 100})
    assert stage.told() == []


@pytest.mark.parametrize(("organization", "payload"), [(None, {"notice": "crossed"}), (1, {"notice": "party"})])
def test_a_job_nobody_can_do_is_given_up(stage: Stage, organization: int | None, payload: Mapping[str, Any]) -> None:
    """It ends dead and visible instead of being tried for ever."""
    with pytest.raises(GiveUpError):
        notice.run(stage.world(), organization, payload)


def test_a_trip_is_told_once_even_after_a_doubtful_send(stage: Stage) -> None:
    """Each trip under an id of its own; one that may have arrived is repeated and says so."""
    trip = {
        "session": "ses_1",
        "metric": "cost rate",
        "subject": "",
        "value": 7_500_000_000,
        "threshold": 5_000_000_000,
    }
    told = {
        **stage.refused(),
        "notice": "tripped",
        "trip": {**trip, "at": to_json(NOW)},
        "open_until": to_json(NOW + timedelta(minutes=15)),
        "again": False,
    }
    stage.chat.lost_answers = 1
    with pytest.raises(RetryLaterError):
        notice.run(stage.world(), stage.organization_id, {**told, "id": 11})
    notice.run(stage.world(), stage.organization_id, {**told, "id": 11})
    notice.run(stage.world(), stage.organization_id, {**told, "id": 12, "again": True, "open_until": None})
    said = "tripped: cost rate, $7.50 a minute, threshold $5.00."
    first, repeat, again = stage.told()
    assert first == f"#ai-spend acme/web: The breaker of claude-code {said}"
    assert repeat == f"{first} This may be a repeat: an earlier attempt may have arrived."
    assert again == f"#ai-spend acme/web: The breaker of claude-code {said.replace('tripped', 'tripped again')}"
    assert "refused until 21 November 2026 14:20 UTC" in str(stage.chat.messages[0].blocks)


def test_what_happens_in_a_session_is_told(stage: Stage) -> None:
    """A suspension and a raise, each under an id of its own; who is named is the policy's to say."""
    session = {
        "session": "ses_1",
        "repository": stage.repository.id,
        "tab": stage.tab.id,
        "engineer": stage.alice.id,
        "agent": "claude-code",
        "pull_request": 7,
        "run": "99",
        "at": to_json(NOW),
    }
    event = {"kind": "suspend", "signal": "limit", "scope": "cost", "value": 10**9, "threshold": 10**9}
    limits = {"cost": 2 * 10**9}
    raised = {"approver": stage.alice.id, "by_how_much": {"cost": 10**9}, "limits": limits, "expires_at": to_json(NOW)}
    stage.enqueue("a", {**session, "notice": "session", "id": 11, "event": {**event, "occurred_at": to_json(NOW)}})
    stage.enqueue("b", {**session, "notice": "raised", "id": 12, **raised})
    stage.enqueue("c", {**session, "notice": "raised", "id": 13, **raised, "approver": None})
    stage.runner().drain()
    assert stage.told() == [
        "#ai-spend acme/web: A session of claude-code was suspended.",
        "#ai-spend acme/web: A session of claude-code was given more (an overdrive): $1.00 more.",
        "#ai-spend acme/web: A session of claude-code was given more (an overdrive): $1.00 more.",
    ]
    assert "allowed by an approver" in str(stage.chat.messages[1].blocks)
    assert "allowed by an operator" in str(stage.chat.messages[2].blocks)


@pytest.mark.parametrize("what", ["session", "raised"])
def test_a_session_whose_repository_is_gone_is_told_of_to_nobody(stage: Stage, what: str) -> None:
    """Nothing to say where."""
    payload = {"notice": what, "id": 1, "repository": 1, "engineer": None, "approver": None}
    notice.run(stage.world(), stage.organization_id, payload)
    assert stage.told() == []

"""Direct messages: the engineer is told of their own session, once, at whatever channel; who cannot be told is remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.jobs import notice
from app.ledger.rows import NO_REPOSITORY
from app.registry import Engineer, EngineerKind, Repository, Store
from app.slack_api.fake import FakeChat
from app.slack_api.protocol import ChatError
from app.world import RetryLaterError
from tabstop.budget import Scope
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.wire_json import to_json
from tests.jobs.notice_stage import NOW, ORGANIZATIONS_FILE, OUTAGE, Stage
from tests.support.stores import KINDS

ALICE, CAROL = "U0ALICE00", "U0CAROL00"
BY_ID = f"{ORGANIZATIONS_FILE}  people: {{alice: {ALICE}}}\n"
BY_ADDRESS = f"{ORGANIZATIONS_FILE}  people: {{Alice: alice@acme.example}}\n"
NO_CHANNEL = f"slack: {{people: {{alice: {ALICE}}}}}\n"
EMPTY = Finding(Signal.BUDGET, Outcome.STOP, "organization", unit="usd", cap=10, spent=12, cause="spent")


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, new_store: Callable[[str], Store]) -> Stage:
    """Alice's organization on every kind of store; whom she is in Slack is each test's to say."""
    store = new_store(request.param)
    organization = store.register(101, "acme", 11)
    with store.open(organization.id) as books:
        repository = books.save_repository(Repository(0, 1001, "acme/web"))
        alice = books.save_engineer(Engineer(0, 5, "alice"))
        tab = books.open_tab(repository.id, "claude/fix-login", NOW)
    stage = Stage(store, organization.id, repository, alice, tab)
    stage.chat.members = {"alice@acme.example": ALICE}
    return stage


class SlowLookups(FakeChat):
    """Asks to look fewer people up."""

    def member_of(self, address: str) -> str:
        """See `Chat`."""
        raise ChatError("less", retry_after=41)


def session(
    stage: Stage, kind: str = "suspend", signal: str = "retry", id_: int = 11, **more: Any
) -> Mapping[str, Any]:
    """What the ledger leaves of an event of alice's session."""
    event = {"kind": kind, "signal": signal, "scope": "cost", "subject": "Bash", "value": 3, "threshold": 2}
    return {
        "notice": "session",
        "id": id_,
        "session": "ses_1",
        "repository": stage.repository.id,
        "tab": stage.tab.id,
        "engineer": stage.alice.id,
        "agent": "claude-code",
        "pull_request": None,
        "run": "",
        "at": to_json(NOW),
        "event": {**event, "occurred_at": to_json(NOW)},
        **more,
    }


def trip(stage: Stage) -> Mapping[str, Any]:
    """What the ledger leaves of a trip in it."""
    told = {
        "session": "ses_1",
        "metric": "tool failures",
        "subject": "Bash",
        "value": 100,
        "threshold": 60,
        "at": to_json(NOW),
    }
    until = to_json(NOW + timedelta(minutes=15))
    return {**session(stage), "notice": "tripped", "trip": told, "open_until": until, "again": False}


def told(stage: Stage, *payloads: Mapping[str, Any]) -> list[str]:
    """What was posted once the outbox has done these."""
    for n, payload in enumerate(payloads):
        stage.enqueue(f"{payload['id']}:{n}", payload)
    stage.runner().drain()
    return stage.told()


def to_alice(stage: Stage) -> list[str]:
    """What she was sent directly."""
    return [m.text for m in stage.chat.messages if m.channel == ALICE]


@pytest.mark.parametrize(
    ("kind", "signal", "says"),
    [
        ("suspend", "retry", "was suspended"),
        ("suspend", "limit", "was suspended"),
        ("suspend", "pause", "was suspended"),
        ("stop", "limit", "was stopped"),
        ("ask", "limit", "asks for more"),
    ],
)
def test_the_engineer_is_told_beside_the_channel(stage: Stage, kind: str, signal: str, says: str) -> None:
    """Whatever makes a session stand still or wait for somebody; the channel reads what it always read."""
    stage.policy(BY_ID, organization=True)
    assert told(stage, session(stage, kind, signal)) == [
        f"#ai-spend acme/web: A session of claude-code {says}.",
        f"{ALICE} acme/web: Your session of claude-code {says}.",
    ]


def test_the_engineer_is_told_of_a_trip(stage: Stage) -> None:
    """With the command that lets the session go on."""
    stage.policy(BY_ID, organization=True)
    _, message = told(stage, trip(stage))
    assert message.startswith(f"{ALICE} acme/web: The breaker of claude-code tripped in your session: ")
    assert "`tabstop release ses_1`" in str(stage.chat.messages[1].blocks)


def test_what_merely_looks_wrong_is_for_the_channel(stage: Stage) -> None:
    """An alert needs nobody yet, and a raise was asked for."""
    stage.policy(BY_ID, organization=True)
    limits = {"cost": 10**9}
    raised = {"notice": "raised", "approver": None, "by_how_much": limits, "limits": limits, "expires_at": to_json(NOW)}
    told(stage, session(stage, "alert", "runaway"), session(stage, id_=12, **raised))
    assert [m.channel for m in stage.chat.messages] == ["#ai-spend"] * 2


def test_without_a_channel_the_engineer_is_told_all_the_same(stage: Stage) -> None:
    """The two have nothing to do with each other."""
    stage.policy(NO_CHANNEL, organization=True)
    assert told(stage, session(stage)) == [f"{ALICE} acme/web: Your session of claude-code was suspended."]


def test_a_channel_that_does_not_work_keeps_nothing_from_the_engineer(stage: Stage) -> None:
    """Each message is a job of its own."""
    stage.policy(BY_ID, organization=True)
    stage.chat.channels = frozenset({ALICE})
    assert [said.partition(" ")[0] for said in told(stage, session(stage))] == [ALICE]
    assert len(stage.store.dead_jobs()) == 1


def test_each_event_is_told_once(stage: Stage) -> None:
    """However often its job runs; another event is news."""
    stage.policy(BY_ID, organization=True)
    for _ in range(3):
        told(stage, session(stage))
    assert len(to_alice(stage)) == 1
    told(stage, session(stage, id_=12))
    assert len(to_alice(stage)) == 2


def test_a_direct_message_that_may_have_arrived_is_repeated_and_says_so(stage: Stage) -> None:
    """Like the channel's."""
    stage.policy(NO_CHANNEL, organization=True)
    stage.chat.lost_answers = 1
    told(stage, session(stage))
    stage.now += timedelta(minutes=1)
    first, second = told(stage)
    assert second == f"{first} This may be a repeat: an earlier attempt may have arrived."


def test_an_outage_loses_no_direct_message(stage: Stage) -> None:
    """It is told once, unmarked, when the chat is back."""
    stage.policy(BY_ADDRESS, organization=True)
    stage.chat.fail_with([OUTAGE] * 5)
    told(stage, session(stage))
    for _ in range(5):
        stage.now += timedelta(minutes=5)
        told(stage)
    assert to_alice(stage) == ["acme/web: Your session of claude-code was suspended."]
    assert not stage.store.dead_jobs()


def test_nobody_is_told_who_is_not_listed(stage: Stage) -> None:
    """No entry, another's entry, a bot, a session of nobody known: the channel's message is all there is."""
    stage.policy(f"{ORGANIZATIONS_FILE}  people: {{carol: {CAROL}, renovate: {CAROL}}}\n", organization=True)
    with stage.store.open(stage.organization_id) as books:
        bot = books.save_engineer(Engineer(0, 6, "renovate", EngineerKind.BOT))
    told(stage, session(stage), session(stage, id_=12, engineer=bot.id), session(stage, id_=13, engineer=None))
    assert [m.channel for m in stage.chat.messages] == ["#ai-spend"] * 3


def test_a_repository_cannot_redirect_messages(stage: Stage) -> None:
    """Not even by a file that an earlier release took for valid."""
    stage.policy(BY_ID, organization=True)
    stage.policy(f"slack: {{people: {{alice: {CAROL}}}}}\n")
    assert [said.partition(" ")[0] for said in told(stage, session(stage))] == ["#ai-spend", ALICE]


def test_who_was_taken_off_the_list_meanwhile_is_not_told(stage: Stage) -> None:
    """The policy counts that is in force when the message goes out."""
    stage.policy(BY_ID, organization=True)
    stage.chat.fail_with([OUTAGE] * 2)
    told(stage, session(stage))
    stage.policy(ORGANIZATIONS_FILE, organization=True)
    stage.now += timedelta(minutes=5)
    assert [said.partition(" ")[0] for said in told(stage)] == ["#ai-spend"]


def test_an_address_is_looked_up_once_a_day(stage: Stage) -> None:
    """And again at once when the policy names another."""
    stage.policy(BY_ADDRESS, organization=True)
    told(stage, session(stage), session(stage, id_=12))
    assert stage.chat.looked_up == ["alice@acme.example"]
    stage.now += timedelta(days=1)
    told(stage, session(stage, id_=13))
    assert stage.chat.looked_up == ["alice@acme.example"] * 2
    stage.chat.members = {"a@acme.example": ALICE}
    stage.policy(f"{ORGANIZATIONS_FILE}  people: {{alice: a@acme.example}}\n", organization=True)
    told(stage, session(stage, id_=14))
    assert stage.chat.looked_up[2:] == ["a@acme.example"]
    assert len(to_alice(stage)) == 4


@pytest.mark.parametrize("text", [BY_ID, BY_ADDRESS])
def test_who_cannot_be_told_is_remembered_and_not_tried_for_an_hour(stage: Stage, text: str) -> None:
    """No dead job for every message, no endless trying, and the address is not kept; the channel is told as ever."""
    stage.policy(text, organization=True)
    stage.chat.members, stage.chat.channels = {}, frozenset({"ai-spend"})
    told(stage, session(stage), session(stage, id_=12))
    assert len(stage.chat.looked_up) == int("@" in text)
    assert [m.channel for m in stage.chat.messages] == ["#ai-spend"] * 2
    assert not stage.store.dead_jobs()
    with stage.store.look(stage.organization_id) as books:
        (known,) = books.slack_members()
    assert (known.engineer_id, known.member, known.checked_at) == (stage.alice.id, "", NOW)
    assert "not_found" in known.problem
    assert "acme.example" not in str(known)

    stage.chat.members, stage.chat.channels = {"alice@acme.example": ALICE}, None
    told(stage, session(stage, id_=13))
    assert to_alice(stage) == []
    stage.now += timedelta(hours=1)
    told(stage, session(stage, id_=14))
    assert len(to_alice(stage)) == 1
    with stage.store.look(stage.organization_id) as books:
        assert books.slack_member(stage.alice.id) == replace(known, member=ALICE, problem="", checked_at=stage.now)


def test_another_entry_is_tried_at_once(stage: Stage) -> None:
    """Whoever corrects the policy need not wait."""
    stage.policy(BY_ADDRESS, organization=True)
    stage.chat.members = {}
    told(stage, session(stage))
    stage.policy(BY_ID, organization=True)
    told(stage, session(stage, id_=12))
    assert len(to_alice(stage)) == 1


def test_a_token_at_fault_is_no_persons_fault(stage: Stage) -> None:
    """The job ends dead and visible, like the channel's, and nobody is remembered for it."""
    stage.policy(NO_CHANNEL, organization=True)
    stage.chat.fail_with([ChatError("Slack said `token_revoked`.")])
    told(stage, session(stage))
    assert len(stage.store.dead_jobs()) == 1
    with stage.store.look(stage.organization_id) as books:
        assert books.slack_members() == []


def test_a_rate_limit_of_the_lookup_is_obeyed(stage: Stage) -> None:
    """The outbox waits as long as Slack asks, and the message is not marked as tried."""
    stage.policy(BY_ADDRESS, organization=True)
    told(stage, session(stage))
    stage.now += timedelta(days=1)
    asked = {**session(stage, id_=12), "notice": "direct", "of": "session"}
    world = replace(stage.world(), chat=SlowLookups())
    with pytest.raises(RetryLaterError) as caught:
        notice.run(world, stage.organization_id, asked)
    assert caught.value.after == 41
    told(stage, asked)
    assert "repeat" not in to_alice(stage)[-1]
    assert len(to_alice(stage)) == 2


def test_a_repository_that_is_gone_is_no_error(stage: Stage) -> None:
    """Nothing to say where."""
    stage.policy(BY_ID, organization=True)
    notice.run(
        stage.world(), stage.organization_id, {**session(stage, repository=1), "notice": "direct", "of": "session"}
    )
    notice.run(stage.world(), stage.organization_id, {**trip(stage), "repository": 1})
    assert stage.told() == []


def test_work_in_no_repository_is_told_of_too(stage: Stage) -> None:
    """In the organization's channel, which hears no name, and to its engineer; a breaker there refuses nobody else."""
    stage.policy(BY_ID, organization=True)
    nowhere: dict[str, Any] = {"repository": NO_REPOSITORY, "tab": None}
    tripped = {**trip(stage), **nowhere, "id": 12, "open_until": None}
    failed = "tool failures, Bash failed in 100 % of its last calls, threshold 60 %."
    assert sorted(told(stage, session(stage, **nowhere), tripped)) == [
        "#ai-spend A session of claude-code was suspended.",
        f"#ai-spend The breaker of claude-code tripped: {failed}",
        f"{ALICE} The breaker of claude-code tripped in your session: {failed}",
        f"{ALICE} Your session of claude-code was suspended.",
    ]
    blocks = str([message.blocks for message in stage.chat.messages])
    assert "Session `ses_1` of `claude-code` in no repository was suspended." in blocks
    assert "It refuses no other session: a breaker is remembered for a repository." in blocks
    assert "``" not in blocks
    refused = {**session(stage, **nowhere), "notice": "refused", "findings": to_json([EMPTY])}
    stage.budget(Scope.ORGANIZATION, "12", "10")
    assert told(stage, refused)[-1].startswith("#ai-spend Start refused: the organization's budget")

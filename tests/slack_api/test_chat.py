"""Chat: the same contract for the fake and for slack-sdk against a Slack on loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from app.settings import Settings
from app.slack_api.client import REMEDIES, REMEDIES_FOR_MEMBERS, SlackChat
from app.slack_api.fake import FakeChat
from app.slack_api.protocol import Chat, ChatError, ChatMessage
from tests.slack_api.loopback import Answer, LoopbackSlack

HELLO = ChatMessage("#ai-spend", "hello", [{"type": "section", "text": {"type": "mrkdwn", "text": "*hello*"}}])


ALICE = "alice@acme.example"


@dataclass
class Stage:
    """A chat, and how to look at and disturb what is behind it."""

    chat: Chat
    texts: Callable[[], list[str]]
    limit: Callable[[int], None]
    lose_answer: Callable[[], None]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """slack-sdk honours the proxies of the environment, also for loopback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def slack() -> Iterator[LoopbackSlack]:
    """A Slack on loopback."""
    with LoopbackSlack(
        users={ALICE: {"id": "U012AB3CD", "deleted": False, "is_bot": False}}, scopes="chat:write,users:read.email"
    ) as slack:
        yield slack


@pytest.fixture(params=["fake", "slack-sdk"])
def stage(request: pytest.FixtureRequest) -> Stage:
    """Each implementation of `Chat` that has the channel #ai-spend."""
    if request.param == "fake":
        fake = FakeChat(
            team="acme",
            channels=frozenset({"ai-spend", "U012AB3CD"}),
            members={ALICE: "U012AB3CD"},
            may=frozenset({"chat:write", "users:read.email"}),
        )
        return Stage(
            fake,
            lambda: [m.text for m in fake.messages],
            lambda seconds: fake.fail_with([ChatError("less", retry_after=seconds)]),
            lambda: setattr(fake, "lost_answers", 1),
        )
    slack: LoopbackSlack = request.getfixturevalue("slack")
    return Stage(
        SlackChat(slack.token, slack.url),
        lambda: [m["text"] for m in slack.posted],
        lambda seconds: slack.next.append(
            Answer({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(seconds)})
        ),
        lambda: slack.next.append(Answer(None)),
    )


def test_a_message_arrives_and_has_an_id(stage: Stage) -> None:
    """What is posted is there once, and two messages have two ids."""
    first, second = stage.chat.post(HELLO), stage.chat.post(HELLO)
    assert stage.texts() == ["hello", "hello"]
    assert first
    assert first != second


def test_who_we_are(stage: Stage) -> None:
    """`doctor` shows whose token it is."""
    assert stage.chat.who() == "acme / tabstop"


def test_a_rate_limit_says_when_to_try_again(stage: Stage) -> None:
    """Retry-After reaches the outbox."""
    stage.limit(7)
    with pytest.raises(ChatError) as caught:
        stage.chat.who()
    assert caught.value.retry_after == 7
    assert stage.chat.post(HELLO)


def test_an_unknown_channel_is_for_people_to_correct(stage: Stage) -> None:
    """Repeating cannot help; the text names the channel and the code."""
    with pytest.raises(ChatError, match=r"`channel_not_found`.*`#elsewhere`") as caught:
        stage.chat.post(ChatMessage("#elsewhere", "hello", []))
    assert caught.value.retry_after is None


def test_a_member_is_found_by_address_and_gets_a_message(stage: Stage) -> None:
    """An address leads to an id, and a message goes to an id as to a channel."""
    member = stage.chat.member_of(ALICE)
    assert member == "U012AB3CD"
    assert stage.chat.post(ChatMessage(member, "for you", []))
    assert stage.texts() == ["for you"]


def test_an_unknown_address_or_member_is_for_people_to_correct(stage: Stage) -> None:
    """Repeating cannot help; the text has the code."""
    with pytest.raises(ChatError, match="`users_not_found`") as unknown:
        stage.chat.member_of("nobody@acme.example")
    with pytest.raises(ChatError, match=r"`channel_not_found`.*`U000000009`") as gone:
        stage.chat.post(ChatMessage("U000000009", "for you", []))
    assert (unknown.value.retry_after, gone.value.retry_after) == (None, None)
    assert "nobody@acme.example" not in str(unknown.value), "it is shown and logged"


def test_a_lookup_obeys_the_rate_limit(stage: Stage) -> None:
    """Like everything else."""
    stage.limit(7)
    with pytest.raises(ChatError) as caught:
        stage.chat.member_of(ALICE)
    assert caught.value.retry_after == 7


def test_what_the_token_may_do(stage: Stage) -> None:
    """`doctor` compares it with what the policy needs."""
    assert stage.chat.scopes() == frozenset({"chat:write", "users:read.email"})


def test_a_lost_answer_is_neither_success_nor_loss(stage: Stage) -> None:
    """When the connection breaks after sending, the message may be there: one attempt, and trying again may help."""
    stage.lose_answer()
    with pytest.raises(ChatError) as caught:
        stage.chat.post(HELLO)
    assert caught.value.retry_after == 0
    assert stage.texts() == ["hello"], "the client itself repeats nothing"


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_every_permanent_error_says_what_to_do(slack: LoopbackSlack, code: str) -> None:
    """A person who reads it in `doctor` knows the next step."""
    slack.next.append(Answer({"ok": False, "error": code}))
    with pytest.raises(ChatError) as caught:
        SlackChat(slack.token, slack.url).post(HELLO)
    assert caught.value.retry_after is None
    said = str(caught.value)
    assert f"`{code}`" in said
    assert "{channel}" not in said
    assert "xoxb-test" not in said


@pytest.mark.parametrize("code", sorted(REMEDIES_FOR_MEMBERS))
def test_every_permanent_error_about_a_member_says_what_to_do(slack: LoopbackSlack, code: str) -> None:
    """In words about people, not about channels."""
    slack.next.append(Answer({"ok": False, "error": code}))
    with pytest.raises(ChatError) as caught:
        SlackChat(slack.token, slack.url).post(ChatMessage("U012AB3CD", "for you", []))
    assert caught.value.retry_after is None
    said = str(caught.value)
    assert f"`{code}`" in said
    assert "slack.channel" not in said
    assert "{" not in said


@pytest.mark.parametrize(("more", "who"), [({"is_bot": True}, "a bot"), ({"deleted": True}, "a member who has left")])
def test_a_bots_address_and_a_former_members_are_nobodys(slack: LoopbackSlack, more: dict[str, bool], who: str) -> None:
    """Slack finds both, and neither reads messages."""
    slack.next.append(Answer({"ok": True, "user": {"id": "U012AB3CD", **more}}))
    with pytest.raises(ChatError, match=who) as caught:
        SlackChat(slack.token, slack.url).member_of(ALICE)
    assert caught.value.retry_after is None


def test_a_missing_scope_is_named_as_slack_names_it(slack: LoopbackSlack) -> None:
    """Each call needs its own."""
    slack.next.append(
        Answer({"ok": False, "error": "missing_scope", "needed": "users:read.email", "provided": "chat:write"})
    )
    with pytest.raises(ChatError, match=r"lacks the scope `users:read\.email`"):
        SlackChat(slack.token, slack.url).member_of(ALICE)


@pytest.mark.parametrize(("said", "scopes"), [(None, None), ("", frozenset()), ("a, b", frozenset({"a", "b"}))])
def test_scopes_are_read_from_the_header(slack: LoopbackSlack, said: str | None, scopes: frozenset[str] | None) -> None:
    """Something that stands in for Slack may not send it: then nobody knows."""
    slack.scopes = said
    assert SlackChat(slack.token, slack.url).scopes() == scopes


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"ok": False, "error": "internal_error"}),
        Answer({"ok": False, "error": "fatal_error"}, 500),
        Answer("<html>Bad gateway</html>", 502, {"Content-Type": "text/html"}),
        Answer("<html>Please log in to the proxy</html>", 200, {"Content-Type": "text/html"}),
    ],
)
def test_what_passes_by_itself_is_tried_again(slack: LoopbackSlack, answer: Answer) -> None:
    """An outage of Slack, or of something in between, is nobody's mistake."""
    slack.next.append(answer)
    with pytest.raises(ChatError) as caught:
        SlackChat(slack.token, slack.url).who()
    assert caught.value.retry_after == 0


@pytest.mark.parametrize("header", [{}, {"Retry-After": "soon"}])
def test_a_rate_limit_without_a_time_gets_one(slack: LoopbackSlack, header: dict[str, str]) -> None:
    """A missing or odd Retry-After is no reason to hammer."""
    slack.next.append(Answer({"ok": False, "error": "ratelimited"}, 429, header))
    with pytest.raises(ChatError) as caught:
        SlackChat(slack.token, slack.url).who()
    assert caught.value.retry_after == 30


def test_an_unknown_code_is_shown(slack: LoopbackSlack) -> None:
    """A code we have no words for is still named."""
    slack.next.append(Answer({"ok": False, "error": "too_many_attachments"}))
    with pytest.raises(ChatError, match="`too_many_attachments`") as caught:
        SlackChat(slack.token, slack.url).post(HELLO)
    assert caught.value.retry_after is None


def test_nobody_listening() -> None:
    """No Slack at all is an outage."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ChatError, match="could not be reached") as caught:
            SlackChat("xoxb-test", f"http://127.0.0.1:{taken.getsockname()[1]}/api").who()
    assert caught.value.retry_after == 0


def test_a_wrong_token_and_the_settings(slack: LoopbackSlack) -> None:
    """Token and address come from the settings; a wrong token says which setting to look at."""
    environ = {"TABSTOP_SECRET_KEY": "k" * 32, "TABSTOP_SLACK_TOKEN": "xoxb-wrong", "TABSTOP_SLACK_API_URL": slack.url}
    with pytest.raises(ChatError, match="TABSTOP_SLACK_TOKEN") as caught:
        SlackChat.from_settings(Settings.from_environ(environ)).who()
    assert caught.value.retry_after is None


def test_links_are_not_unfolded(slack: LoopbackSlack) -> None:
    """A notice stays as short as it was written, with its blocks."""
    SlackChat(slack.token, slack.url).post(HELLO)
    assert slack.posted == [
        {
            "channel": "ai-spend",
            "text": "hello",
            "blocks": list(HELLO.blocks),
            "unfurl_links": False,
            "unfurl_media": False,
        }
    ]

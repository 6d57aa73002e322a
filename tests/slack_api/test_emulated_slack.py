"""SlackChat against the emulated Slack: a notice as it is really sent, read back from the channel."""

from collections.abc import Callable

import pytest

from app.render.slack import slack_message
from app.slack_api.client import SlackChat
from app.slack_api.protocol import ChatError
from tests.render.test_notices import NOTICES
from tests.support.emulator import Emulators


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """slack-sdk honours the proxies of the environment, also for loopback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.node
@pytest.mark.usefixtures("no_proxy")
def test_a_notice_arrives_in_the_channel(start_emulators: Callable[[str], Emulators]) -> None:
    """The bot's token, a real channel, real HTTP: the message is there with its text, and a wrong channel is said."""
    emulators = start_emulators("http://localhost:9/webhooks")
    chat = SlackChat(emulators.env.slack_token, f"{emulators.env.slack_url}/api/")
    assert chat.who()
    message = slack_message(f"#{emulators.env.slack_channel}", NOTICES["red"])
    assert chat.post(message)
    assert [m["text"] for m in emulators.slack_messages()] == [message.text]
    with pytest.raises(ChatError, match="channel_not_found") as caught:
        chat.post(slack_message("#nowhere", NOTICES["red"]))
    assert caught.value.retry_after is None


@pytest.mark.node
@pytest.mark.usefixtures("no_proxy")
def test_a_notice_arrives_at_the_member_an_address_belongs_to(start_emulators: Callable[[str], Emulators]) -> None:
    """Without `im:write`: `chat:write` is enough to write to a member's id. Who is not there is said, with what to do."""
    emulators = start_emulators("http://localhost:9/webhooks")
    chat = SlackChat(emulators.env.slack_token, f"{emulators.env.slack_url}/api/")
    alice = chat.member_of("alice@acme.test")
    message = slack_message(alice, NOTICES["tripped-direct"])
    assert chat.post(message)
    assert [m["text"] for m in emulators.direct_messages(alice)] == [message.text]
    with pytest.raises(ChatError, match="users_not_found") as unknown:
        chat.member_of("nobody@acme.test")
    with pytest.raises(ChatError, match=r"channel_not_found.*slack\.people") as gone:
        chat.post(slack_message("U0NOBODY00", NOTICES["tripped-direct"]))
    assert (unknown.value.retry_after, gone.value.retry_after) == (None, None)
    assert chat.scopes() is None, "the emulator sends no header; Slack does"

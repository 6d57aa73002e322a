"""SlackChat against the emulated Slack: a notice as it is really sent, read back from the channel."""

from collections.abc import Callable

import pytest

from app.render.slack import slack_message
from app.slack_api.client import SlackChat
from app.slack_api.protocol import ChatError
from tests.render.test_notices import NOTICES
from tests.support.emulator import Emulators


@pytest.mark.node
def test_a_notice_arrives_in_the_channel(
    start_emulators: Callable[[str], Emulators], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot's token, a real channel, real HTTP: the message is there with its text, and a wrong channel is said."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    emulators = start_emulators("http://localhost:9/webhooks")
    chat = SlackChat(emulators.env.slack_token, f"{emulators.env.slack_url}/api/")
    assert chat.who()
    message = slack_message(f"#{emulators.env.slack_channel}", NOTICES["red"])
    assert chat.post(message)
    assert [m["text"] for m in emulators.slack_messages()] == [message.text]
    with pytest.raises(ChatError, match="channel_not_found") as caught:
        chat.post(slack_message("#nowhere", NOTICES["red"]))
    assert caught.value.retry_after is None

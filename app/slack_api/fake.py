"""FakeChat: a chat that keeps its messages instead of sending them; tests look at them, the demo shows them as a preview."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from app.slack_api.protocol import ChatError, ChatMessage


@dataclass
class FakeChat:
    """Keeps what was posted, oldest first, and fails when told to.

    channels: those that exist, members' ids among them; None for any. members: ids by e-mail address. may: the token's scopes;
    None where the chat does not say. failures: raised by the next calls, one each. lost_answers: how many of the
    next posts arrive although the caller gets an error, as when a connection breaks after sending.
    """

    team: str = "preview"
    bot: str = "tabstop"
    channels: frozenset[str] | None = None
    members: Mapping[str, str] = field(default_factory=dict)
    may: frozenset[str] | None = None
    messages: list[ChatMessage] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    failures: list[ChatError] = field(default_factory=list)
    lost_answers: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)

    def post(self, message: ChatMessage) -> str:
        """See `Chat`. The id is the message's number."""
        with self._lock:
            self._fail()
            if self.channels is not None and message.channel.lstrip("#") not in self.channels:
                raise ChatError(f"Slack said `channel_not_found`. There is no channel `{message.channel}`.")
            self.messages.append(message)
            if self.lost_answers:
                self.lost_answers -= 1
                raise ChatError("Slack could not be reached or did not answer: timed out", retry_after=0)
            return str(len(self.messages))

    def member_of(self, address: str) -> str:
        """See `Chat`."""
        with self._lock:
            self._fail()
            self.looked_up.append(address)
        if address not in self.members:
            raise ChatError("Slack said `users_not_found`. Nobody in the workspace has that e-mail address.")
        return self.members[address]

    def scopes(self) -> frozenset[str] | None:
        """See `Chat`."""
        with self._lock:
            self._fail()
        return self.may

    def who(self) -> str:
        """See `Chat`."""
        with self._lock:
            self._fail()
        return f"{self.team} / {self.bot}"

    def fail_with(self, errors: Iterable[ChatError]) -> None:
        """Let the next calls fail, one error each."""
        self.failures.extend(errors)

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

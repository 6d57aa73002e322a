"""What the server needs of a chat, as one small Protocol; `slack-sdk` and the fake stand behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class ChatError(Exception):
    """The chat did not take a message, or did not say that it did; the text says what happened and what to do.

    retry_after: seconds after which trying again can help; 0 when it can and nobody knows when; None when it cannot.
    """

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        """Keep when trying again can help."""
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message ready to post: Block Kit blocks, and the plain text that notifications and old clients show.

    channel: a name, an id, or the id of a member, who gets it as a direct message.
    """

    channel: str
    text: str
    blocks: Sequence[dict[str, Any]]


class Chat(Protocol):
    """Posts messages, in channels and to members."""

    def post(self, message: ChatMessage) -> str:
        """Post it; answers the message's id. Raises `ChatError`."""

    def member_of(self, address: str) -> str:
        """The id of the member with this e-mail address. Raises `ChatError`, also for a bot and for who has left."""

    def scopes(self) -> frozenset[str] | None:
        """What the token may do; None where the chat does not say. Raises `ChatError`."""

    def who(self) -> str:
        """Whom the token belongs to (`team / bot`): for `doctor`, and to see whether the chat is there. Raises `ChatError`."""

"""The outside world, passed to routes and jobs as one value and built once in `app.wiring`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.github_api.protocol import GitHubApp
from app.registry import Store
from app.settings import Settings
from app.slack_api.protocol import Chat
from tabstop.cost import Cost
from tabstop.plausible import ANY_MODEL, Most
from tabstop.policy.model import PriceOverride
from tabstop.usage import Usage


@dataclass(frozen=True, slots=True)
class World:
    """Everything that is not a plain value. chat is None without a Slack token; then notices are only logged.

    price: what a usage costs at its own date, with these overrides. price_card: the prices one session needs, as JSON.
    models_of: which models an agent may meet beside the one it was asked to use. most_in_a_call: tokens that one response of a model can have.
    """

    settings: Settings
    store: Store
    github: GitHubApp
    chat: Chat | None
    now: Callable[[], datetime]
    new_session_id: Callable[[], str]
    price: Callable[[Usage, Sequence[PriceOverride]], Cost]
    price_card: Callable[[Sequence[str], datetime, Sequence[PriceOverride]], dict[str, Any]]
    models_of: Callable[[str], Sequence[str]] = lambda _agent: ()
    most_in_a_call: Callable[[str], Most] = lambda _model: ANY_MODEL


class RetryLaterError(Exception):
    """A job cannot be done now. `after` seconds from now it may; the outbox backs off when it is None."""

    def __init__(self, reason: str, after: int | None = None) -> None:
        """Keep the reason, which `doctor` shows, and the delay."""
        super().__init__(reason)
        self.after = after


class NotYetError(Exception):
    """A job is too early: nothing is wrong, it is done at `at` and no sooner, however often it is asked for meanwhile."""

    def __init__(self, reason: str, at: datetime) -> None:
        """Keep the reason and the time."""
        super().__init__(reason)
        self.at = at


class GiveUpError(Exception):
    """A job can never be done; the reason is shown by `doctor`."""


JobHandler = Callable[[World, int | None, Mapping[str, Any]], None]
"""Does one job for an organization (internal id, or None). Raises `RetryLaterError`, `NotYetError` or `GiveUpError`; safe to
repeat."""

"""The retry brake's release: who is asked, once of each stop, and what an answer that comes too late changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.pricing import Pricer
from tabstop.beside.wrapper.release import Release
from tabstop.governor.facts import Released
from tabstop.governor.orders import Event, EventKind
from tabstop.governor.settings import Settings, Throttle
from tabstop.price_card import PriceCard
from tabstop.session import Limits
from tests.governor.builders import BEGUN, at, finished


@dataclass
class Braked:
    """A session that its retry brake has stopped. released: by whom, each time."""

    released: list[str] = field(default_factory=list)
    clock: datetime = BEGUN

    def __post_init__(self) -> None:
        """Stop it."""
        settings = Settings(limits=Limits(tokens=10**9), throttle=Throttle(retry_pauses=(1,)))
        self.governed = GovernedSession(settings, Pricer(PriceCard(BEGUN)), lambda: self.clock, on_event=self._heard)
        self.fails()

    def _heard(self, event: Event, _order: object) -> None:
        if event.kind is EventKind.RELEASE:
            self.released.append(event.by)

    def fails(self) -> None:
        """The same tool, twice in a row."""
        for second in range(2):
            self.governed.tell(finished(second, "Edit", failed=True, unseen=True))

    def release(self, *, asks: bool = True) -> Release:
        return Release(self.governed, "octocat", asks=asks)


def test_nobody_is_asked_where_nobody_sits() -> None:
    """Then it stays suspended, as at a job in CI."""
    braked = Braked()
    assert braked.release().due is not None
    assert braked.release(asks=False).due is None
    assert not braked.release(asks=False).ask_at_the_end(at(10))


def test_a_no_is_said_once_of_each_stop() -> None:
    """Nobody is asked about that one again."""
    braked = Braked()
    release = braked.release()
    release.answered(at(10), yes=False)
    assert release.due is None
    assert not release.ask_at_the_end(at(11))
    assert (braked.governed.state.stopped is not None, braked.released) == (True, [])


def test_an_answer_after_a_release_elsewhere_changes_nothing() -> None:
    """Somebody was quicker, in another terminal."""
    for yes in (True, False):
        braked = Braked()
        release = braked.release()
        braked.governed.tell(Released(at(10), "carol"))
        release.answered(at(11), yes=yes)
        assert (braked.governed.state.stopped, braked.released) == (None, ["carol"])


def test_what_was_typed_as_the_agent_ended_is_not_asked_again() -> None:
    """The run that asked hands it on."""
    for said in (True, False):
        braked = Braked()
        release = braked.release()
        release.said = said
        assert release.ask_at_the_end(at(10)) is said
        assert braked.released == (["octocat"] if said else [])
        assert release.due is None

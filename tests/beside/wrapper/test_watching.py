"""What a run sees of its agent: what counts of its log, what its hooks tell instead, and the vendor's windows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tabstop.agents.command_line import command_line_of
from tabstop.agents.dialect import Read
from tabstop.beside.gauge_watch import GaugeWatch
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.pricing import Pricer
from tabstop.beside.session_folder import Record, SessionFolder, create
from tabstop.beside.wrapper.hooks import HookPost
from tabstop.beside.wrapper.tee import Growth
from tabstop.beside.wrapper.watching import Watching
from tabstop.governor.orders import PROCEED, Act, Order
from tabstop.governor.settings import Settings
from tabstop.price_card import PriceCard
from tabstop.session import Limits
from tabstop.usage import Tokens, ToolCall, Usage
from tabstop.wire import StartRequest
from tests.beside.short_folder import short_folder
from tests.beside.test_gauge_file import WEEK
from tests.governor.builders import BEGUN, at


@dataclass
class Log:
    """An agent's log that tells what a test put in."""

    news: list[Read] = field(default_factory=list)
    session: str = "theirs"
    found: bool = True

    def read(self) -> list[Read]:
        """Each once."""
        told, self.news = self.news, []
        return told


class Watched:
    """A run of this program, whose hooks ask its post."""

    def __init__(self, root: Path, program: str) -> None:
        self.log = Log()
        record = Record("run-1", BEGUN, StartRequest("mine"), hmac_key="00")
        folder: SessionFolder = create(root, record)
        settings = Settings(limits=Limits(tokens=10**9))
        self.governed = GovernedSession(settings, Pricer(PriceCard(BEGUN)), lambda: at(20))
        self.post = HookPost(root, {}, lambda: at(20), lambda _text: None, (folder, record, self.governed))
        self.watching = Watching(
            self.governed,
            lambda: at(20),
            at(0),
            command=command_line_of(program),
            log=self.log,
            post=self.post,
            tee=None,
            growth=Growth(-1),
            gauges=GaugeWatch(folder, self.governed),
        )

    def answers(self, *answers: Read) -> int:
        """The log has these too; the model calls that count by then."""
        self.log.news += answers
        self.watching.look(alive=True)
        return self.governed.state.totals.iterations


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where sessions lie; sockets lie beside them."""
    with short_folder() as folder:
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        yield folder / "sessions"


def an_answer(key: str, seconds: float = 1, **more: object) -> Read:
    return Read(Usage((key,), "m", Tokens(input=100), at(seconds)), **more)  # type: ignore[arg-type]


def test_what_was_used_before_the_session_is_not_its(root: Path) -> None:
    """An agent that goes on with an older conversation has that one's answers in its log."""
    assert Watched(root, "claude").answers(an_answer("old", -60), an_answer("new")) == 1


@pytest.mark.parametrize(("program", "counted"), [("claude", 1), ("gemini", 0)])
def test_hooks_that_tell_usage_are_heard_instead_of_the_log(root: Path, program: str, counted: int) -> None:
    """Gemini's tell each answer themselves: its log has no ids by which the two could be known as one."""
    one = Watched(root, program)
    one.post.heard_at = time.monotonic()
    assert one.watching.hooks
    assert one.answers(an_answer("a")) == counted


FAILS = ToolCall("Edit", "the same", failed=True)


def test_a_tool_in_the_log_slows_the_agent_once(root: Path) -> None:
    """What has to wait is the next try; a stronger order stands, and time alone asks for no wait."""
    one = Watched(root, "claude")
    for order, expected in ((PROCEED, (Act.THROTTLE, 1.0)), (Order(Act.WIND_DOWN), (Act.WIND_DOWN, 0.0))):
        failed = an_answer("a" if order is PROCEED else "b")
        one.answers(replace(failed, usage=replace(failed.usage, tool_calls=(FAILS,))))
        slower = one.watching.slower(order)
        assert (slower.act, slower.seconds) == expected
        assert one.watching.slower(order) is order


def test_the_vendors_windows_in_a_log_are_told(root: Path) -> None:
    """Codex writes them beside its answers."""
    one = Watched(root, "codex")
    one.answers(an_answer("a", gauges=(WEEK,)))
    assert one.governed.state.gauged.readings == (WEEK,)


def test_without_any_sign_nobody_calls_it_silent(root: Path) -> None:
    """Where neither log nor output can be seen, silence says nothing."""
    one = Watched(root, "claude")
    assert one.watching.quiet == 0
    bare = Watching(
        one.governed,
        lambda: at(20),
        at(0),
        command=None,
        log=None,
        post=None,
        tee=None,
        growth=Growth(-1),
        gauges=GaugeWatch(one.post._folder, one.governed),
    )
    bare.look(alive=True)
    assert (bare.quiet, bare.session, bare.hooks) == (None, "", False)

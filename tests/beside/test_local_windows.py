"""A start that no server answers meets its vendor's windows by what this machine has read of them, as one at a server does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tabstop.beside.admission import Asked, NotAdmittedError, ask
from tabstop.beside.credentials import Credentials, Login
from tabstop.beside.gauge_file import keep_gauges, machine_gauges, read_gauges
from tabstop.beside.journal import Entry, Journal
from tabstop.beside.session_folder import Record, SessionFolder, create, sessions_root
from tabstop.beside.status_windows import keep_windows
from tabstop.gauge import GaugeReading, GaugeSource
from tabstop.governor.facts import Resumed
from tabstop.governor.settings import InSession, OnFull, Settings, Windows
from tabstop.session import Limits
from tabstop.usage import Billing
from tabstop.verdict import Signal
from tabstop.wire import StartRequest
from tests.beside.fake_server import ALLOWED, FakeServer
from tests.governor.builders import answer, at
from tests.support.golden import expect

HOUR = 3_600
NOW = at(4 * HOUR)
FULL = GaugeReading("anthropic", "", "5h", 9_700, NOW, GaugeSource.STATUS_LINE, NOW + timedelta(hours=1), 300)
"""At its average rate full in 7 minutes."""

FILLING = replace(FULL, used=8_500)
"""Likewise in 42."""

HALF = replace(FULL, used=5_000)
BY_PROXY = replace(FULL, source=GaugeSource.HEADER)
"""Whoever called through the proxy: it does not say who pays for the next session."""

WEEK = replace(FULL, window="weekly", minutes=10_080, resets_at=NOW + timedelta(days=2))
PLAN = {"CLAUDE_CODE_OAUTH_TOKEN": "o"}
KEY = {"ANTHROPIC_API_KEY": "k"}
WARN, DEFER = Windows(), Windows(OnFull.DEFER)
FIT = replace(DEFER, fit_sessions=True)
SUSPEND = Windows(in_session=InSession.SUSPEND)


@dataclass
class Machine:
    """Where sessions lie; environ: its own, without a server and a plan."""

    path: Path
    windows: Windows = WARN
    agent: str = "claude-code"
    environ: dict[str, str] = field(default_factory=dict)
    server: FakeServer = field(default_factory=FakeServer)

    def __post_init__(self) -> None:
        self.environ = {"HOME": str(self.path), **PLAN}

    def read(self, *readings: GaugeReading) -> None:
        """Its agents heard this."""
        folder = machine_gauges(self.environ)
        folder.path.mkdir(parents=True, exist_ok=True)
        keep_gauges(folder, readings)

    @property
    def folder(self) -> SessionFolder:
        return SessionFolder(sessions_root(self.environ) / "s1")

    @property
    def record(self) -> Record:
        limits = Limits(tokens=500, wall_clock_seconds=2 * HOUR)
        return Record("s1", NOW, StartRequest(self.agent), Settings("s1", limits, windows=self.windows), cwd="/nowhere")

    def start(self) -> Asked:
        return ask(self.record, Limits(), self.environ, NOW, transport=self.server, sleep=lambda _seconds: None)

    def refused(self) -> NotAdmittedError:
        with pytest.raises(NotAdmittedError) as caught:
            self.start()
        return caught.value


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """See `Machine`."""
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("read", "windows", "environ", "said", "minutes"),
    [
        ((), WARN, PLAN, "", 120),
        ((HALF,), WARN, PLAN, "", 120),
        ((FULL,), WARN, PLAN, "97 % used", 120),
        ((FULL, WEEK), WARN, PLAN, "weekly window is 97 % used", 120),
        ((FULL,), WARN, {}, "97 % used", 120),  # whoever pays
        ((FULL,), WARN, KEY, "", 120),  # no window bounds what is billed per token
        ((BY_PROXY,), DEFER, {}, "97 % used", 120),  # nobody is refused on a guess
        ((replace(FULL, resets_at=None),), DEFER, PLAN, "97 % used", 120),
        ((FULL,), Windows(OnFull.ALLOW), PLAN, "", 120),
        ((HALF,), replace(WARN, threshold=50), PLAN, "50 % used", 120),
        ((FILLING,), WARN, PLAN, "at its average rate full at 13:42 UTC", 120),
        ((FILLING,), FIT, PLAN, "The session's time is cut to end before it is full.", 40),
        ((FILLING,), replace(FIT, on_full=OnFull.ALLOW), PLAN, "", 40),
        ((replace(FULL, resets_at=NOW),), DEFER, PLAN, "", 120),  # begun anew
        ((replace(FULL, observed_at=NOW - timedelta(hours=6), resets_at=None),), DEFER, PLAN, "", 120),
        ((replace(FULL, observed_at=NOW + timedelta(seconds=1)),), DEFER, PLAN, "", 120),  # a clock that was wrong
        ((replace(FULL, vendor="openai"),), DEFER, PLAN, "", 120),
        ((replace(FULL, window="7d_opus"),), DEFER, PLAN, "", 120),  # which model it calls nobody knows
        ((replace(FULL, account="old", observed_at=NOW - timedelta(minutes=9)), HALF), DEFER, PLAN, "", 120),
    ],
)  # fmt: skip
def test_a_start_that_is_let_in(
    machine: Machine,
    read: tuple[GaugeReading, ...],
    windows: Windows,
    environ: dict[str, str],
    said: str,
    minutes: int,
) -> None:
    """Warned, cut to fit, or neither: the server's own table, on what was read here."""
    machine.windows, machine.environ = windows, {"HOME": machine.environ["HOME"], **environ}
    machine.read(*read)
    found = machine.start()
    assert said in found.said
    assert bool(found.said) == bool(said)
    assert found.record.settings.limits == Limits(tokens=500, wall_clock_seconds=minutes * 60)


@pytest.mark.parametrize(
    ("read", "windows"),
    [
        ((FULL,), DEFER),
        ((FULL,), FIT),
        ((FILLING,), DEFER),
        ((HALF,), replace(DEFER, threshold=50)),
        ((HALF, WEEK), DEFER),
    ],
)
def test_a_start_that_is_deferred(machine: Machine, read: tuple[GaugeReading, ...], windows: Windows) -> None:
    """With the time from which asking again can help."""
    machine.windows = windows
    machine.read(*read)
    (finding, *_) = machine.refused().verdict.reasons
    assert (finding.signal, finding.retry_at) == (Signal.GAUGE, finding.until)


def test_what_people_read(machine: Machine) -> None:
    """The server's sentences."""
    machine.read(FULL, WEEK)
    warned = machine.start().said
    machine.windows = DEFER
    expect("windows/without-a-server.txt", f"{warned}\n\n{machine.refused()}\n")


def test_the_rate_is_that_of_the_recent_past(machine: Machine) -> None:
    """The status line keeps earlier readings: a window that nobody uses now does not fill."""
    machine.windows = DEFER
    machine.read(FILLING)
    assert "full at" in str(machine.refused())
    keep_windows(machine.environ, [replace(FILLING, observed_at=NOW - timedelta(minutes=40))])
    assert machine.start().said == ""


def test_codex_by_its_own_login(machine: Machine) -> None:
    """And its own vendor's windows. An agent that works with any vendor has none."""
    machine.read(replace(FULL, vendor="openai"))
    machine.windows, machine.agent = DEFER, "codex"
    assert "OpenAI's 5-hour window is 97 % used" in machine.start().said
    login = machine.path / ".codex" / "auth.json"
    login.parent.mkdir()
    login.write_text('{"tokens": {"access_token": "a"}}', encoding="utf-8")
    assert "OpenAI's 5-hour window is 97 % used" in str(machine.refused())
    machine.agent = "opencode"
    assert machine.start().said == ""


def test_a_session_that_has_had_an_answer_goes_on(machine: Machine) -> None:
    """As at a server. One that was only opened begins."""
    machine.windows = DEFER
    machine.read(FULL)
    with Journal(create(sessions_root(machine.environ), machine.record).journal) as journal:
        journal.append(Entry(Resumed(NOW)))
        assert "97 % used" in str(machine.refused())
        journal.append(Entry(answer(4 * HOUR), ("anthropic:msg:1",)))
    assert machine.start() == Asked(machine.record)


@pytest.mark.parametrize(
    ("read", "windows", "environ", "kept"),
    [
        ((FULL,), SUSPEND, PLAN, (FULL,)),
        ((FULL,), replace(SUSPEND, on_full=OnFull.ALLOW), PLAN, (FULL,)),
        ((FULL, replace(WEEK, used=100)), SUSPEND, PLAN, (FULL,)),
        ((FILLING,), SUSPEND, PLAN, ()),
        ((BY_PROXY,), SUSPEND, {}, ()),  # nobody is suspended on a guess
        ((replace(FULL, resets_at=None),), SUSPEND, PLAN, ()),
        ((FULL,), WARN, PLAN, ()),  # the start has said it
        ((FULL,), replace(SUSPEND, on_full=OnFull.DEFER), PLAN, ()),
    ],
)
def test_what_a_session_begins_with(
    machine: Machine,
    read: tuple[GaugeReading, ...],
    windows: Windows,
    environ: dict[str, str],
    kept: tuple[GaugeReading, ...],
) -> None:
    """Its folder tells what suspends it; it need not call a model to hear that."""
    machine.windows, machine.environ = windows, {"HOME": machine.environ["HOME"], **environ}
    machine.read(*read)
    create(sessions_root(machine.environ), machine.record)
    try:
        machine.start()
    except NotAdmittedError:
        assert windows.on_full is OnFull.DEFER
    assert read_gauges(machine.folder) == kept


def test_a_session_without_a_folder_begins_all_the_same(machine: Machine) -> None:
    """It hears of its windows with its first answer."""
    machine.windows = SUSPEND
    machine.read(FULL)
    assert "97 % used" in machine.start().said
    assert not machine.folder.path.exists()


SERVER = {"TABSTOP_SERVER": "https://tabstop.example", "TABSTOP_TOKEN": "t", "TABSTOP_REPOSITORY": "acme/widget"}


def _off(machine: Machine) -> None:
    machine.environ |= {**SERVER, "TABSTOP_SERVER": "off"}


def _half_set(machine: Machine) -> None:
    machine.environ |= {**SERVER, "TABSTOP_TOKEN": ""}


def _away(machine: Machine) -> None:
    machine.environ |= SERVER
    machine.server.away = True


def _logged_in_for_others(machine: Machine) -> None:
    login = Login(SERVER["TABSTOP_SERVER"], "acme", "octocat", "tabstop_eng_1")
    Credentials(machine.path / ".config" / "tabstop" / "credentials.json").keep(login)


@pytest.mark.parametrize("without", [_off, _half_set, _away, _logged_in_for_others])
def test_where_no_server_answers(machine: Machine, without: Callable[[Machine], None]) -> None:
    """Switched off, set by half, away, or not this repository's."""
    without(machine)
    machine.read(FULL)
    assert machine.start().said.endswith("resets at 14:00 UTC.")
    machine.windows = DEFER
    assert "Start it after 14:00 UTC." in str(machine.refused())
    assert machine.server.starts == []


def test_where_a_server_answered_nothing_is_said_twice(machine: Machine) -> None:
    """It knows more than this machine: neither a warning nor a cut is added to its answer."""
    machine.environ |= SERVER
    machine.windows = FIT
    machine.read(FULL)
    found = machine.start()
    assert (found.said, found.record.settings.limits, found.record.server_session) == ("", ALLOWED, "ses_9")
    assert [one.billing for one in machine.server.starts] == [Billing.SUBSCRIPTION]

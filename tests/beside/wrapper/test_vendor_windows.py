"""`tabstop run` without a server, before a vendor's window that this machine knows to be full: deferred, warned, cut to fit, suspended."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.gauge_file import keep_gauges, machine_gauges, read_gauges
from tabstop.gauge import GaugeReading, GaugeSource
from tests.beside.wrapper.test_wrapped_agent import same
from tests.beside.wrapper.wrapped import Done, Place
from tests.support.golden import expect

PLAN = {"CLAUDE_CODE_OAUTH_TOKEN": "o"}


def read(place: Place, used: int, left: timedelta = timedelta(hours=1)) -> GaugeReading:
    """The status line told this a moment ago."""
    now = datetime.now(UTC)
    reading = GaugeReading("anthropic", "", "5h", used, now, GaugeSource.STATUS_LINE, now + left, 300)
    machine = machine_gauges(place.environ)
    machine.path.mkdir(exist_ok=True)
    keep_gauges(machine, [reading])
    return reading


def said(done: Done, place: Place) -> str:
    """The text without its times: full at 13:07, resets at 14:00."""
    text = re.sub(r"(?:\d+ \w+ )?\d\d:\d\d UTC", "14:00 UTC", same(done.err, place))
    return text.replace("full at 14:00", "full at 13:07")


def test_it_is_deferred(place: Place) -> None:
    """The agent is not started, the code is that of a refusal, and nothing of a session stays. Once the window is over it starts."""
    place.policy("windows:\n  on_full: defer\n")
    read(place, 9_700)
    done = place.run(**PLAN)
    assert (done.code, done.out) == (ExitCode.REFUSED, "")
    expect("windows/run-deferred.txt", said(done, place))
    assert place.sessions == []
    read(place, 9_700, timedelta())
    assert place.run(FAKE_ANSWERS="1", **PLAN).code == 0


def test_it_is_warned(place: Place) -> None:
    """Once, by default, and it runs. Where the policy has problems, both are said."""
    place.policy("windows:\n  on_fool: defer\n")
    read(place, 9_700)
    done = place.run(FAKE_ANSWERS="1", TABSTOP_SERVER="off", **PLAN)
    assert done.code == 0
    expect("windows/run-warned.txt", said(done, place))
    assert "97 %" not in place.run(FAKE_ANSWERS="1", ANTHROPIC_API_KEY="k").err


def test_its_time_is_cut_to_fit(place: Place) -> None:
    """To the window's end at this rate, in steps of five minutes: less than 43 minutes."""
    place.policy("windows:\n  on_full: allow\n  fit_sessions: true\n")
    read(place, 8_500)
    done = place.run(FAKE_ANSWERS="1", **PLAN)
    assert "window" not in done.err
    assert place.session.record.settings.limits.wall_clock_seconds == 40 * 60


def test_it_is_suspended_before_its_first_call(place: Place) -> None:
    """Where the policy suspends sessions at a full window. It can be released as any other, and then starts."""
    place.policy("windows:\n  in_session: suspend\n")
    reading = read(place, 9_700)
    done = place.run(**PLAN)
    assert (done.code, done.out) == (ExitCode.REFUSED, "")
    expect("windows/run-suspended.txt", said(done, place))
    session = place.session.record.id
    assert place.session.state.gauged.readings == (reading,)
    released = place.tabstop("release", session)
    assert released.out.splitlines()[1] == f"To resume: tabstop run --session {session} -- COMMAND"
    again = place.run("--session", session, FAKE_ANSWERS="1", **PLAN)
    assert (again.code, again.out) == (0, "answer 0\nfinished\n")


def test_the_machine_learns_what_a_session_heard(place: Place) -> None:
    """The next start is warned by it."""
    reading = replace(read(place, 100), used=9_700, observed_at=datetime.now(UTC))
    place.run(FAKE_ANSWERS="1", **PLAN)
    keep_gauges(place.folder, [reading])
    session = place.session.record.id
    assert place.run("--session", session, FAKE_ANSWERS="1", **PLAN).code == 0
    assert read_gauges(machine_gauges(place.environ)) == (reading,)
    assert "97 % used" in place.run(FAKE_ANSWERS="1", **PLAN).err

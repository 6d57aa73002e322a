"""The gate before a vendor's window: warned, deferred or let in, and cut to fit; never more than a finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.admission import StartFacts, may_start
from tabstop.budget import Scope
from tabstop.explain import explain, refusal
from tabstop.gauge import FULL, GaugeReading, GaugeSource, vendor_of
from tabstop.gauge_gate import Asked, at_the_windows, begins_with, concerns
from tabstop.governor.settings import InSession, OnFull, Windows
from tabstop.policy.model import Policy, SessionLimits
from tabstop.usage import Billing
from tabstop.verdict import Finding, Outcome, Signal
from tabstop.visibility import Reader, Surface, for_reader

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
RESETS = NOW + timedelta(hours=1)
FULLISH = GaugeReading("anthropic", "mine", "5h", 9_500, NOW, GaugeSource.HEADER, RESETS, 300)
"""Four of five hours over: at this rate full in 12 minutes."""

FILLING = replace(FULLISH, used=8_500)
"""At this rate full in 42 minutes."""

HALF = replace(FULLISH, used=5_000)
WEEK = replace(FULLISH, window="weekly", minutes=10_080, used=2_000, resets_at=NOW + timedelta(days=3))
OTHER = replace(HALF, account="other", used=1_000, observed_at=NOW - timedelta(hours=1))


def before(minutes: int, used: int, account: str = "mine") -> GaugeReading:
    """An earlier reading of the same window."""
    return replace(FULLISH, used=used, account=account, observed_at=NOW - timedelta(minutes=minutes))


WARN, DEFER, ALLOW = Windows(), Windows(OnFull.DEFER), Windows(OnFull.ALLOW)
FIT = replace(DEFER, fit_sessions=True)
PLAN = Asked("anthropic", "claude-sonnet-5-5", Billing.SUBSCRIPTION, "octocat", SessionLimits(), NOW)


@pytest.mark.parametrize(
    ("gauges", "windows", "billing", "outcomes", "minutes"),
    [
        ((HALF, WEEK), DEFER, Billing.SUBSCRIPTION, [], 120),
        ((FULLISH, WEEK), WARN, Billing.SUBSCRIPTION, [Outcome.WARN], 120),
        ((FULLISH, WEEK), DEFER, Billing.SUBSCRIPTION, [Outcome.STOP], 120),
        ((FULLISH, WEEK), ALLOW, Billing.SUBSCRIPTION, [], 120),
        ((FILLING,), WARN, Billing.SUBSCRIPTION, [Outcome.WARN], 120),
        ((FILLING,), DEFER, Billing.SUBSCRIPTION, [Outcome.STOP], 120),
        ((FILLING,), FIT, Billing.SUBSCRIPTION, [Outcome.WARN], 40),  # it ends before
        ((FULLISH,), FIT, Billing.SUBSCRIPTION, [Outcome.STOP], 10),  # nearly full is nearly full
        ((FILLING,), replace(FIT, on_full=OnFull.ALLOW), Billing.SUBSCRIPTION, [], 40),
        ((replace(FILLING, used=9_900),), replace(FIT, on_full=OnFull.WARN), Billing.SUBSCRIPTION, [Outcome.WARN], 120),  # two minutes are no session
        ((FULLISH,), DEFER, Billing.UNKNOWN, [Outcome.WARN], 120),  # nobody is refused on a guess
        ((FULLISH,), DEFER, Billing.API, [], 120),
        ((FULLISH,), DEFER, Billing.CREDITS, [], 120),
        ((replace(FULLISH, resets_at=None),), DEFER, Billing.SUBSCRIPTION, [Outcome.WARN], 120),  # until when, nobody could say
        ((replace(FULLISH, resets_at=NOW),), DEFER, Billing.SUBSCRIPTION, [], 120),  # begun anew
        ((replace(FULLISH, vendor="openai"),), DEFER, Billing.SUBSCRIPTION, [], 120),
        ((replace(FULLISH, window="7d_opus"),), DEFER, Billing.SUBSCRIPTION, [], 120),  # another model's
        ((replace(FULLISH, window="7d_sonnet"),), DEFER, Billing.SUBSCRIPTION, [Outcome.STOP], 120),
        ((replace(FULLISH, window="7d_claude_opus_5"),), DEFER, Billing.SUBSCRIPTION, [], 120),  # not every model with a 5
        ((replace(FULLISH, window="weekly_fable", plan="Claude-Sonnet"),), DEFER, Billing.SUBSCRIPTION, [Outcome.STOP], 120),
        ((replace(FILLING, used=8_000), before(60, 8_000)), DEFER, Billing.SUBSCRIPTION, [], 120),  # nobody uses it now
        ((HALF, before(30, 2_000)), DEFER, Billing.SUBSCRIPTION, [Outcome.STOP], 120),  # it fills by 60 % in an hour
        ((HALF, before(30, 2_000, account="other")), DEFER, Billing.SUBSCRIPTION, [], 120),
        ((replace(FULLISH, window="primary"),), DEFER, Billing.SUBSCRIPTION, [Outcome.STOP], 120),
        ((replace(FULLISH, account="old", observed_at=NOW - timedelta(minutes=1)), HALF), DEFER, Billing.SUBSCRIPTION, [], 120),  # the account of now counts
        ((FULLISH, replace(WEEK, used=9_900)), DEFER, Billing.SUBSCRIPTION, [Outcome.STOP, Outcome.STOP], 120),
        ((HALF,), replace(DEFER, threshold=50), Billing.SUBSCRIPTION, [Outcome.STOP], 120),
        ((), FIT, Billing.SUBSCRIPTION, [], 120),
    ],
)  # fmt: skip
def test_what_a_start_meets(
    gauges: tuple[GaugeReading, ...], windows: Windows, billing: Billing, outcomes: list[Outcome], minutes: int
) -> None:
    """Warned by default, deferred where the policy asks for it and a plan is known to pay; cut where that helps."""
    findings, limits = at_the_windows(gauges, replace(PLAN, billing=billing), windows)
    assert [one.outcome for one in findings] == outcomes
    assert limits == replace(SessionLimits(), wall_clock_seconds=minutes * 60)
    for one in findings:
        assert (one.signal, one.subject, one.cap) == (Signal.GAUGE, "octocat", FULL)
        assert (one.retry_at is not None) == (one.outcome is Outcome.STOP)


@given(
    st.integers(0, 12_000),
    st.integers(1, 299),
    st.sampled_from(OnFull),
    st.booleans(),
    st.none() | st.integers(60, 99_999),
)
def test_time_is_only_ever_cut(used: int, left: int, on_full: OnFull, fit: bool, seconds: int | None) -> None:
    """Never lengthened, never to less than ten minutes, never past what the window lasts."""
    reading = replace(FULLISH, used=used, resets_at=NOW + timedelta(minutes=left))
    asked = replace(PLAN, limits=SessionLimits(wall_clock_seconds=seconds))
    _, limits = at_the_windows([reading], asked, Windows(on_full, fit_sessions=fit))
    if limits != asked.limits:
        assert fit
        assert limits.wall_clock_seconds is not None
        assert 600 <= limits.wall_clock_seconds < min(left * 60, seconds or 7_200)


def only(*gauges: GaugeReading, windows: Windows = DEFER, at: datetime = NOW) -> Finding:
    (found, *_), _ = at_the_windows(gauges, replace(PLAN, now=at), windows)
    return found


def test_an_account_that_is_full_is_not_advised() -> None:
    """The status line names no account: it may tell of the very one that an earlier header found half empty."""
    now_full = replace(FULLISH, account="", source=GaugeSource.STATUS_LINE)
    earlier = replace(HALF, observed_at=NOW - timedelta(minutes=30))
    advised = replace(DEFER, accounts=("mine", "other"))
    assert "`mine`" not in only(now_full, earlier, windows=advised).remedy
    assert (
        "Account `other` has room (10 % used)"
        in only(now_full, earlier, replace(OTHER, resets_at=RESETS + timedelta(hours=1)), windows=advised).remedy
    )


def test_a_session_begins_suspended_by_what_would_suspend_it_anyway() -> None:
    """A window of one model, another account's and one that has begun anew do not."""
    suspends = replace(WARN, in_session=InSession.SUSPEND)
    week = replace(WEEK, used=9_000)
    others = (
        replace(FULLISH, window="7d_sonnet"),
        replace(OTHER, used=9_900),
        replace(FULLISH, window="1d", resets_at=NOW),
    )
    assert begins_with((FULLISH, week, *others), PLAN, suspends) == (FULLISH, week)
    assert begins_with((FULLISH,), PLAN, WARN) == ()


def test_a_refusal_says_until_when() -> None:
    """Promise 7: which window, how full, when asking again helps."""
    facts = StartFacts(
        NOW,
        Policy(windows=DEFER),
        (),
        Billing.SUBSCRIPTION,
        gauges=(FULLISH,),
        vendor=vendor_of("claude-code"),
        subjects={Scope.ENGINEER: "octocat"},
    )
    refused = may_start(facts)
    assert not refused.admitted
    assert refusal(refused.verdict, NOW) == [
        "Anthropic's 5-hour window is 95 % used; at its average rate full at 13:12 UTC, resets at 14:00 UTC. Start it after 14:00 UTC.",
    ]
    assert may_start(replace(facts, now=RESETS)).admitted
    fits = may_start(replace(facts, gauges=(FILLING,), policy=Policy(windows=FIT)))
    assert (fits.admitted, fits.limits.wall_clock_seconds) == (True, 2_400)
    assert explain(fits.verdict.findings[0], NOW).endswith("The session's time is cut to end before it is full.")


def test_only_a_window_that_fills_cuts_the_time() -> None:
    """A week that is nearly full but lasts until it begins anew does not: the session is not said to end before it is full."""
    lasts = replace(WEEK, used=9_100, resets_at=NOW + timedelta(hours=1))
    (week, hours), limits = at_the_windows([lasts, FILLING], PLAN, replace(FIT, on_full=OnFull.WARN))
    assert limits.wall_clock_seconds == 2_400
    assert (week.scope, week.remedy) == ("weekly", "")
    assert (hours.scope, hours.remedy) == ("5h", "The session's time is cut to end before it is full.")


def test_a_reading_counts_before_a_later_estimate() -> None:
    """It may have been told after the estimate was made. Once its window begins anew, the estimate counts."""
    told = replace(FULLISH, observed_at=NOW - timedelta(minutes=2))
    guess = replace(FULLISH, account="", used=9_200, source=GaugeSource.ESTIMATED, resets_at=None)
    assert only(guess, told).spent == 9_500
    assert only(guess, replace(told, resets_at=NOW)).spent == 9_200


@pytest.mark.parametrize(
    ("accounts", "gauges", "remedy"),
    [
        (("other",), (FULLISH, OTHER), "Start it after 14:00 UTC. Account `other` has room (10 % used), where the vendor's terms let you use it."),
        (("mine", "other"), (FULLISH, OTHER), "Start it after 14:00 UTC. Account `other` has room (10 % used), where the vendor's terms let you use it."),
        ((), (FULLISH, OTHER), "Start it after 14:00 UTC."),
        (("mine", "nobody"), (FULLISH, OTHER), "Start it after 14:00 UTC."),
        (("other",), (FULLISH, replace(OTHER, used=9_900)), "Start it after 14:00 UTC."),
        (("other",), (FULLISH, replace(OTHER, resets_at=NOW)), "Start it after 14:00 UTC."),
        (("other",), (FULLISH, replace(OTHER, window="7d_sonnet")), "Start it after 14:00 UTC."),
    ],
)  # fmt: skip
def test_an_account_with_room_is_named(
    accounts: tuple[str, ...], gauges: tuple[GaugeReading, ...], remedy: str
) -> None:
    """Only one that the policy lists, and that was read; it is advice, and the terms are the vendor's."""
    assert only(*gauges, windows=replace(DEFER, accounts=accounts)).remedy == remedy


@pytest.mark.parametrize("surface", Surface)
@pytest.mark.parametrize("public", [False, True])
def test_a_window_is_its_engineers_own(surface: Surface, public: bool) -> None:
    """Promise 12: numbers and accounts for the engineer and approvers, a state for everybody else."""
    found = only(FULLISH, OTHER, windows=replace(DEFER, accounts=("other",)))
    reader = Reader(surface, public, login="octocat")
    shown = for_reader(found, reader)
    assert for_reader(shown, reader) == shown
    assert shown.outcome is Outcome.STOP
    if surface in {Surface.ENGINEER, Surface.APPROVER}:
        assert shown == found
        return
    text = explain(shown, NOW)
    assert "95" not in text
    assert "other" not in text
    assert ("octocat" in text) == (not public and surface is not Surface.CHANNEL)
    assert text.endswith(
        "5-hour window at the vendor is nearly full; its figures are shown to that engineer and to approvers. "
        "It begins anew on 2 November 2026 14:00 UTC, in 1 h."
    )
    assert for_reader(found, Reader(Surface.ENGINEER, login="hubot")).spent == 0


@pytest.mark.parametrize(
    ("agent", "model", "vendor"),
    [
        ("claude-code", "", "anthropic"),
        ("codex", "claude-x", "openai"),
        ("gemini-cli", "", "google"),
        ("opencode", "anthropic/claude-sonnet-5-5", "anthropic"),
        ("opencode", "gpt-6-luna", "openai"),
        ("opencode", "codex-mini-latest", "openai"),
        ("opencode", "openrouter/anthropic/claude-opus-5-5", ""),
        ("opencode", "us.anthropic.claude-opus-5-5-v1:0", ""),
        ("opencode", "", ""),
        ("", "llama-9", ""),
    ],
)
def test_whose_windows_an_agent_draws_on(agent: str, model: str, vendor: str) -> None:
    """By the agent, else by its model; where nothing tells, nothing is looked up."""
    assert vendor_of(agent, model) == vendor
    assert concerns(Billing.SUBSCRIPTION, vendor, WARN) == bool(vendor)

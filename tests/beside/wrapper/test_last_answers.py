"""The last answer of an agent under the wrapper: one bounded call through the proxy, whatever the model and the agent make of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tabstop.agents.command_line import LastAnswer, command_line_of
from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.pricing import Pricer
from tabstop.beside.session_folder import SessionFolder
from tabstop.beside.wrapper import last_answer
from tabstop.beside.wrapper.last_answer import why_none
from tabstop.beside.wrapper.session import SummingUpSession
from tabstop.governor.settings import Settings
from tests.beside.proxy.scene import CARD
from tests.beside.wrapper.test_wrapped_agent import same
from tests.beside.wrapper.wrapped import Done, Place
from tests.support.fake_llm import FakeLlm, Plan, Seen
from tests.support.golden import expect
from tests.support.llm_answers import Json, Step, Used

LIMIT = 300_000_000


def words(seen: Seen) -> Step:
    return Step("Done: one. Left: two.", used=Used(10_000, output=seen.body["max_tokens"]))


def tool(seen: Seen) -> Step:
    return Step(tools=(("Bash", {"command": "rm -r ."}),), used=Used(10_000, output=seen.body["max_tokens"]))


def cut_off(answer: Json) -> Json:
    return {**answer, "stop_reason": "max_tokens"}


def run(
    place: Place, plan: Plan = words, *options: str, edit: Callable[[Json], Json] = lambda answer: answer, **more: str
) -> tuple[Done, FakeLlm]:
    place.policy("session:\n  on_limit: summary\n")
    with FakeLlm(plan=plan, edit=edit) as vendor:
        environ = {"ANTHROPIC_BASE_URL": vendor.url, "FAKE_ANSWERS": "30", "FAKE_SECONDS": "0.8", **more}
        done = place.run("--cost", "0.3", *options, **environ)
    return done, vendor


def kept(place: Place) -> str:
    path = place.folder.path / "summary.md"
    return path.read_text() if path.exists() else ""


def test_one_last_answer(place: Place) -> None:
    """Without tools and so long at most, it is within the limit; it is shown and stored."""
    done, vendor = run(place, words, "--no-hooks")
    assert done.code == ExitCode.LIMIT
    expect("run/summary.txt", same(done.err, place))
    assert_same_words(place, done.err)
    assert kept(place) == "Done: one. Left: two.\n"
    (asked,) = vendor.calls()
    assert (asked.body["max_tokens"], asked.body["tool_choice"]) == (2_000, {"type": "none"})
    totals = place.session.state.totals
    assert totals.cost <= LIMIT
    assert totals.tokens % 10_000 == 2_000


def assert_same_words(place: Place, err: str) -> None:
    """Whoever looks at the session later reads what the run itself said of its stop."""
    stopped = place.session.state.stopped
    assert stopped is not None
    assert stopped.finding is not None
    assert stopped.finding.sentence in err


def test_hooks_end_the_turn_for_it(place: Place) -> None:
    """No signal cuts anything off; then it is resumed."""
    done, _ = run(place)
    assert done.code == ExitCode.LIMIT
    assert "interrupted" not in done.out
    assert kept(place) == "Done: one. Left: two.\n"
    assert place.session.state.totals.cost <= LIMIT


def test_a_model_that_calls_a_tool_all_the_same(place: Place) -> None:
    """Nothing more is asked, and it is said."""
    done, vendor = run(place, tool)
    assert done.code == ExitCode.LIMIT
    assert "no last answer came: it held no text" in done.err
    assert (len(vendor.calls()), kept(place)) == (1, "")
    assert place.session.state.totals.cost <= LIMIT


def test_an_answer_that_is_too_long(place: Place) -> None:
    """It is cut off at its bound. The agent would ask for more and end with an error; what was said is kept."""
    done, vendor = run(place, words, edit=cut_off)
    assert done.code == ExitCode.LIMIT
    assert (len(vendor.calls()), kept(place)) == (1, "Done: one. Left: two.\n")
    assert "API Error: 400 Tabstop" in (place.folder.path / "summary.log").read_text()
    assert place.session.state.totals.cost <= LIMIT


def test_one_that_does_not_come(place: Place) -> None:
    """The session ends as it would without."""
    done, _ = run(place, lambda _seen: Step(status=400, error="invalid_request_error"))
    assert done.code == ExitCode.LIMIT
    assert "no last answer came: summary.log in the session's folder says more" in done.err
    assert kept(place) == ""
    assert "API Error: 400" in (place.folder.path / "summary.log").read_text()


def test_one_that_does_not_fit(place: Place) -> None:
    """Where the call that reached the limit took what was kept back too, nothing is sent any more."""
    done, vendor = run(place, FAKE_INPUTS="10000 60000")
    assert done.code == ExitCode.LIMIT
    assert "A last answer does not fit either." in done.err
    assert (vendor.calls(), kept(place)) == ([], "")


def test_one_that_passes_by_the_proxy(place: Place) -> None:
    """An agent whose own settings lead it elsewhere: shown all the same, counted by its log, and said."""
    claude = place.path / "bin" / "claude"
    with FakeLlm(plan=words) as elsewhere:
        claude.write_text(claude.read_text().replace('os.environ["ANTHROPIC_BASE_URL"]', repr(elsewhere.url)))
        done, vendor = run(place)
        assert len(elsewhere.calls()) == 1
    assert done.code == ExitCode.LIMIT
    assert (vendor.calls(), kept(place)) == ([], "Done: one. Left: two.\n")
    assert "this answer did not come through the proxy, so its length was not bounded" in done.err
    assert place.session.state.totals.tokens % 10_000 == 2_000


def test_where_none_can_be_made(place: Place) -> None:
    """Said before the agent starts; at the limit it is a halt."""
    place.policy("session:\n  on_limit: summary\n")
    done = place.run("--cost", "0.07", CLAUDE_CODE_USE_BEDROCK="1")
    assert done.code == ExitCode.LIMIT
    expect("run/no-summary.txt", same(done.err, place))
    assert_same_words(place, done.err)


def test_why_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the agent, what is installed, and where the agent asks."""
    codex = command_line_of("codex")
    assert why_none("/usr/bin/python3", None, {}) == "from python3 it comes only with --proxy"
    assert why_none("gemini", command_line_of("gemini"), {}) == "from gemini it comes only with --proxy"
    assert why_none("codex", codex, {"CLAUDE_CODE_USE_BEDROCK": "1"}) == ""
    assert re.search("Amazon Bedrock", why_none("claude", command_line_of("claude"), {"CLAUDE_CODE_USE_BEDROCK": "1"}))
    monkeypatch.setattr(last_answer, "is_installed", lambda: False)
    assert "pip install 'tabstop[proxy]'" in why_none("codex", codex, {})


def test_a_session_of_codex_that_is_not_found(tmp_path: Path) -> None:
    """Nothing is started, and why is said."""
    how = LastAnswer(("codex", "exec", "resume", "--skip-git-repo-check", "none", "Sum up."))
    governed = SummingUpSession(Settings(), Pricer(CARD), lambda: datetime.now(UTC))
    said = last_answer.last_answer(
        how, "none", governed, SessionFolder(tmp_path), {"HOME": str(tmp_path)}, lambda: None
    )
    assert (said.text, said.why) == ("", "whom this session of Codex asks is not known")

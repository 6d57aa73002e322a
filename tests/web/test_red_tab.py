"""Promise 4 from the server to the agent's hooks: a tab that turns red refuses the next start and leaves who runs running."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabstop.agents.dialect import dialect_of
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hooked_session import HookedSession
from tabstop.beside.reporting import reporter_for
from tabstop.governor.orders import Act
from tabstop.usage import Tokens, Usage
from tests.support.hook_payloads import payload
from tests.web.conftest import Bench, json_of
from tests.web.live_session import OverTheBench, beside

SAID = (
    "Tabstop: The tab's budget is spent: new sessions are refused, this one goes on. "
    "Finish what is begun; begin nothing new."
)


@pytest.mark.parametrize(
    ("agent", "prompt"),
    [("claude-code", "UserPromptSubmit"), ("codex", "UserPromptSubmit"), ("gemini", "BeforeAgent")],
)
def test_red_tab_then_next_prompt(bench: Bench, tmp_path: Path, agent: str, prompt: str) -> None:
    """The next start is refused; the next prompt of who runs is let through, once with the reason, and no figure in it."""
    bench.policy("tab: $2\nsession:\n  cost: $1.50\nhold: $0.10\n")
    started, other = bench.start(), bench.start()
    bench.report(other, bench.a_call("greedy", output=140_000))
    assert bench.start().status_code == 403

    folder, pricer = beside(bench, tmp_path, json_of(started))
    record = folder.record()
    governed = GovernedSession(record.settings, pricer, bench.clock)
    reporter = reporter_for(record, governed, folder, {"TABSTOP_STATE": str(tmp_path)}, transport=OverTheBench(bench))
    assert reporter is not None
    reporter.begin()
    call = Usage(("anthropic:req:mine",), "claude-sonnet-4-5", Tokens(output=1_000), bench.clock.now)
    governed.answered(call)
    assert reporter.report()
    assert governed.order().act is Act.WIND_DOWN

    hooked = HookedSession(
        governed, dialect_of(agent), b"k", bench.clock.now, lambda _event: None, lambda _seconds: None
    )
    first, _ = hooked.hear(prompt, payload(prompt), bench.clock.now)
    second, _ = hooked.hear(prompt, payload(prompt), bench.clock.now)
    assert first.body is not None
    assert first.body["hookSpecificOutput"] == {"hookEventName": prompt, "additionalContext": SAID}
    assert first.body.get("decision") is None
    assert first.body.get("continue") is None
    assert second.body is None
    reporter.close(None)

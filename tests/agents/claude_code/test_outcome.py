"""How a run ended, as captured runs and every terminal reason seen say."""

import pytest

from tabstop.agents.claude_code.execution_file import Ending, ExecutionResult
from tabstop.agents.claude_code.outcome import outcome_of
from tabstop.session import SessionOutcome
from tests.agents.claude_code.jobs import Job
from tests.support.samples import claude_case

FINISHED = Ending("success", "completed", turns=6)


def a_run(*endings: Ending) -> ExecutionResult:
    return ExecutionResult("s1", endings=endings)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("plain", SessionOutcome.FINISHED),
        ("compacted", SessionOutcome.FINISHED),
        ("subagent-background", SessionOutcome.FINISHED),
        ("retried", SessionOutcome.FINISHED),
        ("hook-stopped", SessionOutcome.STOPPED_HOOK),
        ("max-turns", SessionOutcome.STOPPED_ITERATIONS),
        ("max-budget", SessionOutcome.STOPPED_COST),
        ("killed", SessionOutcome.FAILED),
    ],
)
def test_captured_runs(name: str, outcome: SessionOutcome, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A run stopped by a hook exits 0 with subtype success: it is not called one."""
    job = Job(claude_case(name), tmp_path_factory.mktemp("home"))
    assert outcome_of(job.execution(), traces=bool(job.read().sessions))[0] is outcome


@pytest.mark.parametrize(
    ("ending", "outcome", "sentence"),
    [
        (FINISHED, SessionOutcome.FINISHED, "the agent finished its work"),
        (
            Ending("success", "hook_stopped", turns=2),
            SessionOutcome.STOPPED_HOOK,
            "a hook stopped the agent; the client calls that a success",
        ),
        (
            Ending("success", "tool_deferred", turns=1),
            SessionOutcome.STOPPED_HOOK,
            "a hook put off a tool, and the session ended there",
        ),
        (
            Ending("success", "stop_hook_prevented", turns=7),
            SessionOutcome.STOPPED_HOOK,
            "a hook ended the session when the agent wanted to stop",
        ),
        (
            Ending("success", turns=0),
            SessionOutcome.STOPPED_HOOK,
            "a hook refused the prompt before any model was asked",
        ),
        (Ending("success", turns=0, local_command="compact"), SessionOutcome.FINISHED, "the agent finished its work"),
        (Ending("success", turns=3), SessionOutcome.FINISHED, "the agent finished its work"),
        (
            Ending("error_max_turns", is_error=True),
            SessionOutcome.STOPPED_ITERATIONS,
            "the agent reached its number of turns (--max-turns)",
        ),
        (
            Ending("error_max_budget_usd", "budget_exhausted", is_error=True),
            SessionOutcome.STOPPED_COST,
            "the agent reached its budget (--max-budget-usd)",
        ),
        (
            Ending("success", "completed", is_error=True, api_status=401),
            SessionOutcome.FAILED,
            "the agent ended with an error: the API answered 401",
        ),
        (
            Ending("error_during_execution"),
            SessionOutcome.FAILED,
            "the agent ended with an error: error_during_execution",
        ),
        (
            Ending("success", "prompt_too_long", turns=3),
            SessionOutcome.FAILED,
            "the agent stopped before it was done: prompt_too_long",
        ),
        (Ending(is_error=True), SessionOutcome.FAILED, "the agent ended with an error: no reason"),
    ],
)
def test_endings(ending: Ending, outcome: SessionOutcome, sentence: str) -> None:
    """`terminal_reason` decides; a reason nobody knows yet is no success."""
    assert outcome_of(a_run(ending), traces=True) == (outcome, sentence)


def test_a_harmless_second_result_does_not_hide_the_first() -> None:
    """A background subagent reported after a hook had stopped the main thread."""
    stopped = Ending("success", "hook_stopped", turns=2)
    assert outcome_of(a_run(stopped, FINISHED), traces=True)[0] is SessionOutcome.STOPPED_HOOK


@pytest.mark.parametrize(
    ("execution", "traces", "cancelled", "outcome"),
    [
        (None, False, False, SessionOutcome.NOT_STARTED),
        (None, True, False, SessionOutcome.FAILED),
        (a_run(), False, False, SessionOutcome.FAILED),
        (a_run(), True, True, SessionOutcome.CANCELLED),
        (None, False, True, SessionOutcome.CANCELLED),
        (a_run(FINISHED), True, True, SessionOutcome.FINISHED),
    ],
)
def test_without_a_result(
    execution: ExecutionResult | None, traces: bool, cancelled: bool, outcome: SessionOutcome
) -> None:
    """Killed, cancelled, or never started: told by what is left behind."""
    assert outcome_of(execution, traces=traces, cancelled=cancelled)[0] is outcome

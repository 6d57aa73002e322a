"""Outcome: how a run of Claude Code ended. The client's exit status and `subtype` alone do not tell."""

from __future__ import annotations

from tabstop.agents.claude_code.execution_file import Ending, ExecutionResult
from tabstop.session import SessionOutcome

# A run that a hook stopped exits 0 with subtype `success`, is_error false and an empty result: `terminal_reason` decides.
_BY_REASON = {
    "completed": (SessionOutcome.FINISHED, "the agent finished its work"),
    "hook_stopped": (SessionOutcome.STOPPED_HOOK, "a hook stopped the agent; the client calls that a success"),
    "stop_hook_prevented": (SessionOutcome.STOPPED_HOOK, "a hook ended the session when the agent wanted to stop"),
    "tool_deferred": (SessionOutcome.STOPPED_HOOK, "a hook put off a tool, and the session ended there"),
    "max_turns": (SessionOutcome.STOPPED_ITERATIONS, "the agent reached its number of turns (--max-turns)"),
    "budget_exhausted": (SessionOutcome.STOPPED_COST, "the agent reached its budget (--max-budget-usd)"),
}
_BY_SUBTYPE = {
    "error_max_turns": _BY_REASON["max_turns"],
    "error_max_budget_usd": _BY_REASON["budget_exhausted"],
}

Outcome = tuple[SessionOutcome, str]
"""The outcome, and a sentence for people."""


def outcome_of(execution: ExecutionResult | None, *, traces: bool, cancelled: bool = False) -> Outcome:
    """How the run ended.

    execution: what it printed, None when there is nothing. traces: whether transcripts of it were found.
    cancelled: whether the job was cancelled, as its machine knows.
    """
    endings = execution.endings if execution else ()
    outcomes = [_of(ending) for ending in endings]
    # A background subagent gives the run a second, harmless ending: one that was no success stays the outcome.
    for outcome in reversed(outcomes):
        if outcome[0] is not SessionOutcome.FINISHED:
            return outcome
    if outcomes:
        return outcomes[-1]
    if cancelled:
        return SessionOutcome.CANCELLED, "the job was cancelled while the agent ran"
    if execution is not None or traces:
        return SessionOutcome.FAILED, "the agent ended without a result; it was killed or crashed"
    return SessionOutcome.NOT_STARTED, "no trace of the agent was found: no execution file, no transcript of this job"


def _of(ending: Ending) -> Outcome:
    known = _BY_REASON.get(ending.terminal_reason) or _BY_SUBTYPE.get(ending.subtype)
    if known and not (known[0] is SessionOutcome.FINISHED and _is_error(ending)):
        return known
    if _is_error(ending):
        said = _api_error(ending) or ending.terminal_reason or ending.subtype or "no reason"
        return SessionOutcome.FAILED, f"the agent ended with an error: {said}"
    if ending.terminal_reason:
        return SessionOutcome.FAILED, f"the agent stopped before it was done: {ending.terminal_reason}"
    if ending.turns == 0 and not ending.local_command:
        # `UserPromptSubmit` answered with block: no turn, no terminal_reason, the hook's text as the result.
        return SessionOutcome.STOPPED_HOOK, "a hook refused the prompt before any model was asked"
    return _BY_REASON["completed"]


def _is_error(ending: Ending) -> bool:
    return ending.is_error or ending.subtype.startswith("error")


def _api_error(ending: Ending) -> str:
    return f"the API answered {ending.api_status}" if ending.api_status is not None else ""

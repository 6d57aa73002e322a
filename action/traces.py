"""What the agent left behind in this job, read after it ran: its calls, its client's totals, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from action.inputs import Inputs
from action.job import Job
from action.logs_left import NOTHING_FOUND, LogsLeft, read_logs
from action.session_file import Session
from tabstop.agents.claude_code.billing import billing_of, set_names
from tabstop.agents.claude_code.execution_file import ExecutionResult, read_execution_file, totals_of
from tabstop.agents.claude_code.folder import read_folder
from tabstop.agents.claude_code.outcome import outcome_of
from tabstop.beside.delivery import call_of
from tabstop.evidence import CommitMade, PullRequestLink
from tabstop.gauge import GaugeReading
from tabstop.session import SessionOutcome
from tabstop.usage import Billing, Usage
from tabstop.wire import Call, ClientTotal

EXECUTION_FILE = "claude-execution-output.json"
"""As claude-code-action names it in the runner's temporary folder."""

_CLOCK_STEP = timedelta(seconds=2)  # the coarsest file time there is


@dataclass(frozen=True, slots=True)
class Traces:
    """One session as its machine saw it.

    readable: False for an agent that left nothing to read: its cost is unknown, not nothing.
    told_by_step: it left no word of its end itself, and what became of its step stands in.
    branch, pull_request: what it turned out to work on; empty where its start knew.
    pull_requests, commits: what the agent's client saw being opened and made. gauges: what it was told of a plan's windows.
    """

    outcome: SessionOutcome
    detail: str
    usages: tuple[Usage, ...] = ()
    totals: tuple[ClientTotal, ...] = ()
    billing: Billing = Billing.UNKNOWN
    billing_evidence: str = ""
    skipped: Mapping[str, int] = field(default_factory=dict)
    branch: str = ""
    pull_request: int | None = None
    readable: bool = True
    told_by_step: bool = False
    pull_requests: tuple[PullRequestLink, ...] = ()
    commits: tuple[CommitMade, ...] = ()
    gauges: tuple[GaugeReading, ...] = ()

    @property
    def calls(self) -> tuple[Call, ...]:
        """The usages as the wire carries them."""
        return tuple(call_of(usage) for usage in self.usages)


def read_traces(session: Session, inputs: Inputs, job: Job, environ: Mapping[str, str]) -> Traces:
    """Read what belongs to this session; missing, cut off and foreign files are counted, never an error."""
    if session.start.agent == "claude-code":
        return _claude(session, inputs, job, environ)
    return _by_its_logs(session, inputs, job, environ)


def _by_its_logs(session: Session, inputs: Inputs, job: Job, environ: Mapping[str, str]) -> Traces:
    """An agent that leaves logs, and no word of how it ended."""
    outcome, detail = _by_its_step(inputs.agent_outcome, job.status)
    left = read_logs(session, inputs, environ)
    if outcome is SessionOutcome.NOT_STARTED and not left.found:
        left = LogsLeft()
    branch, number = _made(session, inputs, [left.branch], left.pull_requests)
    readable = left.found or outcome is SessionOutcome.NOT_STARTED
    return Traces(
        outcome,
        detail,
        usages=left.usages,
        totals=left.totals,
        billing=inputs.billing,
        billing_evidence=_stated(inputs.billing),
        skipped=left.skipped if readable else {**left.skipped, NOTHING_FOUND: 1},
        branch=branch,
        pull_request=number,
        readable=readable,
        told_by_step=True,
        pull_requests=left.pull_requests,
        commits=left.commits,
    )


def _stated(billing: Billing) -> str:
    return "" if billing is Billing.UNKNOWN else f"the workflow says billing: {billing.value}"


def _claude(session: Session, inputs: Inputs, job: Job, environ: Mapping[str, str]) -> Traces:
    skipped: dict[str, int] = {}
    execution = _execution(session.begun_at, inputs, environ, skipped)
    found = read_folder(
        _claude_home(inputs, environ) / "projects",
        begun_after=session.begun_at,
        workspace=Path(environ.get("GITHUB_WORKSPACE", ".")),
        hmac_key=_key(session.hmac_key),
    )
    skipped.update(found.skipped)
    if execution is not None and not execution.complete:
        skipped["execution file: cut off or partly unreadable"] = 1
    cancelled = "cancelled" in {inputs.agent_outcome, job.status}
    traces = bool(found.sessions)
    outcome, detail = outcome_of(execution, traces=traces, cancelled=cancelled and inputs.agent_outcome != "success")
    if inputs.agent_outcome == "skipped" and execution is None and not traces:
        outcome, detail = SessionOutcome.NOT_STARTED, "the agent's step was skipped"
    billing, evidence = billing_of(execution, set_names(environ))
    if inputs.billing is not Billing.UNKNOWN:
        billing, evidence = inputs.billing, _stated(inputs.billing)
    links = tuple(dict.fromkeys(link for one in found.sessions for link in one.pull_requests))
    branch, number = _made(session, inputs, (one.branch for one in found.sessions), links)
    return Traces(
        outcome=outcome,
        detail=detail,
        usages=found.usages,
        totals=totals_of(found, execution),
        billing=billing,
        billing_evidence=evidence,
        skipped=skipped,
        branch=branch,
        pull_request=number,
        pull_requests=links,
        commits=tuple(dict.fromkeys(made for one in found.sessions for made in one.commits)),
        gauges=execution.gauges if execution else (),
    )


def _execution(
    begun_at: datetime, inputs: Inputs, environ: Mapping[str, str], skipped: dict[str, int]
) -> ExecutionResult | None:
    """The run's own output, if it was written in this job and after the gate."""
    path = Path(inputs.execution_file or Path(environ.get("RUNNER_TEMP", ".")) / EXECUTION_FILE)
    try:
        written = path.stat().st_mtime
    except OSError:
        if inputs.execution_file:
            skipped["execution file: not there"] = 1
        return None
    if written < (begun_at - _CLOCK_STEP).timestamp():
        skipped["execution file: older than the gate"] = 1
        return None
    execution = read_execution_file(path)
    if execution is None:
        skipped["execution file: nothing in it can be read"] = 1
    return execution


def _claude_home(inputs: Inputs, environ: Mapping[str, str]) -> Path:
    """Where Claude Code keeps its files: its own variable, else its default."""
    chosen = inputs.agent_home or environ.get("CLAUDE_CONFIG_DIR", "")
    return Path(chosen).expanduser() if chosen else Path(environ.get("HOME", "/")) / ".claude"


def _made(
    session: Session, inputs: Inputs, branches: Iterable[str], links: Iterable[PullRequestLink]
) -> tuple[str, int | None]:
    """The branch and pull request the agent made, where the start named none."""
    branch, number = inputs.branch, None
    if not session.start.branch and session.start.pull_request is None:
        for one in branches:
            branch = inputs.branch or one or branch
        for link in links:
            if link.repository.lower() == session.start.repository.lower():
                number = link.number
    return branch, number


def _by_its_step(step: str, job: str) -> tuple[SessionOutcome, str]:
    """What can be said of an agent that leaves no word itself: what became of its step, else of its job."""
    match step or job:
        case "skipped":
            return SessionOutcome.NOT_STARTED, "the agent's step was skipped"
        case "cancelled":
            return SessionOutcome.CANCELLED, "the job was cancelled"
        case "failure":
            return SessionOutcome.FAILED, "the agent's step failed" if step else "the job failed"
    said = "the agent's step succeeded" if step else "nothing in the job had failed when it was settled"
    return SessionOutcome.FINISHED, said


def _key(text: str) -> bytes:
    """The session's key; the agent could have touched the file, and a broken key is as good as none."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""

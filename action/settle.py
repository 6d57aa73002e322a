"""Settle: after the agent, however it ended. Reads what it left, reports it, ends the session, and tells the job's page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from action.backlog import ARTIFACT, Backlog, send_backlog
from action.govern import VARIABLE
from action.governed import Governed, as_governed, end_governing, remove_hooks
from action.identity import oidc_token
from action.inputs import Inputs
from action.job import job_of
from action.runner import Message, Runner
from action.session_file import Admission, Kept, Session, everything, find, folder_of, mark_settled, told_since
from action.summary import Settled, annotation, headline, summary
from action.traces import Traces, read_traces
from action.when_away import blocked, heard_here
from action.world import World
from tabstop.beside.delivery import Delivered, batches_of, deliver
from tabstop.beside.server import NotAcceptedError, Server, UnreachableError
from tabstop.beside.spool import Undelivered, put
from tabstop.quantity import plural
from tabstop.session import SessionOutcome
from tabstop.usage import Billing
from tabstop.wire import EndRequest, UsageBatch

DONE, AWAY = 0, 3
"""Exit codes: whatever the agent did, settle ends with 0; 3 only when the report did not arrive and the workflow says `block`."""

SETTLED_BEFORE = "client session: its total was told by an earlier settle step of this job"

_NO_IDENTITY = "This run has no identity (a fork, or Dependabot), so nothing is reported."


def settle(world: World, inputs: Inputs) -> int:
    """Settle this job's session, then whatever earlier ones left. Never raises for what the world does."""
    return _Settle(world, inputs).run()


class _Settle:
    def __init__(self, world: World, inputs: Inputs) -> None:
        self._world = world
        self._inputs = inputs
        self._runner = Runner(world.environ, world.out)
        self._server = Server(inputs.server, world.transport, world.sleep, agent="tabstop-action")
        self._job = job_of(world.environ)
        self._spool = spool_folder(inputs, world)
        self._folder = folder_of(world.environ)
        self._blocked = blocked(heard_here(inputs, world.environ))

    def run(self) -> int:
        """The session first, then the backlog, which is left alone when the server is away."""
        kept = find(self._folder, self._inputs.session)
        arrived = self._settle(kept) if kept is not None else self._nothing_to_settle()
        if arrived:
            backlog = send_backlog(self._spool, self._server, self._identity, self._job.repository)
            self._tell(backlog)
        return DONE if arrived or not self._blocked else AWAY

    def _nothing_to_settle(self) -> bool:
        if self._inputs.spool:
            return True  # this step was started to bring in a spool
        if self._inputs.session:
            text = (
                f"No session {self._inputs.session} of this job is on this runner. The gate has to run in the same job."
            )
        elif everything(self._folder):
            self._runner.log("an earlier step of this job settled its session; there is nothing left to settle")
            return True
        else:
            text = "No gate ran before this step in this job, so there is no session. Add a step with `command: gate`."
        self._runner.warn(Message("Tabstop: nothing to settle", text.replace("`", ""), "", "settle"))
        return True

    def _settle(self, kept: Kept) -> bool:
        """Whether the server has it now, or need not have it."""
        session = kept.session
        if session.admission is Admission.REFUSED:
            self._runner.log("the gate did not let this session start; there is nothing to settle")
            mark_settled(kept, self._world.now())
            return True
        governed = self._end_governing(session)
        traces = as_governed(read_traces(session, self._inputs, self._job, self._world.environ), governed)
        traces = self._not_told_before(session, traces)
        if governed is not None:
            session = replace(session, token=governed.token or session.token)
        if session.admission is Admission.NO_IDENTITY:
            unheard = Settled(
                session, traces, self._world.now(), undelivered=_NO_IDENTITY, final=True, governed=governed
            )
            self._say(unheard)
            mark_settled(kept, self._world.now())
            return True
        delivered = deliver(self._report(session, traces), self._server, self._identity)
        session = replace(session, session=delivered.rest.session)  # a new one, when it was started after the fact
        artifact = self._keep_what_is_left(delivered) if delivered.error is not None else ""
        why = _why_not(delivered.error)
        now, doubted = self._world.now(), delivered.doubted
        self._say(Settled(session, traces, now, delivered.answer, why, artifact, governed=governed, doubted=doubted))
        mark_settled(kept, self._world.now(), tuple(sorted({total.thread for total in traces.totals})))
        return delivered.error is None

    def _end_governing(self, session: Session) -> Governed | None:
        """First of all, so that no process tells anything of it any more."""
        governed = end_governing(self._world, session)
        if session.governed and self._world.environ.get(VARIABLE) == session.governed:
            self._runner.export(VARIABLE, "")
        mine = [kept for kept in everything(self._folder) if kept.session.begun_at != session.begun_at]
        if problem := remove_hooks(session, mine):
            self._runner.log(problem)
        return governed

    def _not_told_before(self, session: Session, traces: Traces) -> Traces:
        """Without the totals another settle step told since this session's gate.

        Two gates, two agents, two settles: each settle finds both agents' files. The server knows a call by its keys, but
        a total has none, and would be taken for usage that no call explains.
        """
        told = told_since(self._folder, session.begun_at)
        left = tuple(total for total in traces.totals if total.thread not in told)
        again = len({total.thread for total in traces.totals} & told)
        return replace(traces, totals=left, skipped={**traces.skipped, SETTLED_BEFORE: again}) if again else traces

    def _report(self, session: Session, traces: Traces) -> Undelivered:
        told = traces.billing is not Billing.UNKNOWN
        template = UsageBatch(
            billing=traces.billing if told else None,
            billing_evidence=traces.billing_evidence,
            pull_requests=traces.pull_requests,
            commits=traces.commits,
            gauges=traces.gauges,
        )
        spent = traces.outcome is not SessionOutcome.NOT_STARTED or bool(traces.usages or traces.totals)
        return Undelivered(
            server=self._inputs.server,
            start=session.start,
            begun_at=session.begun_at,
            end=EndRequest(
                outcome=traces.outcome.value,
                detail=traces.detail,
                duration_seconds=max(0, round((self._world.now() - session.begun_at).total_seconds())),
                skipped=dict(traces.skipped),
                branch=traces.branch,
                pull_request=traces.pull_request,
            ),
            batches=batches_of(traces.calls, traces.totals, template=template) if spent else (),
            session=session.session,
            token=session.token,
            key=session.key or self._world.random(16).hex(),
        )

    def _identity(self) -> tuple[str, str]:
        world = self._world
        token = oidc_token(world.environ, world.transport, world.sleep, audience=self._inputs.audience)
        self._runner.mask(token)
        return token, world.random(16).hex()

    def _keep_what_is_left(self, delivered: Delivered) -> str:
        """Spool it on this machine, and as an artifact; there without its token where strangers can read artifacts."""
        left = replace(delivered.rest, why=str(delivered.error))
        environ = self._world.environ
        try:
            put(self._spool, left)
            folder = Path(environ.get("RUNNER_TEMP", ".")) / "tabstop-artifact"
            path = put(folder, left.without_token() if self._job.public else left)
        except OSError as error:
            text = f"What could not be reported could not be kept either: {error}."
            self._runner.warn(Message("Tabstop: usage is lost", text, "", "the-server-is-away"))
            return ""
        run, attempt = environ.get("GITHUB_RUN_ID", "0"), environ.get("GITHUB_RUN_ATTEMPT", "1")
        name = f"{ARTIFACT}{run}-{attempt}-{left.session or path.stem}"
        self._runner.output("spool-artifact", name)
        self._runner.output("spool-path", str(path))
        return name

    def _say(self, settled: Settled) -> None:
        self._runner.summarize(summary(settled))
        self._runner.output("outcome", settled.traces.outcome.value)
        self._runner.output("reported", "true" if settled.answer is not None else "false")
        if settled.undelivered and not settled.final and self._blocked:
            self._runner.fail(annotation(settled))
        elif settled.calls_for_attention:
            self._runner.warn(annotation(settled))
        else:
            self._runner.note(annotation(settled))
        self._runner.log(headline(settled))

    def _tell(self, backlog: Backlog) -> None:
        self._runner.output("spool-left", str(len(backlog.left) + len(backlog.elsewhere)))
        if backlog.delivered:
            self._runner.log(f"{plural(len(backlog.delivered), 'earlier report')} brought in")
        for path, why in backlog.elsewhere:
            self._runner.log(f"left alone: {path.name}, {why}")
        if backlog.left:
            listed = "\n".join(f"- {path.name}: {why}" for path, why in backlog.left[:10])
            text = f"Still waiting to be brought in, on this machine:\n{listed}"
            self._runner.warn(Message("Tabstop: earlier reports are waiting", text, "", "the-server-is-away"))


def spool_folder(inputs: Inputs, world: World) -> Path:
    """Where undelivered reports wait on this machine: as the input says, else in this user's state folder.

    The runner's temporary folder is emptied between jobs, so a machine that lives on keeps them elsewhere.
    """
    if inputs.spool:
        return Path(inputs.spool)
    environ = world.environ
    if state := environ.get("XDG_STATE_HOME", ""):
        return Path(state) / "tabstop" / "spool"
    return Path(environ.get("HOME") or environ.get("RUNNER_TEMP", ".")) / ".local" / "state" / "tabstop" / "spool"


def _why_not(error: Exception | None) -> str:
    if error is None:
        return ""
    if isinstance(error, UnreachableError):
        return f"Tabstop's server could not be reached: {error}. The report waits and is brought in later."
    if isinstance(error, NotAcceptedError):
        problem = error.problem
        said = " ".join(part for part in (problem.title, problem.detail, problem.remedy) if part)
        return f"Tabstop's server did not accept the report (HTTP {error.status}): {said} The report waits."
    return f"The report could not be made: {error}. It waits and is brought in later."

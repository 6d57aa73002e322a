"""The gate: asks whether a session may start. Fails the step with the explained refusal, or gives what binds the agent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from action import messages
from action.flags import Flags, flags_for, shown
from action.govern import VARIABLE, Governing, govern
from action.identity import IdentityUnavailableError, NoIdentityError, oidc_token
from action.inputs import Inputs
from action.job import Job, job_of
from action.runner import Runner
from action.session_file import Admission, Session, folder_of, keep, new_key
from action.when_away import blocked, heard_here, heard_in_all
from action.world import World
from tabstop.beside.server import NotAcceptedError, Server, UnreachableError
from tabstop.governor.settings import Rules
from tabstop.money import plain
from tabstop.quantity import span
from tabstop.session import Limits
from tabstop.usage import Billing
from tabstop.verdict import Outcome, Verdict
from tabstop.wire import Allowance, StartAnswer, StartRequest
from tabstop.wire_json import to_json

ALLOWED, REFUSED, MISCONFIGURED, AWAY = 0, 1, 2, 3
"""Exit codes: 1 the verdict was stop, 2 the workflow or the installation needs a correction, 3 the server is away."""

SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=1)
"""Between two questions while waiting: a session that holds money may end sooner than its lease says."""


def gate(world: World, inputs: Inputs) -> int:
    """Ask, and answer with the step's exit code. Never raises for what the world does."""
    return _Gate(world, inputs).run()


class _Gate:
    def __init__(self, world: World, inputs: Inputs) -> None:
        self._world = world
        self._inputs = inputs
        self._runner = Runner(world.environ, world.out)
        self._server = Server(inputs.server, world.transport, world.sleep, agent="tabstop-action")
        self._job = job_of(world.environ)
        self._begun = world.now()
        self._question = question_of(self._job, inputs)
        self._key = ""

    def run(self) -> int:
        """Ask until there is an answer to act on."""
        try:
            answer = self._ask_and_wait()
        except NoIdentityError:
            if self._job.low_trust:
                return self._unasked(Admission.NO_IDENTITY, "")
            self._runner.fail(messages.no_permission())
            return self._not_allowed("", MISCONFIGURED)
        except (UnreachableError, IdentityUnavailableError) as error:
            return self._unasked(Admission.UNASKED, str(error), by_github=isinstance(error, IdentityUnavailableError))
        except NotAcceptedError as error:
            self._runner.fail(messages.not_accepted(error.status, error.problem, "asking for a session"))
            return self._not_allowed("", MISCONFIGURED)
        if answer.session and answer.allowance is not None:
            return self._admitted(answer, answer.allowance)
        return self._refused(answer)

    def _ask_and_wait(self) -> StartAnswer:
        deadline = self._begun + self._inputs.wait
        while True:
            answer = self._ask()
            now = self._world.now()
            retry_at = answer.verdict.retry_at
            if answer.session or retry_at is None or now >= deadline:
                return answer
            pause = min(max(retry_at - now, SHORTEST_PAUSE), LONGEST_PAUSE, deadline - now)
            self._runner.log(messages.waiting(answer.verdict, now + pause, deadline, now))
            self._world.sleep(pause.total_seconds())

    def _ask(self) -> StartAnswer:
        """One question: a token and a key of its own, both kept while it is repeated after a network error."""
        token = oidc_token(
            self._world.environ, self._world.transport, self._world.sleep, audience=self._inputs.audience
        )
        self._runner.mask(token)
        self._key = self._world.random(16).hex()
        return self._server.start(self._question, token=token, key=self._key)

    def _admitted(self, answer: StartAnswer, allowance: Allowance) -> int:
        self._runner.mask(answer.token)
        session = replace(
            self._session(Admission.ADMITTED),
            session=answer.session,
            token=answer.token,
            page=answer.page,
            allowance=to_json(allowance),
        )
        governing = govern(
            self._world, self._inputs, session, allowance.limits, allowance.governor, allowance.price_card
        )
        flags = flags_for(allowance.limits, allowance.models, self._inputs.model)
        self._outputs(flags, allowed=True, verdict=answer.verdict.outcome.value)
        self._govern(session, governing)
        self._runner.output("session", answer.session)
        self._runner.output("allowance", shown(replace(allowance, enforcement=governing.enforcement)))
        self._runner.output("remaining", remaining(answer.verdict))
        if answer.verdict.outcome is Outcome.WARN:
            self._runner.warn(messages.warned(answer.verdict, self._world.now()))
        if answer.server_unreachable == "block" and not blocked(heard_here(self._inputs, self._world.environ)):
            self._runner.warn(messages.looser_than_policy())
        self._runner.log(
            f"admitted as session {answer.session}; {_bounds(flags)}; enforcement: {governing.enforcement}"
        )
        if self._inputs.model and flags.model != self._inputs.model:
            self._runner.log(f"model {self._inputs.model} is not in this allowance; use {flags.model}")
        return ALLOWED

    def _refused(self, answer: StartAnswer) -> int:
        now = self._world.now()
        waited = ""
        if answer.verdict.retry_at is not None:
            seconds = round((now - self._begun).total_seconds())
            waited = messages.waited(span(seconds) if self._inputs.wait else "")
        said = messages.refused(answer.verdict, answer.page, now, waited)
        self._keep(self._session(Admission.REFUSED))
        if self._inputs.fail_on_refusal:
            self._runner.fail(said)
        else:
            self._runner.warn(said)
        return self._not_allowed(answer.verdict.outcome.value, REFUSED if self._inputs.fail_on_refusal else ALLOWED)

    def _unasked(self, admission: Admission, why: str, *, by_github: bool = False) -> int:
        """The question could not be put: the workflow said beforehand what then happens."""
        if admission is Admission.NO_IDENTITY:
            allowed = self._inputs.if_unreachable == "allow"
            said = messages.low_trust(allowed=allowed)
        else:
            heard = heard_in_all(self._inputs, self._world.environ, self._world.transport)
            allowed = not blocked(heard)
            said = messages.unreachable(self._inputs.server, why, heard, by_github=by_github)
        if not allowed:
            self._keep(self._session(Admission.REFUSED))
            self._runner.fail(said)
            return self._not_allowed("unknown", AWAY)
        self._runner.warn(said)
        session, limits = self._session(admission), default_limits()
        governing = govern(self._world, self._inputs, session, limits, Rules(), {})
        flags = flags_for(limits, (), self._inputs.model)
        self._outputs(flags, allowed=True, verdict="unknown")
        self._govern(session, governing)
        self._runner.log(f"goes on unasked; {_bounds(flags)}; enforcement: {governing.enforcement}")
        return ALLOWED

    def _not_allowed(self, verdict: str, code: int) -> int:
        self._runner.output("allowed", "false")
        self._runner.output("verdict", verdict)
        return code

    def _outputs(self, flags: Flags, *, allowed: bool, verdict: str) -> None:
        self._runner.output("allowed", "true" if allowed else "false")
        self._runner.output("verdict", verdict)
        self._runner.output("model-advice", flags.model)
        self._runner.output("claude_args", flags.claude_args)
        self._runner.output("gemini_settings", flags.gemini_settings)
        self._runner.output("timeout-minutes", str(flags.timeout_minutes))

    def _govern(self, session: Session, governing: Governing) -> None:
        """Keep the session, and tell hooks and people what governs it."""
        self._keep(replace(session, governed=governing.name, hooked=governing.hooked, hooks=governing.hooks))
        self._runner.output("enforcement", governing.enforcement)
        if governing.name or self._world.environ.get(VARIABLE):
            # Also an empty one: the hooks of an earlier gate's session do not ask for this one.
            self._runner.export(VARIABLE, governing.name)
        if governing.fault:
            self._runner.warn(messages.not_governed(governing.fault))

    def _session(self, admission: Admission) -> Session:
        """What settle has to know; the time is taken now, as late as can be before the agent runs."""
        key = new_key(self._world.random)
        return Session(admission, self._world.now(), self._question, hmac_key=key, key=self._key)

    def _keep(self, session: Session) -> None:
        try:
            keep(folder_of(self._world.environ), session)
        except OSError as error:
            self._runner.log(f"settle will not find this session: its file cannot be written ({error.strerror})")


def question_of(job: Job, inputs: Inputs) -> StartRequest:
    """The claims of this job. Where the workflow names another branch, the event's commit is not that branch's."""
    same = inputs.branch in {"", job.branch} and inputs.pull_request in {None, job.pull_request}
    known = inputs.billing is not Billing.UNKNOWN
    return StartRequest(
        agent=inputs.agent,
        repository=job.repository,
        branch=inputs.branch or (job.branch if same else ""),
        head_sha=job.head_sha if same else "",
        pull_request=inputs.pull_request or (job.pull_request if same else None),
        model=inputs.model,
        purpose=inputs.purpose,
        billing=inputs.billing,
        billing_evidence=f"the workflow says billing: {inputs.billing.value}" if known else "",
        run_id=job.run_id,
        run_attempt=job.run_attempt,
    )


def remaining(verdict: Verdict) -> str:
    """Dollars left of the tab's budget, a plain number; empty where it has no cap or the figure is not shown."""
    for finding in verdict.findings:
        if finding.scope == "tab" and finding.unit == "usd" and finding.cap is not None:
            return plain(max(0, finding.cap - finding.spent - finding.held))
    return ""


def default_limits() -> Limits:
    """What binds a session that nobody could be asked about: the policy's defaults, as with no policy file."""
    from tabstop.policy.model import SessionLimits  # noqa: PLC0415 (only this branch needs it)

    usual = SessionLimits()
    return Limits(usual.tokens, usual.tool_calls, usual.iterations, usual.wall_clock_seconds, usual.cost)


def _bounds(flags: Flags) -> str:
    return f"binds: {flags.claude_args or 'nothing'}, {flags.timeout_minutes} minutes"

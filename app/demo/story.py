"""The story: a pull request's tab goes from green to red, the next run is refused, a raise turns it green again.

Every figure is read back from the server and from what it posted; a step that does not come true ends the demo.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from app.demo import cast, github_events
from app.demo.captures import Capture
from app.demo.github_events import DeliveryError
from app.demo.stage import NotTrueError, Stage
from app.demo.telling import Colour, Step, Telling
from app.demo.workflow_job import StepRun, WorkflowJob
from app.github_api.protocol import CheckRun
from app.ledger.books import Job
from tabstop.money import show, show_exact
from tabstop.quantity import plural

A_MOMENT = timedelta(milliseconds=50)
"""Between the gate's answer and the agent's first row."""


class Act(Protocol):
    """One step of the story."""

    def __call__(self, play: Play, /) -> Step:
        """Have it happen, see that it came true, and say what came of it. Raises `NotTrueError`."""


@dataclass
class Play:
    """What the acts share. refused: the run that was turned away, with its job; the page shows it."""

    stage: Stage
    refused: StepRun | None = None
    overdrive: str = ""
    audit: str = ""

    def step(self, title: str, *said: str, check: CheckRun | None = None, anchor: str = "") -> Step:
        """A step that came true now."""
        colour = Colour.of(check.conclusion) if check else Colour.NONE
        return Step(title, tuple(line for line in said if line), colour, self.stage.world.now(), anchor)

    def check_becomes(self, conclusion: str, *figures: str) -> CheckRun:
        """Wait for the check on the pull request's head to have this conclusion and these figures in its title."""

        def found() -> CheckRun | None:
            check = self.stage.check()
            right = check is not None and check.conclusion == conclusion and all(f in check.title for f in figures)
            return check if right and check is not None and "| running" not in check.summary else None

        wanted = f"{conclusion} with {', '.join(figures)}" if figures else conclusion
        last = self.stage.check()
        return self.stage.eventually(found, f"The check did not become {wanted}; it is {last!r}")

    def true(self, holds: bool, because: str) -> None:
        """Raise `NotTrueError` unless it holds."""
        if not holds:
            raise NotTrueError(because)


def tell(telling: Telling, play: Play, acts: Sequence[Act]) -> bool:
    """Play these acts; False when one did not come true, which `telling` then says."""
    for act in acts:
        try:
            telling.say(act(play))
        except (NotTrueError, DeliveryError, subprocess.TimeoutExpired) as error:
            telling.end(str(error))
            return False
    telling.end()
    return True


def installs(play: Play) -> Step:
    """An owner installs the App: repositories and policies are read."""
    stage = play.stage
    stage.hook.send("installation", github_events.installation_created())

    def policy() -> str:
        organization = stage.organization()
        if organization is None:
            return ""
        with stage.world.store.look(organization.id) as db:
            repository = db.repository_by_github_id(cast.REPOSITORY_ID)
            files = [db.policy_file(repository.id), db.policy_file(None)] if repository else []
            if repository is None or not all(file and file.state == "valid" for file in files):
                return ""
            policy = db.policy_in_force(repository.id).policy
        cap = show(policy.tab.nano or 0)
        return f"its policy: a pull request's tab may come to {cap}; {', '.join(policy.approvers)} may grant more"

    said = stage.eventually(policy, "The policy was not read after the App was installed.")
    return play.step(f"{cast.ORGANIZATION} installs the App on {cast.REPOSITORY}", said, anchor="policy")


def pull_request_opens(play: Play) -> Step:
    """A pull request opens, and is answered at once."""
    stage = play.stage
    now = stage.world.now()
    stage.github.put(cast.REPOSITORY, cast.pull_request(now))
    stage.hook.send("pull_request", github_events.pull_request_opened(now))
    check = play.check_becomes("success")
    return play.step(f"pull request #{cast.NUMBER} opens", check.title, check=check, anchor="pull-request")


@dataclass(frozen=True, slots=True)
class session:  # noqa: N801 (an act; reads as one in the table)
    """A session runs in a job of the pull request: gate, agent, settle. conclusion: what its cost makes of the check."""

    capture: str
    model: str
    purpose: str
    what: str
    conclusion: str
    messages: int = 0

    def __call__(self, play: Play) -> Step:
        """Run it, and see what it cost."""
        stage, job, before = play.stage, play.stage.job(), len(play.stage.slack.posted)
        gate = job.run_action(command="gate", purpose=self.purpose, model=self.model)
        play.true(gate.ok and gate.outputs.get("allowed") == "true", f"The gate did not admit {self.what}:\n{gate.log}")
        execution_file = agent_works(play, job, Capture.named(self.capture))
        settle = job.run_action(command="settle", execution_file=execution_file, agent_outcome="success")
        reported = settle.ok and settle.outputs.get("reported") == "true"
        play.true(reported, f"Settle did not report {self.what}:\n{settle.log}")
        tab = stage.tab()
        newest = tab.sessions[0]
        play.true(newest.unknown_usages == 0, f"A call of {self.what} has no price.")
        check = play.check_becomes(self.conclusion, show(tab.spent))
        said = f"{self.model}: {show_exact(newest.spent.nano)}; the check: {check.title}"
        heard = _slack_hears(play, before, self.messages)
        return play.step(self.what, said, heard, check=check, anchor="pull-request")


def agent_works(play: Play, job: WorkflowJob, capture: Capture) -> str:
    """The captured session happens on the job's runner, as long as it took; answers its execution file."""
    began = play.stage.world.now() + A_MOMENT
    path = job.leave_behind(capture, began)
    play.stage.ending.wait(max(0.0, (began + capture.lasted - play.stage.world.now()).total_seconds()))
    return str(path)


def next_run_is_refused(play: Play) -> Step:
    """The next run asks, and is turned away with the reason."""
    job, before = play.stage.job(), len(play.stage.slack.posted)
    gate = job.run_action(command="gate", purpose="polish")
    play.true(
        not gate.ok and gate.outputs.get("allowed") == "false", f"The gate let a run start on a red tab:\n{gate.log}"
    )
    errors = [a for a in gate.annotations if a.level == "error"]
    play.true(bool(errors) and bool(gate.summary), "The refusal did not explain itself.")
    play.refused = gate
    heard = _slack_hears(play, before, 1)
    arithmetic = errors[0].text.partition(" Ask ")[0].splitlines()[0]
    return play.step("the next run is refused", arithmetic, heard, check=play.stage.check(), anchor="refused")


def approver_grants_more(play: Play) -> Step:
    """An approver has the budget raised, by the operator's own command."""
    play.overdrive = play.stage.command(
        *("overdrive", "grant", "--organization", cast.ORGANIZATION, "--tab", f"{cast.REPOSITORY}#{cast.NUMBER}"),
        *("--amount", "$0.60", "--for", "24h", "--by", cast.CAROL.login, "--why", "the test run found a real bug"),
    )
    check = play.check_becomes("success")
    said = play.overdrive.splitlines()[0]
    return play.step(f"{cast.CAROL.login} grants an overdrive", said, check.title, check=check, anchor="pull-request")


def run_is_admitted_again(play: Play) -> Step:
    """The same job, asked again, may start, within what is left of the raised budget."""
    job = play.stage.job()
    gate = job.run_action(command="gate", purpose="polish", model="claude-opus-5-5")
    play.true(
        gate.ok and gate.outputs.get("allowed") == "true", f"The gate did not admit a run after the raise:\n{gate.log}"
    )
    execution_file = agent_works(play, job, Capture.named("other-model"))
    settle = job.run_action(command="settle", execution_file=execution_file, agent_outcome="success")
    play.true(settle.ok, f"Settle failed after the run that was admitted again:\n{settle.log}")
    check = play.check_becomes("success", show(play.stage.tab().spent))
    said = f"limits that bind the agent: {gate.outputs['claude_args']}"
    return play.step("the run, started again, is admitted", said, check.title, check=check, anchor="pull-request")


def merge_queue_is_answered(play: Play) -> Step:
    """The merge queue asks about a commit of its own, and is not kept waiting."""
    stage = play.stage
    stage.hook.send("merge_group", github_events.merge_group_checks_requested())
    check = stage.eventually(lambda: stage.check(cast.MERGE_GROUP_HEAD), "The merge queue was not answered.")
    play.true(check.conclusion == "success", f"The merge queue was held up: {check!r}")
    return play.step("the merge queue asks", check.title, check=check, anchor="pull-request")


def books_are_verified(play: Play) -> Step:
    """Every decision is in the audit log, and the sums add up."""
    stage = play.stage
    organization = stage.organization()
    play.true(organization is not None, "The organization is gone.")
    stage.world.store.enqueue([Job("seal_audit", "all")])  # due every few minutes; here it is wanted now
    ended = len(stage.tab().sessions)
    stage.eventually(lambda: sealed(stage).count("session.ended") == ended, "The audit log was not sealed.")
    chain = json.loads(stage.command("audit", "verify", "--json"))
    play.true(chain["flaw"] is None, f"The audit log is not whole: {chain}")
    play.audit = f"audit log verified: {plural(chain['rows'], 'row')} in a chain that ends in {chain['hash'][:12]}"
    tab = stage.tab()
    total = sum(one.spent.nano for one in tab.sessions)
    play.true(total == tab.spent, f"The sessions come to {show_exact(total)}, the tab to {show_exact(tab.spent)}.")
    said = f"{plural(len(tab.sessions), 'session')} come to {show_exact(total)}, and so does the tab"
    return play.step("the books are checked", said, play.audit, anchor="audit")


def sealed(stage: Stage) -> list[str]:
    """The kinds of the audit rows that are sealed."""
    organization = stage.organization()
    if organization is None:
        return []
    with stage.world.store.look(organization.id) as db:
        return [one.row.kind for one in db.audit_rows()]


def _slack_hears(play: Play, before: int, wanted: int) -> str:
    """Wait for this many new messages, see that there are no more, and quote the last."""
    slack = play.stage.slack
    if wanted:
        enough = f"Slack did not get {plural(wanted, 'message')}."
        play.stage.eventually(lambda: len(slack.posted) >= before + wanted, enough)
    new = slack.posted[before:]
    play.true(len(new) == wanted, f"Slack got {len(new)} messages, not {wanted}: {[p.message.text for p in new]}")
    return f"#{new[-1].message.channel.lstrip('#')}: {new[-1].message.text.splitlines()[0]}" if new else ""


ACTS: tuple[Act, ...] = (
    installs,
    pull_request_opens,
    session("plain", "claude-opus-5-5", "implement", "a first session runs", "success"),
    session("sonnet", "claude-sonnet-4-5", "review", "a second, on a cheaper model", "success"),
    session("compacted", "claude-opus-5-5", "implement", "a long one, compacted on its way", "neutral", messages=1),
    session("subagent", "claude-opus-5-5", "test", "one with a subagent", "failure", messages=1),
    next_run_is_refused,
    approver_grants_more,
    run_is_admitted_again,
    merge_queue_is_answered,
    books_are_verified,
)

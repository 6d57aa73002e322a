"""The gate's promises: it asks once per question, binds the agent, explains a refusal, and never guesses when it cannot ask."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.api.problems import not_covered
from tabstop.beside.transport import NoAnswerError, Response
from tabstop.session import Limits
from tabstop.verdict import Outcome, Signal, Verdict, verdict_of
from tabstop.wire import StartRequest
from tests.action.fake_tabstop import DOLLAR, a_finding, held_tab, problem, spent_tab, times, with_models
from tests.action.jobs import PULL_REQUEST, SERVER, Job, from_a_fork, in_minutes
from tests.support import golden

AWAY = NoAnswerError("Connection refused")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_an_admitted_session_is_bound_by_its_allowance(job: Job) -> None:
    """The outputs carry the limits as flags, so that they already bind; the price card stays out of them."""
    assert job.run("gate") == 0
    assert job.outputs["allowed"] == "true"
    assert job.outputs["verdict"] == "allow"
    assert job.outputs["session"] == "s1"
    assert job.outputs["claude_args"] == "--max-turns 200 --max-budget-usd 10"
    assert json.loads(job.outputs["gemini_settings"]) == {"model": {"maxSessionTurns": 200}}
    assert job.outputs["timeout-minutes"] == "120"
    assert job.outputs["remaining"] == "38"
    allowance = json.loads(job.outputs["allowance"])
    assert allowance["limits"]["cost_usd"] == "10"
    assert "secret" not in job.outputs["allowance"]
    assert job.summary == ""


def test_the_question_names_the_work_not_the_merge_commit(job: Job) -> None:
    """On a pull request, branch and head are the pull request's; the purpose and model are the workflow's."""
    job.run("gate", purpose="review", model="claude-sonnet-4-5", billing="subscription")
    [asked] = job.tabstop.asked
    assert asked.request.branch == "claude/fix"
    assert asked.request.head_sha == "b" * 40
    assert asked.request.pull_request == 42
    assert (asked.request.purpose, asked.request.model) == ("review", "claude-sonnet-4-5")
    assert asked.request.billing == "subscription"
    assert asked.request.unadmitted_since is None


def test_both_tokens_are_masked(job: Job) -> None:
    """Neither the job's identity nor the session's token is readable in the log."""
    job.run("gate")
    masked = [command.message for command in job.said("add-mask")]
    assert masked == ["oidc-1", "session-token-s1"]
    rest = "\n".join(line for line in job.lines if not line.startswith("::add-mask::"))
    assert "oidc-1" not in rest
    assert "session-token-s1" not in rest


def test_what_settle_needs_is_readable_by_this_user_only(job: Job) -> None:
    """The session's file lies in the runner's temporary folder; the token is in no output and no variable."""
    job.run("gate")
    [path] = (job.temp / "tabstop").glob("*.json")
    assert path.stat().st_mode & 0o077 == 0
    assert "session-token-s1" not in (job.temp / "output").read_text()


def test_a_repeated_question_keeps_its_token_and_key(job: Job) -> None:
    """After a network error the same question goes out again with the same key, so that it starts one session only."""
    job.tabstop.fault = times(2, AWAY)
    assert job.run("gate") == 0
    sent = [request for request in job.transport.sent if request.url.startswith(SERVER)]
    assert len(sent) == 3
    assert len({request.headers["Idempotency-Key"] for request in sent}) == 1
    assert len({request.headers["Authorization"] for request in sent}) == 1
    assert list(job.tabstop.sessions) == ["s1"]


def test_a_new_attempt_has_a_new_token_and_key(job: Job) -> None:
    """Waiting asks a new question each time: a server refuses a token that comes back with another key."""
    retry_at = in_minutes(job.clock, 2)
    job.tabstop.decide = lambda _request: held_tab(retry_at) if job.clock.at < retry_at else Verdict()
    assert job.run("gate", wait="10m") == 0
    assert len({asked.key for asked in job.tabstop.asked}) == len(job.tabstop.asked) == 3
    assert len({asked.token for asked in job.tabstop.asked}) == 3


def test_waiting_says_what_it_waits_for(job: Job) -> None:
    """Each pause is a log line: which budget, and when it asks again."""
    retry_at = in_minutes(job.clock, 1)
    job.tabstop.decide = lambda _request: held_tab(retry_at) if job.clock.at < retry_at else Verdict()
    job.run("gate", wait="10m")
    [line] = [line for line in job.lines if "Asking again" in line]
    golden.expect("action/gate-waiting.txt", line + "\n")
    assert sum(job.clock.slept) == 60


def test_waiting_ends(job: Job) -> None:
    """When the time is up the refusal stands, and says that it waited."""
    job.tabstop.decide = lambda _request: held_tab(in_minutes(job.clock, 90))
    assert job.run("gate", wait="10m") == 1
    assert sum(job.clock.slept) == 600
    golden.expect("action/gate-held-after-waiting.md", job.page())


def test_without_wait_a_held_budget_refuses_at_once(job: Job) -> None:
    """The refusal says when asking again can help, and which input waits."""
    job.tabstop.decide = lambda _request: held_tab(in_minutes(job.clock, 5))
    assert job.run("gate") == 1
    assert job.clock.slept == []
    golden.expect("action/gate-held.md", job.page())


def test_a_spent_budget_is_not_waited_for(job: Job) -> None:
    """Only held money comes back by itself."""
    job.tabstop.decide = lambda _request: spent_tab()
    assert job.run("gate", wait="10m") == 1
    assert job.clock.slept == []


def test_a_refusal_explains_itself(job: Job) -> None:
    """Annotation and summary say which budget, its arithmetic, who can do what; the step fails."""
    job.tabstop.decide = lambda _request: spent_tab()
    assert job.run("gate") == 1
    assert job.outputs == {"allowed": "false", "verdict": "stop"}
    golden.expect("action/gate-refused.md", job.page())


def test_a_refusal_need_not_fail_the_job(job: Job) -> None:
    """With `fail-on-refusal: false` later steps look at `allowed`."""
    job.tabstop.decide = lambda _request: spent_tab()
    assert job.run("gate", fail_on_refusal="false") == 0
    assert job.outputs["allowed"] == "false"
    assert [command.name for command in job.commands if command.name in {"error", "warning"}] == ["warning"]


def test_a_warning_is_said_and_lets_go_on(job: Job) -> None:
    """Amber is not red."""
    job.tabstop.decide = lambda _request: verdict_of(a_finding(outcome=Outcome.WARN, spent=46 * DOLLAR))
    assert job.run("gate") == 0
    assert job.outputs["verdict"] == "warn"
    golden.expect("action/gate-warned.md", job.page())


def test_another_model_is_advised(job: Job) -> None:
    """A downgraded session gets the model it may use, in the flags too, whatever the workflow wished for."""
    job.tabstop.allowance = replace(
        with_models(job.tabstop.allowance, "claude-haiku-5-5"), limits=Limits(iterations=50, cost=DOLLAR // 2)
    )
    job.run("gate", model="claude-opus-5-5")
    assert job.outputs["model-advice"] == "claude-haiku-5-5"
    assert job.outputs["claude_args"] == "--max-turns 50 --max-budget-usd 0.5 --model claude-haiku-5-5"
    assert job.outputs["timeout-minutes"] == "360"
    assert "claude-opus-5-5 is not in this allowance" in job.log


@pytest.mark.parametrize(("policy", "code", "allowed"), [("allow", 0, "true"), ("block", 3, "false")])
def test_a_server_that_is_away_meets_the_workflows_choice(job: Job, policy: str, code: int, allowed: str) -> None:
    """Allow goes on within the default limits; block fails. Both say why, and neither is silent."""
    job.tabstop.fault = times(99, AWAY)
    assert job.run("gate", if_unreachable=policy) == code
    assert job.outputs["allowed"] == allowed
    assert job.outputs["verdict"] == "unknown"
    golden.expect(f"action/gate-away-{policy}.md", job.page())
    if policy == "allow":
        assert job.outputs["claude_args"] == "--max-turns 200 --max-budget-usd 10"
        assert job.outputs["timeout-minutes"] == "120"


FAULTS: list[Response | Exception] = [
    Response(200, b"<html>Sign in to the hotel's network</html>"),
    Response(404, b"default backend - 404"),
    Response(302),
    Response(500, b"{}"),
    Response(503, b'{"title": "Tabstop is starting"}', 5),
    Response(429, b"", 600),
    Response(201, b'{"verdict": 1}'),
    Response(201, b"[" * 100_000),
    NoAnswerError("no answer in time"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_whatever_else_answers_counts_as_away(job: Job, fault: Response | Exception) -> None:
    """A login page, a proxy's error, a broken body: none of it is an admission, and none of it crashes."""
    job.tabstop.fault = times(99, fault)
    assert job.run("gate", if_unreachable="block") == 3
    assert job.run("gate", if_unreachable="allow") == 0
    assert max(job.clock.slept, default=0) <= 20


def test_the_identity_service_may_be_away_too(job: Job) -> None:
    """Without GitHub's token there is nobody to ask as; the same choice applies."""
    job.transport.routes["https://pipelines.example"] = lambda _request: Response(500)
    del job.transport.routes["https://pipelines.example/idtoken"]
    assert job.run("gate") == 0
    assert job.outputs["verdict"] == "unknown"
    golden.expect("action/gate-no-token-service.md", job.page())


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"value": 3}', b"<html>"])
def test_an_identity_service_that_answers_nonsense_is_away(job: Job, body: bytes) -> None:
    """No token came out of it, so nobody could be asked."""
    job.transport.routes = {"https://pipelines.example": lambda _request: Response(200, body)}
    assert job.run("gate", if_unreachable="block") == 3


def test_without_room_for_its_file_the_gate_still_answers(job: Job) -> None:
    """Settle will not find the session; the log says so, and the agent may run."""
    (job.temp / "tabstop").write_text("in the way")
    assert job.run("gate") == 0
    assert "settle will not find this session" in job.log


def test_a_missing_permission_gives_the_lines_to_add(tmp_path: Path) -> None:
    """`id-token: write` missing is a mistake in the workflow: it fails whatever `if-unreachable` says."""
    job = Job(tmp_path, identity=False)
    assert job.run("gate", if_unreachable="allow") == 2
    golden.expect("action/gate-no-permission.md", job.page())


@pytest.mark.parametrize(("policy", "code"), [("allow", 0), ("block", 3)])
def test_a_fork_has_no_identity_and_is_told_so(tmp_path: Path, policy: str, code: int) -> None:
    """A fork's run cannot be admitted or counted; it meets the workflow's choice and a plain sentence, never a crash."""
    job = Job(tmp_path, event=from_a_fork(), identity=False)
    assert job.run("gate", if_unreachable=policy) == code
    golden.expect(f"action/gate-fork-{policy}.md", job.page())


def test_dependabot_is_as_a_fork(tmp_path: Path) -> None:
    """GitHub treats Dependabot's runs as a fork's."""
    job = Job(tmp_path, identity=False)
    job.environ["GITHUB_ACTOR"] = "dependabot[bot]"
    assert job.run("gate") == 0


def test_what_the_server_does_not_accept_is_explained(job: Job) -> None:
    """A repository the App does not cover is a mistake to correct: the server's own words, and the step fails."""
    said = not_covered("acme/widget").problem
    job.tabstop.fault = times(99, problem(403, said))
    assert job.run("gate") == 2
    golden.expect("action/gate-not-accepted.md", job.page())


def test_names_from_outside_cannot_speak_to_the_runner(job: Job) -> None:
    """A branch or a reason that looks like a workflow command stays text, in the log, the annotation and the summary."""
    evil = "x\n::add-mask::true\n##[error]y%0A::stop-commands::z <img src=x> @everyone"
    stop = a_finding(signal=Signal.ACCESS, outcome=Outcome.STOP, scope="actor", sentence=evil, remedy=evil)
    job.tabstop.decide = lambda _request: verdict_of(stop)
    job.run("gate")
    names = {command.name for command in job.commands}
    assert names <= {"add-mask", "error"}
    assert [command.message for command in job.said("add-mask")] == ["oidc-1"]
    assert "\n::" not in job.summary
    assert " <img" not in job.summary


def test_wrong_inputs_are_reported_at_once(job: Job) -> None:
    """Every problem in one run, each with what is allowed."""
    assert job.run("gate", server="http://tabstop.acme.example", wait="soon", agent="clod", if_unreachable="maybe") == 2
    golden.expect("action/wrong-inputs.md", job.page())
    assert job.transport.sent == []


EVENTS: list[tuple[str, dict[str, Any], dict[str, str], tuple[str, str, int | None]]] = [
    ("pull request", PULL_REQUEST, {}, ("claude/fix", "b" * 40, 42)),
    ("comment on a pull request", {"issue": {"number": 42, "pull_request": {}}}, {}, ("", "", 42)),
    ("comment on an issue", {"issue": {"number": 8}}, {}, ("", "", None)),
    (
        "workflow run",
        {"workflow_run": {"head_branch": "fix", "head_sha": "d" * 40, "pull_requests": [{"number": 9}]}},
        {},
        ("fix", "d" * 40, 9),
    ),
    (
        "push",
        {},
        {"GITHUB_REF": "refs/heads/fix", "GITHUB_REF_NAME": "fix", "GITHUB_REF_TYPE": "branch"},
        ("fix", "a" * 40, None),
    ),
    ("tag", {}, {"GITHUB_REF": "refs/tags/v1", "GITHUB_REF_NAME": "v1", "GITHUB_REF_TYPE": "tag"}, ("", "", None)),
    ("broken payload", {"pull_request": "no", "issue": 3, "workflow_run": []}, {}, ("", "", None)),
]


@pytest.mark.parametrize(("event", "environ", "claims"), [row[1:] for row in EVENTS], ids=[row[0] for row in EVENTS])
def test_where_the_work_lies(
    tmp_path: Path, event: dict[str, Any], environ: dict[str, str], claims: tuple[str, str, int | None]
) -> None:
    """Each kind of event names what it knows of branch, head and pull request, and nothing it does not."""
    job = Job(tmp_path, event=event)
    job.environ.update(environ)
    job.run("gate")
    request: StartRequest = job.tabstop.asked[0].request
    assert (request.branch, request.head_sha, request.pull_request) == claims


def test_the_question_names_its_run(job: Job) -> None:
    """By GitHub's numbers, so that a report that another run brings in later is still this run's."""
    job.environ["GITHUB_RUN_ATTEMPT"] = "3"
    job.run("gate")
    request = job.tabstop.asked[0].request
    assert (request.run_id, request.run_attempt) == ("7001", "3")


def test_the_workflow_may_name_the_work(job: Job) -> None:
    """A named branch or pull request replaces the event's, whose commit is then not claimed for it."""
    job.run("gate", branch="claude/other", pull_request="#7")
    request = job.tabstop.asked[0].request
    assert (request.branch, request.head_sha, request.pull_request) == ("claude/other", "", 7)


def test_the_audience_is_the_server_unless_named(job: Job) -> None:
    """The token is made out to the server and to nobody else."""
    job.run("gate")
    job.run("gate", audience="tabstop")
    urls = [request.url for request in job.transport.sent if "idtoken" in request.url]
    assert urls[0].endswith("api-version=2.0&audience=https%3A%2F%2Ftabstop.acme.example")
    assert urls[1].endswith("&audience=tabstop")


def test_the_moment_a_session_begins_is_after_its_admission(job: Job) -> None:
    """What happened while the gate waited is not this session's."""
    retry_at: datetime = in_minutes(job.clock, 1)
    job.tabstop.decide = lambda _request: held_tab(retry_at) if job.clock.at < retry_at else Verdict()
    job.run("gate", wait="5m")
    [path] = (job.temp / "tabstop").glob("*.json")
    assert datetime.fromisoformat(json.loads(path.read_text())["begun_at"]) == retry_at

"""The step executor does what a GitHub runner does, shown on `tiny_action/action.yml`."""

from pathlib import Path

import pytest
import yaml

from tests.support.action_runner import ActionError, ActionRun, ActionRunner
from tests.support.workflow_commands import WorkflowCommandError, parse_commands, parse_file_command

TINY = Path(__file__).parent / "tiny_action"


def a_runner(tmp_path: Path, action: Path = TINY) -> ActionRunner:
    (tmp_path / "workspace" / "out").mkdir(parents=True)
    return ActionRunner(action, workspace=tmp_path / "workspace", runner_temp=tmp_path / "temp")


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> ActionRun:
    runner = a_runner(tmp_path_factory.mktemp("gated"))
    return runner.run({"command": "gate"}, github={"repository": "acme/other"}, event={"number": 7})


def test_outputs_come_from_steps_and_may_have_several_lines(gated: ActionRun) -> None:
    """An output reads its step's GITHUB_OUTPUT; a step that wrote nothing gives an empty string."""
    assert gated.outputs == {"said": "hello to acme/other", "long": "one\ntwo = 2", "never": ""}


def test_a_step_sees_what_earlier_steps_exported(gated: ActionRun) -> None:
    """GITHUB_ENV and GITHUB_PATH reach later steps, as environment and as context; the event is a file."""
    assert gated.step("after").log.splitlines() == ["added command", "from-env from-env name: tiny", "7"]


def test_a_failing_step_fails_the_action_and_skips_the_rest_but_always(gated: ActionRun) -> None:
    """The shell runs with -e and pipefail; after a failure only always() and !cancelled() run."""
    outcomes = {step.id: step.outcome for step in gated.steps}
    assert gated.outcome == "failure"
    assert outcomes == {
        "__step_0": "success",
        "say": "success",
        "after": "failure",
        "skipped": "skipped",
        "settle": "success",
        "__step_5": "success",
    }
    assert gated.step("say").name == "Say hello"


def test_commands_masks_summary_and_artifacts_are_collected(gated: ActionRun) -> None:
    """Annotations are unescaped, masked values leave the log, summaries add up, uploads can be looked at."""
    [error] = [command for command in gated.commands if command.name == "error"]
    assert (error.message, dict(error.properties)) == ("first\nsecond 100%", {"file": "a,b.yml", "line": "3"})
    assert gated.masks == ("ghs_test",)
    assert "token is ***" in gated.log
    assert "ghs_test" not in gated.log
    assert gated.summary == "# Summary\n"
    assert (gated.artifacts["spool"] / "usage.jsonl").read_text() == "spooled\n"


def test_conditions_follow_inputs_and_the_job(tmp_path: Path) -> None:
    """Another command skips the gate's steps; a cancelled job runs only always()."""
    runner = a_runner(tmp_path)
    settled = runner.run({"command": "settle"}, job_status="cancelled")
    ran = [step.id for step in settled.steps if step.outcome != "skipped"]
    assert (settled.outcome, ran) == ("success", ["settle"])


def test_inputs_are_checked_as_github_checks_them(tmp_path: Path) -> None:
    """A missing required input and an undeclared input are refused."""
    runner = a_runner(tmp_path)
    with pytest.raises(ActionError, match=r"missing required inputs \['command'\]"):
        runner.run({})
    with pytest.raises(ActionError, match=r"unexpected inputs \['comand'\]"):
        runner.run({"comand": "gate"})


def test_an_action_it_does_not_know_is_an_error_not_a_no_op(tmp_path: Path) -> None:
    """A `uses:` nobody taught it stops the test instead of passing for done."""
    (tmp_path / "action.yml").write_text(
        yaml.safe_dump({"runs": {"using": "composite", "steps": [{"uses": "acme/unheard-of@v1"}]}})
    )
    with pytest.raises(ActionError, match="acme/unheard-of"):
        a_runner(tmp_path, tmp_path).run({})


def test_nothing_of_our_environment_leaks_into_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step sees the runner's variables and the job's, not those of the machine that runs the tests."""
    monkeypatch.setenv("TABSTOP_SECRET_OF_THE_DEVELOPER", "x")
    step = {"shell": "bash", "run": "env"}
    (tmp_path / "action.yml").write_text(yaml.safe_dump({"runs": {"using": "composite", "steps": [step]}}))
    log = a_runner(tmp_path, tmp_path).run({}, env={"ACTIONS_ID_TOKEN_REQUEST_URL": "http://x"}).log
    assert "DEVELOPER" not in log
    assert "ACTIONS_ID_TOKEN_REQUEST_URL=http://x" in log
    assert f"HOME={tmp_path}" in log


def test_a_file_command_without_its_end_fails() -> None:
    """The runner fails on an unfinished block and on a line that is no assignment."""
    with pytest.raises(WorkflowCommandError, match="delimiter not found 'END'"):
        parse_file_command("x<<END\n1\n")
    with pytest.raises(WorkflowCommandError, match="invalid format"):
        parse_file_command("nothing\n")


def test_ordinary_output_is_no_command() -> None:
    """Only lines that start with :: and a name are commands; a colon in a property's neighbour is kept."""
    assert parse_commands("a::b\n:: c\nstd::vector<int>\n") == []
    [notice] = parse_commands("::notice title=Tab: 80%25::it: costs")
    assert (notice.message, dict(notice.properties)) == ("it: costs", {"title": "Tab: 80%"})

"""The execution file: the aggregate of one run, in every shape it comes in."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabstop.agents.claude_code.client_count import ClientCount, read_counts, since
from tabstop.agents.claude_code.execution_file import ExecutionResult, read_execution_file, totals_of
from tabstop.agents.claude_code.folder import SessionsFound
from tabstop.usage import Tokens
from tabstop.wire import ClientTotal
from tests.agents.claude_code.jobs import Job
from tests.support.samples import CLAUDE_CASES, claude_case

WITH_FILE = [name for name in CLAUDE_CASES if claude_case(name).execution_file]


def a_result(total: int, new: int | None = None, **changes: Any) -> dict[str, Any]:
    """A result event: `total` input tokens in all, `new` of them in this run."""
    event: dict[str, Any] = {"type": "result", "session_id": "s1", "subtype": "success", "num_turns": 1}
    event["modelUsage"] = {"opus": {"inputTokens": total}}
    if new is not None:
        event["model_usage_since_last_result"] = {"opus": {"inputTokens": new}} if new else {}
    return event | changes


def read(tmp_path: Path, content: object) -> ExecutionResult | None:
    path = tmp_path / "execution.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_execution_file(path)


def inputs(result: ExecutionResult | None) -> dict[str, int] | None:
    assert result is not None
    return None if result.this_run is None else {m: one.tokens.input for m, one in result.this_run.items()}


@pytest.mark.parametrize(("name", "run"), [(n, r.number) for n in WITH_FILE for r in claude_case(n).runs])
def test_a_run_is_what_was_added(name: str, run: int, tmp_path: Path) -> None:
    """Of a resumed or forked session too: the total less the total before, as the invoice has it."""
    case = claude_case(name)
    path = case.write_execution_file(tmp_path / "execution.json", run)
    result = read_execution_file(path)
    assert result is not None
    assert result.complete
    assert result.this_run is not None
    lines = [line for line in case.invoice if line.run == run]
    for model in {line.model for line in lines}:
        mine = [line for line in lines if line.model == model]
        billed = sum(
            (Tokens(o.input, o.cache_read, o.cache_write_5m, o.cache_write_1h, o.output) for o in mine), Tokens()
        )
        assert result.this_run[model].tokens == billed
    assert result.version == "2.1.330"
    assert result.api_key_source == "ANTHROPIC_API_KEY"
    assert result.model == lines[0].model


def test_two_results_of_one_run_are_not_added_up() -> None:
    """A background subagent gives a second result with the same total and nothing new."""
    path = claude_case("subagent-background").execution_file
    assert path is not None
    result = read_execution_file(path)
    assert result is not None
    assert len(result.endings) == 2
    assert result.this_run is not None
    assert result.this_run["claude-opus-5-5"].cost == 127_824_000


@pytest.mark.parametrize(
    ("results", "run"),
    [
        ([a_result(10, 10)], 10),
        ([a_result(10, 4)], 4),
        ([a_result(10, 4), a_result(10, 0)], 4),
        ([a_result(10, 4), a_result(10)], 4),
        ([a_result(10, 4), a_result(12, 2)], 6),
        ([a_result(10, 4), a_result(12)], 6),
        ([a_result(10)], None),
        ([a_result(10), a_result(12, 2)], None),
        ([a_result(10, 0)], 0),
    ],
)
def test_what_is_new_is_told_by_the_first_result(results: list[Any], run: int | None, tmp_path: Path) -> None:
    """Its delta dates the total before; later totals only grow. Without it the run cannot be told apart."""
    new = inputs(read(tmp_path, results))
    assert new == (None if run is None else {"opus": run} if run else {})


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([a_result(10, 4)], indent=2),
        "\n".join(json.dumps(one) for one in [{"type": "system"}, a_result(10, 4)]),
        json.dumps(a_result(10, 4), indent=1),
        "\ufeff" + json.dumps([a_result(10, 4)]),
        json.dumps(a_result(10, 4)) + "\r\n",
    ],
)
def test_every_output_format_is_read(content: str, tmp_path: Path) -> None:
    """An array, one event a line, a single result."""
    result = read(tmp_path, content)
    assert inputs(result) == {"opus": 4}
    assert result is not None
    assert (result.session, result.complete) == ("s1", True)


def test_the_last_reading_of_each_window(tmp_path: Path) -> None:
    """The events have no time: it is the one at which the file was last written."""

    def event(window: str, share: float) -> dict[str, Any]:
        return {"type": "rate_limit_event", "rate_limit_info": {"rateLimitType": window, "utilization": share}}

    path = tmp_path / "execution.json"
    path.write_text(json.dumps([event("five_hour", 0.4), event("seven_day", 0.1), event("five_hour", 0.6)]))
    os.utime(path, (1_795_000_000,) * 2)
    result = read_execution_file(path)
    assert result is not None
    assert {one.window: one.used for one in result.gauges} == {"5h": 6_000, "weekly": 1_000}
    assert {one.observed_at.timestamp() for one in result.gauges} == {1_795_000_000}


def test_a_plans_rate_limits_are_noticed(tmp_path: Path) -> None:
    """A client on a plan tells of its windows; one with a key does not."""
    result = read(tmp_path, [{"type": "rate_limit_event", "session_id": "s1"}, a_result(1, 1)])
    assert result is not None
    assert result.rate_limited


def test_a_cut_array_keeps_what_stands_before_the_cut(tmp_path: Path) -> None:
    """Killed while writing."""
    whole = json.dumps([{"type": "system", "subtype": "init", "session_id": "s1"}, a_result(10, 4)], indent=2)
    result = read(tmp_path, whole[: whole.index("modelUsage")])
    assert result is not None
    assert (result.session, result.endings, result.complete) == ("s1", (), False)


def test_a_broken_line_does_not_hide_the_next(tmp_path: Path) -> None:
    """One event a line: the result behind a broken one is found."""
    result = read(tmp_path, '{"type": "assistant", "mess\n' + json.dumps(a_result(10, 4)))
    assert inputs(result) == {"opus": 4}
    assert result is not None
    assert not result.complete


@pytest.mark.parametrize("content", ["", "[]", "null", "42", "{}", "[1, 2]", "words", "[" * 100_000, '{"type": 3}'])
def test_a_file_without_events_is_no_run(content: str, tmp_path: Path) -> None:
    """Nothing to tell is told as nothing."""
    assert read(tmp_path, content) is None


def test_no_file_is_no_run(tmp_path: Path) -> None:
    """Missing, or not a file at all."""
    assert read_execution_file(tmp_path / "missing.json") is None
    assert read_execution_file(tmp_path) is None


def test_a_file_too_long_to_be_one_is_not_read(tmp_path: Path) -> None:
    """The runner's memory is not the agent's to fill."""
    path = tmp_path / "execution.json"
    path.write_text(json.dumps(a_result(10, 4)))
    assert read_execution_file(path, longest=path.stat().st_size) is not None
    assert read_execution_file(path, longest=path.stat().st_size - 1) is None


@pytest.mark.parametrize(
    "usage", [{"opus": {"inputTokens": "many"}}, {"opus": {"costUSD": "much"}}, {"opus": {"costUSD": -1}}]
)
def test_a_count_that_is_none_is_not_guessed(usage: dict[str, Any], tmp_path: Path) -> None:
    """The ending still counts."""
    result = read(tmp_path, a_result(1, 1, modelUsage=usage))
    assert result is not None
    assert (result.this_run, result.complete, len(result.endings)) == (None, False, 1)


@settings(max_examples=60)
@given(data=st.data())
def test_any_damage_is_survived(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Real output with bytes changed and cut."""
    source = claude_case(data.draw(st.sampled_from(WITH_FILE))).execution_file
    assert source is not None
    raw = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 200))] = data.draw(st.binary(max_size=20)) or b"x"
    path = tmp_path_factory.mktemp("damaged") / "execution.json"
    path.write_bytes(bytes(raw))
    read_execution_file(path)


def test_without_transcripts_the_file_is_all_there_is() -> None:
    """Its delta; or, where the client tells none, its whole count: a fresh machine has nothing before it."""
    run = {"opus": ClientCount(Tokens(input=4))}
    whole = {"opus": ClientCount(Tokens(input=10))}
    nothing = SessionsFound()
    assert totals_of(nothing, ExecutionResult("s1", this_run=run, cumulative=whole)) == (
        ClientTotal("s1", "opus", Tokens(input=4)),
    )
    assert totals_of(nothing, ExecutionResult("s1", cumulative=whole)) == (ClientTotal("s1", "opus", Tokens(input=10)),)
    assert totals_of(nothing, ExecutionResult("s1")) == ()
    assert totals_of(nothing, ExecutionResult(this_run=run)) == ()
    assert totals_of(nothing, None) == ()


def test_transcript_and_file_say_the_same(tmp_path: Path) -> None:
    """Two views of one run are not added up, and a job of several runs keeps the larger."""
    for first_run in (1, 2, 3):
        home = tmp_path / str(first_run)
        home.mkdir()
        job = Job(claude_case("resumed"), home, first_run)
        found = job.read()
        assert totals_of(found, job.execution()) == totals_of(found, None)


def test_counts_of_a_client_that_began_again_are_not_negative() -> None:
    """A client that lost its memory counts from zero."""
    before = read_counts({"opus": {"inputTokens": 10, "webSearchRequests": 2, "costUSD": 1}})
    assert since(read_counts({"opus": {"inputTokens": 3}}), before) == {}
    assert since(read_counts({"opus": {"inputTokens": 3, "cacheCreationInputTokens": 9}}), before) == {
        "opus": ClientCount(Tokens(cache_write_5m=9))
    }

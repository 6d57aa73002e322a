"""`tabstop cost`'s engine: every call of every log once and priced, by any number of processes."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import dense_transcripts
from tabstop.agents.homes import Homes
from tabstop.agents.log_files import READERS, LogFile
from tabstop.beside import log_reading
from tabstop.beside.local_usage import local_usage, look
from tabstop.beside.log_reading import Wanted, read_logs
from tabstop.usage import Tokens
from tests.agents.claude_code.test_bulk import an_answer, lines
from tests.beside.local_machine import OLD, Machine, tokens_of, told
from tests.support.samples import CLAUDE, CLAUDE_CASES, SAMPLES, claude_case


@pytest.mark.parametrize("case", CLAUDE_CASES)
def test_every_call_of_the_invoice(case: str, tmp_path: Path) -> None:
    """Forks, resumes, subagents and compaction: what the API billed, no more and no less. Only a row that was cut in half is lost."""
    usage = local_usage(Homes(claude_code=(CLAUDE / case,)), cache=tmp_path / "usage")
    billed: dict[str, Tokens] = {}
    for line in claude_case(case).invoice:
        spent = Tokens(line.input, line.cache_read, line.cache_write_5m, line.cache_write_1h, line.output)
        billed[line.model] = billed.get(line.model, Tokens()) + spent
    if case == "killed-half-row":
        assert tokens_of(usage)["claude-opus-5-5"].output < billed["claude-opus-5-5"].output
        assert [one.reasons for one in usage.skipped] == [{"half-written": 1}]
    else:
        assert tokens_of(usage) == billed
    rest = tokens_of(usage, aggregate=True)
    assert bool(rest) == (case == "compacted")
    assert all(one.estimated == 1 and one.cost for one in usage.groups if one.aggregate)


def test_a_fork_whose_parent_is_gone(machine: Machine) -> None:
    """The copied rows are then the only ones, and count; its total is not counted on top of them."""
    case = CLAUDE / "forked" / "projects" / "-home-dev-widget"
    fork = case / "52332725-ac52-4ef5-8a3f-de034fe66b3d.jsonl"
    machine.write(fork.stem, fork.read_bytes())
    usage = machine.read()
    assert sum(one.calls for one in usage.groups) == 6
    assert {one.session for one in usage.groups} == {fork.stem, "e2311903-8f04-4a73-92c9-ecc80131dc1f"}
    assert not tokens_of(usage, aggregate=True)


def test_links_and_commits_by_session(tmp_path: Path) -> None:
    """What the session saw git and GitHub do."""
    usage = local_usage(Homes(claude_code=(CLAUDE / "pull-request",)), cache=None)
    (facts,) = usage.sessions
    assert facts.session == usage.groups[0].session
    assert [(one.repository, one.number) for one in facts.pull_requests] == [("acme/widget", 42)]
    assert facts.commits


def test_a_price_that_is_not_known_is_not_zero(machine: Machine) -> None:
    """Counted by model, in no sum."""
    machine.write(
        "a",
        lines(
            an_answer("req_1"), an_answer("req_2", model="nobodys-model-9"), an_answer("req_3", model="nobodys-model-9")
        ),
    )
    usage = machine.read()
    assert usage.unpriced == {"nobodys-model-9": 2}
    assert {one.model: (one.cost > 0, one.unpriced) for one in usage.groups} == {
        "claude-opus-5-5": (True, 0),
        "nobodys-model-9": (False, 2),
    }


def test_a_long_prompt_has_its_own_price(machine: Machine) -> None:
    """Tiers hold per call: three prompts of a quarter of an hour are not one prompt three times as long."""
    short = {"input_tokens": 90_000, "output_tokens": 100}
    long = {"input_tokens": 290_000, "output_tokens": 100}
    machine.write("a", lines(*(an_answer(f"req_{n}", model="claude-sonnet-4-5", usage=short) for n in range(3))))
    cheap = machine.read().groups[0].cost
    machine.write(
        "a", lines(*(an_answer(f"req_{n}", model="claude-sonnet-4-5", usage=long) for n in range(3))), OLD + 1
    )
    dear = machine.read().groups[0].cost
    assert cheap == 3 * (90_000 * 3_000 + 100 * 15_000)
    assert dear > 3 * (290_000 * 3_000 + 100 * 15_000)


def test_costs_that_are_only_estimates(machine: Machine) -> None:
    """Cache writes without a lifetime are priced as five minutes, and say so; searches cost per request."""
    unsplit = an_answer("req_1", usage={"cache_creation_input_tokens": 1_000})
    searched = an_answer("req_2", usage={"output_tokens": 1, "server_tool_use": {"web_search_requests": 3}})
    machine.write("a", lines(unsplit, searched))
    (group,) = machine.read().groups
    assert (group.estimated, group.web_searches, group.calls) == (1, 3, 2)
    assert group.cost == 1_000 * 5_000 + 20_000 + 3 * 10_000_000


def test_calls_whose_prices_differ_in_one_file(machine: Machine) -> None:
    """One that must be priced alone, by when it was kept in the cache, leaves the other as it is."""
    used = {"input_tokens": 10, "cache_creation_input_tokens": 100}
    later = "2026-11-21T18:00:00.000Z"
    machine.write("a", lines(an_answer("req_1"), an_answer("req_2", usage=used, timestamp=later)))
    assert [(one.cost, one.estimated) for one in machine.read().groups] == [(140_000, 0), (10 * 4_000 + 100 * 5_000, 1)]


def test_a_fork_of_a_session_that_was_killed(machine: Machine) -> None:
    """A parent without any total: the fork counted from zero, and its total is its own."""
    for path in sorted((CLAUDE / "forked" / "projects" / "-home-dev-widget").iterdir()):
        body = path.read_bytes()
        if path.stem.startswith("e2311903"):
            body = b"".join(line for line in body.splitlines(keepends=True) if b'"cost-state"' not in line)
        machine.write(path.stem, body)
    usage = machine.read()
    assert sum(one.calls for one in usage.groups) == 7


def test_another_agents_logs(tmp_path: Path) -> None:
    """Codex's, read by its own reader, beside Claude Code's."""
    day = tmp_path / "codex" / "sessions" / "2026" / "11" / "21"
    day.mkdir(parents=True)
    shutil.copy(
        SAMPLES / "codex" / "rollout.jsonl",
        day / "rollout-2026-11-21T21-00-00-019a0000-0000-7000-8000-000000000000.jsonl",
    )
    homes = Homes(claude_code=(CLAUDE / "plain",), codex=(tmp_path / "codex",))
    usage = local_usage(homes, cache=tmp_path / "usage")
    assert {one.agent for one in usage.groups} == {"claude-code", "codex"}
    assert told(local_usage(homes, cache=tmp_path / "usage")) == told(usage)


def test_what_is_looked_at(tmp_path: Path) -> None:
    """A file that went away is not there; one that cannot be asked about is told. A write-ahead log is part of its database."""
    database = tmp_path / "opencode.db"
    database.write_bytes(b"x")
    gone, odd = LogFile("opencode", tmp_path / "gone"), LogFile("opencode", tmp_path / ("x" * 300))
    log = tmp_path / "opencode.db-wal"
    before = look([gone, odd, LogFile("opencode", database, (log,))])
    log.write_bytes(b"x")
    after = look([gone, odd, LogFile("opencode", database, (log,))])
    assert [path for path, _ in before.unread] == [str(odd.path)]
    assert len(before.states) == len(after.states) == 1
    assert before.states != after.states


def test_what_cannot_be_read_is_told(machine: Machine) -> None:
    """A link could lead anywhere; a pipe would wait for its writer."""
    path = machine.write("a", lines(an_answer("req_1")))
    (machine.projects / "link.jsonl").symlink_to(path)
    os.mkfifo(machine.projects / "pipe.jsonl")
    usage = machine.read()
    assert [(Path(one).name, why) for one, why in usage.unread] == [
        ("link.jsonl", "not a plain file"),
        ("pipe.jsonl", "not a plain file"),
    ]
    assert sum(one.calls for one in usage.groups) == 1


def test_no_logs_at_all(tmp_path: Path) -> None:
    """A machine without any agent has used nothing."""
    usage = local_usage(Homes.from_environ({"HOME": str(tmp_path)}), cache=tmp_path / "usage")
    assert (usage.groups, usage.files, usage.unread) == ((), 0, ())


@pytest.fixture
def dense(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    dense_transcripts.write(machine.projects.parents[1], files=12, answers=8)
    monkeypatch.setattr(log_reading, "_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(log_reading, "_BATCH", 30_000)
    yield machine
    shutil.rmtree(machine.projects.parents[1])


def test_many_processes_tell_the_same(dense: Machine) -> None:
    """Each file is read by one of them. Progress ends at all there is."""
    seen: list[tuple[int, int]] = []
    usage = local_usage(
        dense.homes, cache=None, processes=3, progress=lambda done, everything: seen.append((done, everything))
    )
    assert told(usage) == told(local_usage(dense.homes, cache=None, processes=1))
    assert sum(one.calls for one in usage.groups) == 96
    assert seen[-1][0] == seen[-1][1] > 0
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_process_that_dies_is_not_missed(dense: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it did not finish is read here."""
    this, read_log = os.getpid(), log_reading.read_log

    def dying(wanted: Wanted) -> log_reading.Reading:
        if os.getpid() != this:
            os._exit(9)
        return read_log(wanted)

    monkeypatch.setattr(log_reading, "read_log", dying)
    wanted = [
        Wanted(LogFile("claude-code", path), path.stat().st_size)
        for path in sorted(dense.projects.parent.rglob("*.jsonl"))
    ]
    found = read_logs(wanted, 2, lambda _done, _all: None)
    assert [len(table.calls) for one in found for table in one.tables] == [8] * 12


def test_an_error_leaves_no_process_behind(dense: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever presses Ctrl-C waits for nobody."""
    forked: list[int] = []
    fork = os.fork

    def noted() -> int:
        forked.append(fork())
        return forked[-1]

    monkeypatch.setattr(os, "fork", noted)

    def interrupted(_done: int, _all: int) -> None:
        raise KeyboardInterrupt

    wanted = [
        Wanted(LogFile("claude-code", path), path.stat().st_size) for path in dense.projects.parent.rglob("*.jsonl")
    ]
    with pytest.raises(KeyboardInterrupt):
        read_logs(wanted, 3, interrupted)
    for child in forked:
        with pytest.raises(ChildProcessError):
            os.waitpid(child, os.WNOHANG)


def test_every_agent_has_a_reader(tmp_path: Path) -> None:
    """Of a machine with no logs none of them finds any."""
    for agent in READERS:
        assert local_usage(Homes.from_environ({"HOME": str(tmp_path)}), cache=None, agents=[agent]).files == 0

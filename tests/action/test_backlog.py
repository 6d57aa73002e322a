"""Reports of earlier sessions: brought in later, once, by whoever may, and left alone by others."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tabstop.beside.spool import pending
from tabstop.beside.transport import Response
from tests.action.fake_tabstop import times
from tests.action.jobs import AWAY, Job, from_a_fork, gated, only_session, play, spool_of
from tests.support import golden


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_the_next_settle_on_this_machine_brings_it_in(job: Job) -> None:
    """What was kept arrives later, once, under its own session."""
    gated(job)
    job.tabstop.fault = times(99, AWAY)
    job.run("settle")
    assert only_session(job).end is None
    job.tabstop.fault = lambda _route: None
    job.run("gate")
    play(job, "sonnet")
    assert job.run("settle") == 0
    assert job.tabstop.sessions["s1"].end is not None
    assert len(job.tabstop.sessions["s1"].calls) == 5
    assert job.outputs["spool-left"] == "0"
    assert pending(spool_of(job)) == ()
    assert "1 earlier report" in job.log


def test_a_spool_can_be_brought_in_by_itself(job: Job, tmp_path: Path) -> None:
    """A scheduled job unpacks artifacts into a folder and settles that, without a gate of its own."""
    gated(job)
    job.tabstop.fault = times(99, AWAY)
    job.run("settle")
    artifact = tmp_path / "artifacts" / job.outputs["spool-artifact"]
    artifact.mkdir(parents=True)
    Path(job.outputs["spool-path"]).rename(artifact / "report.json")
    collector = Job(tmp_path / "collector", event={})
    collector.tabstop = job.tabstop
    collector.tabstop.fault = lambda _route: None
    collector.transport.routes = {**collector.transport.routes, "https://tabstop": job.tabstop.answer}
    del collector.transport.routes["https://tabstop.acme.example"]
    assert collector.run("settle", spool=str(tmp_path / "artifacts")) == 0
    assert only_session(job).end is not None
    assert list(artifact.iterdir()) == []


def test_where_strangers_read_artifacts_the_token_stays_out(tmp_path: Path) -> None:
    """An artifact of a public repository can be read by anybody; it needs the identity of who brings it in, and is no second session."""
    event = from_a_fork()
    event["pull_request"]["head"]["repo"]["full_name"] = "acme/widget"
    job = Job(tmp_path, event=event)
    gated(job)
    job.tabstop.fault = times(99, AWAY)
    job.run("settle")
    artifact = Path(job.outputs["spool-path"])
    assert "session-token" not in artifact.read_text()
    folder = tmp_path / "artifact"
    folder.mkdir()
    artifact.rename(folder / "report.json")
    job.tabstop.fault = lambda _route: None
    assert job.run("settle", spool=str(folder)) == 0
    assert job.tabstop.asked[-1].request.unadmitted_since is not None
    known = only_session(job)
    assert known.start.branch == "claude/fix"
    assert len(known.calls) == 5


def test_reports_for_elsewhere_and_broken_files_wait(job: Job) -> None:
    """Another server's report, another repository's without a token, and what cannot be read are left alone and named."""
    gated(job)
    job.tabstop.fault = times(99, AWAY)
    job.run("settle")
    [left] = pending(spool_of(job))
    data = json.loads(left.path.read_text())
    other = {**data, "server": "https://other.example", "session": "s7"}
    foreign = {**data, "token": "", "start": {**data["start"], "repository": "acme/other"}}
    (spool_of(job) / "1.json").write_text(json.dumps(other))
    (spool_of(job) / "2.json").write_text(json.dumps(foreign))
    (spool_of(job) / "3.json").write_text('{"server"')
    (spool_of(job) / "4.json").symlink_to(left.path)
    job.tabstop.fault = lambda _route: None
    job.run("gate")
    job.run("settle")
    assert job.outputs["spool-left"] == "4"
    assert job.tabstop.sessions["s1"].end is not None
    assert sum("left alone" in line for line in job.lines) == 2
    [waiting] = [one for one in job.said("warning") if "waiting" in one.properties["title"]]
    golden.expect("action/settle-backlog.txt", waiting.message + "\n")


def three_waiting(job: Job) -> None:
    """Three earlier jobs whose reports did not arrive."""
    job.tabstop.fault = lambda route: None if route == "start" else Response(503)
    for name in ("plain", "sonnet", "subagent"):
        gated(job, name)
        job.run("settle")
        job.clock.at += timedelta(minutes=10)
    assert len(pending(spool_of(job))) == 3


def test_a_server_that_goes_away_again_stops_the_backlog(job: Job) -> None:
    """What arrived is gone from the spool, what arrived in part goes on from there, and nobody waits for each of the rest."""
    three_waiting(job)
    ends = [0]

    def fault(route: str) -> Response | None:
        ends[0] += route == "end"
        return Response(503) if ends[0] > 2 else None

    job.tabstop.fault = fault
    job.run("gate")
    job.run("settle", agent_outcome="skipped")
    left = pending(spool_of(job))
    assert [len(one.undelivered.batches) for one in left if one.undelivered] == [0, 1]
    assert job.outputs["spool-left"] == "2"
    assert len(job.tabstop.sessions["s2"].calls) == 5
    assert job.tabstop.sessions["s3"].calls == {}
    job.tabstop.fault = lambda _route: None
    job.run("settle", spool=str(spool_of(job)))
    assert all(known.end is not None for known in job.tabstop.sessions.values())
    assert pending(spool_of(job)) == ()


def test_a_late_session_that_broke_off_keeps_its_new_name(job: Job) -> None:
    """Started after the fact and cut off: the file now names that session, and the old file is gone."""
    gated(job)
    job.tabstop.fault = lambda route: None if route == "start" else Response(503)
    job.run("settle")
    job.tabstop.sessions.clear()
    job.tabstop.fault = lambda route: Response(503) if route == "end" else None
    job.run("settle", spool=str(spool_of(job)))
    [left] = pending(spool_of(job))
    assert left.undelivered is not None
    assert left.undelivered.token == only_session(job).token
    assert len(only_session(job).calls) == 5

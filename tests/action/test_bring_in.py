"""Bring-in's promises: what waits arrives once, only what arrived is deleted, one bad artifact stops no other, and people read why."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from action.bring_in import MOST_AT_ONCE, MOST_LISTED, bring_in, ours
from action.bring_in_archive import LONGEST_ZIP
from action.bring_in_artifacts import Artifact, ArtifactsError
from action.inputs import Inputs
from tabstop.beside.spool import Undelivered
from tabstop.beside.transport import Response
from tabstop.usage import Billing
from tabstop.wire import EndAnswer, EndRequest, Placement, Problem, StartRequest
from tabstop.wire_json import to_json
from tests.action.fake_artifacts import FakeArtifacts
from tests.action.fake_tabstop import CENT, problem, times
from tests.action.jobs import AWAY, SERVER, Job, gated
from tests.support import golden
from tests.support.artifacts_api import CREATED, Shelf, zipped
from tests.support.workflow_commands import parse_file_command


class Site:
    """A repository with artifacts, and the job that brings them in."""

    def __init__(self, folder: Path) -> None:
        self.job = Job(folder)
        self.shelf = Shelf()
        self.artifacts = FakeArtifacts(self.shelf)

    def leave(self, name: str = "plain") -> str:
        """A job settles while the server is away, and leaves its artifact; the artifact's name."""
        self.job.tabstop.fault = lambda route: None if route == "start" else Response(503)
        gated(self.job, name, purpose="review")
        self.job.run("settle")
        self.job.clock.at += timedelta(minutes=10)
        self.job.tabstop.fault = lambda _route: None
        path = Path(self.job.outputs["spool-path"])
        self.shelf.put(self.job.outputs["spool-artifact"], zipped({path.name: path.read_bytes()}))
        return self.job.outputs["spool-artifact"]

    def run(self, **inputs: str) -> int:
        """What the step does, remembered as `Job.run` does."""
        job = self.job
        for name in ("output", "summary"):
            (job.temp / name).write_text("")
        job.lines.clear()
        given = {"COMMAND": "bring-in", "SERVER": SERVER, "GITHUB_TOKEN": "ghs_artifacts", **inputs}
        world = job.world({**job.environ, **{f"TABSTOP_INPUT_{name}": value for name, value in given.items()}})
        code = bring_in(world, Inputs.from_environ(world.environ), self.artifacts)
        job.outputs = parse_file_command((job.temp / "output").read_text())
        job.summary = (job.temp / "summary").read_text()
        return code


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_waits_arrives_and_is_deleted(site: Site) -> None:
    """Two jobs' reports reach their own sessions; the page says what they cost; nothing is left anywhere."""
    for name in ("plain", "subagent-other-model"):
        site.leave(name)
    assert site.run() == 0
    sessions = site.job.tabstop.sessions
    assert [known.end is not None for known in sessions.values()] == [True, True]
    assert len(sessions["s1"].calls) == 5
    assert site.shelf.names == []
    assert site.job.outputs == {"brought-in": "2", "spool-left": "0"}
    assert not list(site.job.temp.glob("tmp*"))
    golden.expect("action/bring-in.md", site.job.page())


def test_what_is_on_no_pull_request_is_said(site: Site) -> None:
    """A report of a run that nobody knows any more lies with the repository; the page says how much that is."""
    for name in ("plain", "subagent-other-model"):
        site.leave(name)
    nowhere = Placement("repository only", "the run is not known", "acme/widget", cost=CENT)

    def ends(ended: EndAnswer) -> EndAnswer:
        return replace(ended, placements=(*ended.placements, nowhere)) if ended.tokens > 45_000 else ended

    site.job.tabstop.ends = ends
    assert site.run() == 0
    golden.expect("action/bring-in-unplaced.md", site.job.page())


def test_nothing_waits(site: Site) -> None:
    """The usual hour: one line, no annotation, no identity asked for."""
    site.shelf.put("coverage", b"not ours")
    del site.job.environ["ACTIONS_ID_TOKEN_REQUEST_URL"]
    assert site.run() == 0
    assert site.artifacts.did == ["newest"]
    golden.expect("action/bring-in-nothing.md", site.job.page())


def test_a_second_run_changes_nothing(site: Site) -> None:
    """The deletion failed: the next run finds the report known, and only deletes."""
    name = site.leave()

    def no_deletion(what: str) -> None:
        if what == "delete":
            raise ArtifactsError("GitHub answered HTTP 500")

    site.artifacts.fault = no_deletion
    assert site.run() == 0
    assert site.shelf.names == [name]
    assert "its reports arrived, but it was not deleted" in site.job.summary
    assert site.job.said("warning") == []
    calls = dict(site.job.tabstop.sessions["s1"].calls)
    site.artifacts.fault = lambda _what: None
    assert site.run() == 0
    assert site.shelf.names == []
    assert site.job.tabstop.sessions["s1"].calls == calls
    assert list(site.job.tabstop.sessions) == ["s1"]


def test_copies_are_one_session(site: Site) -> None:
    """The same report in two artifacts: both are deleted, and its cost is told once."""
    site.leave()
    site.shelf.put("tabstop-spool-7001-2-s1", site.shelf.stored[900].content)
    assert site.run() == 0
    assert site.shelf.names == []
    assert "2 reports brought in, $0.05" in site.job.summary
    assert site.job.summary.count("`s1`") == 1


BAD = {
    "tabstop-spool-cut": zipped({"a.json": "{}" * 500})[:-40],
    "tabstop-spool-upwards": zipped({"../../../evil.json": "{}"}),
    "tabstop-spool-script": zipped({"run.sh": "curl evil.example"}),
    "tabstop-spool-none": zipped({"a.json": '{"server": 1}'}),
    "tabstop-spool-text": zipped({"a.json": "not json"}),
    "tabstop-spool-`x`|<b>": zipped({"a\n::error::b.json": ""}),
}


def test_one_bad_artifact_stops_no_other(site: Site) -> None:
    """Cut off, hostile, foreign: each stays with its reason and its end, and what is good among them arrives."""
    for number, (name, content) in enumerate(BAD.items()):
        site.shelf.put(name, content, days=9 + number)
    site.leave()
    elsewhere = a_report(server="https://other.example", token="t")
    site.shelf.put("tabstop-spool-elsewhere", zipped({"a.json": json.dumps(to_json(elsewhere))}))
    assert site.run() == 0
    assert site.shelf.names == [*BAD, "tabstop-spool-elsewhere"]
    assert site.job.tabstop.sessions["s1"].end is not None
    assert site.job.outputs == {"brought-in": "1", "spool-left": "6"}
    assert not (site.job.temp.parent / "evil.json").exists()
    assert {command.name for command in site.job.commands} <= {"warning", "add-mask"}
    golden.expect("action/bring-in-bad.md", site.job.page())


def a_report(*, server: str = SERVER, token: str = "", repository: str = "acme/widget") -> Undelivered:
    start = StartRequest(agent="claude-code", repository=repository, branch="claude/fix", billing=Billing.UNKNOWN)
    return Undelivered(server, start, CREATED, EndRequest("finished"), token=token, session="s9" if token else "")


def test_half_an_artifact_stays(site: Site) -> None:
    """Of two reports in it one arrived: it stays whole, for the next run, which finds the first known."""
    good, other = a_report(), a_report(repository="acme/other")
    content = {"1.json": json.dumps(to_json(good)), "2.json": json.dumps(to_json(other))}
    site.shelf.put("tabstop-spool-two", zipped(content))
    assert site.run() == 0
    assert len(site.job.tabstop.sessions) == 1
    assert site.shelf.names == ["tabstop-spool-two"]
    assert "waits for a job of acme/other" in site.job.summary


def test_forks_artifacts_are_not_touched(site: Site) -> None:
    """A fork's run can upload an artifact of this name: it is neither opened nor deleted, nor is an expired one."""
    site.shelf.put("tabstop-spool-fork", zipped({"a.json": "{}"}), head_repository_id=77)
    site.shelf.put("tabstop-spool-no-run", zipped({"a.json": "{}"}), head_repository_id=None)
    site.shelf.put("tabstop-spool-old", zipped({"a.json": "{}"}), expired=True)
    assert site.run() == 0
    assert site.artifacts.did == ["newest"]
    assert len(site.shelf.names) == 3


def test_what_expires_first_comes_first() -> None:
    """Whatever order GitHub lists them in; one without an end waits for the others."""
    late = Artifact(1, "tabstop-spool-a", expires_at=CREATED + timedelta(days=9), repository=1, head_repository=1)
    soon = replace(late, id=2, expires_at=CREATED)
    never = replace(late, id=3, expires_at=None)
    assert ours([never, late, soon]) == [soon, late, never]


@pytest.mark.parametrize(("policy", "code"), [("allow", 0), ("block", 3)])
def test_the_server_is_still_away(site: Site, policy: str, code: int) -> None:
    """Nothing is deleted, nobody waits for each artifact, and with `block` the step fails."""
    names = [site.leave(name) for name in ("plain", "sonnet", "subagent")]
    site.job.tabstop.fault = times(99, AWAY)
    before = len(site.job.clock.slept)
    assert site.run(IF_UNREACHABLE=policy) == code
    assert site.shelf.names == names
    assert len(site.job.clock.slept) - before == 3
    if policy == "allow":
        golden.expect("action/bring-in-away.md", site.job.page())
    else:
        assert [one.properties["title"] for one in site.job.said("error")] == ["Tabstop: late reports are waiting"]


def test_a_report_that_is_not_accepted_stays(site: Site) -> None:
    """In the server's words, and the next one is tried all the same."""
    names = [site.leave(name) for name in ("plain", "sonnet")]
    refusal = problem(400, Problem("The batch is not valid."))
    refused = iter([refusal])
    site.job.tabstop.fault = lambda route: next(refused, None) if route == "usage" else None
    assert site.run() == 0
    assert site.shelf.names == names[:1]
    assert "The batch is not valid." in site.job.summary


def test_no_permission_to_list(site: Site) -> None:
    """The step fails and shows the lines to add."""
    site.shelf.may_list = False
    assert site.run() == 2
    golden.expect("action/bring-in-not-allowed.md", site.job.page())


def test_no_identity(site: Site) -> None:
    """Something waits and nobody can say who brings it: the lines to add; nothing is downloaded."""
    site.leave()
    del site.job.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    assert site.run() == 2
    assert site.artifacts.did == ["newest"]
    golden.expect("action/bring-in-no-identity.md", site.job.page())


@pytest.mark.parametrize(("policy", "code"), [("allow", 0), ("block", 3)])
def test_github_is_away(site: Site, policy: str, code: int) -> None:
    """The next run tries again; `block` means it here too."""

    def away(_what: str) -> None:
        raise ArtifactsError("GitHub answered HTTP 503")

    site.artifacts.fault = away
    assert site.run(IF_UNREACHABLE=policy) == code
    if policy == "allow":
        golden.expect("action/bring-in-github-away.md", site.job.page())


def test_a_download_that_fails_is_said(site: Site) -> None:
    """One artifact's trouble is its own; a too long one is not even asked for."""
    site.leave()
    site.shelf.put("tabstop-spool-long", b"").content = bytes(LONGEST_ZIP + 1)

    def gone(what: str) -> None:
        if what == "download":
            raise ArtifactsError("GitHub answered HTTP 410: Artifact has expired")

    site.artifacts.fault = gone
    assert site.run() == 0
    assert len(site.artifacts.did) == 2
    assert "HTTP 410" in site.job.summary
    assert "it is longer than 16,777,216 bytes" in site.job.summary


def test_a_runner_without_room(site: Site) -> None:
    """A folder that cannot be made is the runner's trouble: said, and nothing is lost."""
    name = site.leave()
    site.artifacts.download = lambda artifact, longest: zipped({"a" * 150 + ".json": "{}"})  # type: ignore[method-assign]
    too_long = Artifact(10**300, name, repository=1, head_repository=1)
    site.artifacts.newest = lambda count: [too_long]  # type: ignore[method-assign]
    assert site.run() == 0
    assert "this runner could not unpack it: File name too long" in site.job.summary


def test_more_than_one_run_takes(site: Site) -> None:
    """A hundred at a time; the rest is named, and so is that not all artifacts were looked at."""
    report = zipped({"a.json": json.dumps(to_json(a_report()))})
    for _ in range(MOST_LISTED - MOST_AT_ONCE):
        site.shelf.put("other", b"")
    for number in range(MOST_AT_ONCE + 2):
        site.shelf.put(f"tabstop-spool-{number:03}", report)
    assert site.run() == 0
    assert "waits for the next run" in site.job.summary
    assert "Only the newest 5,000 artifacts of this repository were looked at." in site.job.summary


def test_long_tables_are_cut(site: Site) -> None:
    """A page of sixty rows of trouble shows fifty and the count of the rest; the annotation shows ten."""
    for number in range(60):
        site.shelf.put(f"tabstop-spool-{number:02}", b"")
    assert site.run() == 0
    assert site.job.summary.count("tabstop-spool-") == 50
    assert "and 10 more" in site.job.summary
    assert "and 50 more, listed in the job's summary" in site.job.said("warning")[0].message


def test_dollars_are_named_as_they_are(site: Site) -> None:
    """List prices are no bill, and what has no price is said beside the sum."""
    site.leave()
    site.job.tabstop.ends = lambda answer: answer.__class__(answer.verdict, cost=0, notional=42 * CENT, unpriced=1)
    assert site.run() == 0
    assert "1 report brought in, $0.42 at list prices, part unknown" in site.job.summary


def test_the_token_is_nowhere(site: Site) -> None:
    """Neither printed nor in a request to the server."""
    site.leave()
    site.run()
    said = site.job.log + site.job.summary + json.dumps(site.job.outputs)
    sent = [
        *(str(request.headers) for request in site.job.transport.sent),
        *(str(r.body) for r in site.job.transport.sent),
    ]
    assert "ghs_artifacts" not in said + "".join(sent)

"""A late report, end to end: the server was away, others' runs bring the report in, and its own person and tab are charged."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.store.open import open_store
from tests.e2e.stage import Job, Stage
from tests.support.artifacts_api import TOKEN, ArtifactsApi, Shelf, zipped
from tests.support.emulator import PullRequest
from tests.support.oidc_issuer import github_claims, github_context

pytestmark = [pytest.mark.node, pytest.mark.slow]


def held_back(stage: Stage, pull: PullRequest) -> tuple[str, str, Path]:
    """Alice's run on the pull request, from gate to settle without a server: (its run, its artifact, the artifact's files)."""
    job = stage.job(pull)
    assert job.run(command="gate", purpose="feature").outcome == "success"
    execution = stage.agent_works(job, "sonnet")
    settle = job.run(command="settle", execution_file=str(execution), agent_outcome="success")
    [(name, folder)] = settle.artifacts.items()
    return job.github["run_id"], name, folder


def scheduled(stage: Stage, pull: PullRequest) -> Job:
    """An hourly job on the default branch, which GitHub says is carol's."""
    job = stage.job(pull)
    claims = github_claims(event_name="schedule", branch="main", actor="carol", actor_id="5", run_id="9001")
    return Job(job.runner, stage.issuer.begin_job(claims), github_context(claims), {}, job.server)


def test_whoever_brings_a_report_in_it_is_charged_to_its_own_run(stage: Stage) -> None:
    """Alice's run on one pull request; carol's schedule brings it in, and bob's settle on another a copy of it."""
    stage.install()
    one = stage.emulators.open_pull_request("claude/one")
    two = stage.emulators.open_pull_request("claude/two")
    for pull in (one, two):
        stage.check_that(pull.head_sha, conclusion="success")
    stage.server.kill()
    run_id, name, folder = held_back(stage, one)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    stage.server.start()
    stage.emulators.workflow_run(
        int(run_id), head_branch=one.branch, head_sha=one.head_sha, status="completed", conclusion="success"
    )

    by_carol = scheduled(stage, two)
    with ArtifactsApi(Shelf(), prefix="/api/v3") as artifacts:
        artifacts.shelf.put(name, zipped(files))
        by_carol.github |= {"api_url": artifacts.url, "token": TOKEN}
        brought = by_carol.run(command="bring-in")
    assert brought.outputs["brought-in"] == "1", brought.log
    by_bob = stage.job(two, actor="bob", actor_id="4")
    by_bob.run(command="gate", purpose="feature")
    settle = by_bob.run(command="settle", spool=str(folder), agent_outcome="success")
    assert settle.outputs["spool-left"] == "0", settle.log

    stage.check_that(one.head_sha, title="$0.07")
    stage.check_that(two.head_sha, title="No agent spend yet")
    store = open_store(stage.server.environ["TABSTOP_DATABASE_URL"])
    organization = store.organization_by_github_id(1)
    assert organization is not None
    with store.look(organization.id) as books:
        repository = books.repository_by_name("acme/widget")
        assert repository is not None
        tab = books.tab_of_branch(repository.id, "claude/one")
        assert tab is not None
        [session] = books.sessions_of_tab(tab.id)
        engineer = books.engineer(session.engineer_id or 0)
        [place] = books.places([session.place_id]).values()
    assert engineer is not None
    assert (engineer.login, session.pull_request, session.run_id) == ("alice", one.number, run_id)
    assert session.unadmitted
    assert place.confidence == "claimed"
    assert place.reason.startswith("reported later by run 9001, pull request #")
    assert place.reason.endswith(f"GitHub's record of run {run_id}")

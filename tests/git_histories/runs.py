"""Histories of workflow runs: what the run's own identity proves, and what only its log says."""

from __future__ import annotations

from tabstop.attribution import Confidence
from tests.git_histories.scene import Scene, opened_elsewhere


def a_proven_run(scene: Scene) -> None:
    """A run that its identity token proves to be a pull request's
    Wherever its log says it worked.

    a b | feature #1 | proven | proven by the run's identity token
    """
    bob = scene.clone(folder="bob")
    bob.git("switch -c feature")
    bob.commit("one")
    bob.push()
    opened_elsewhere(scene, 1, "feature")
    run = scene.run("feature", Confidence.PROVEN, "proven by the run's identity token")
    run.git("switch -q feature")
    run.call("a")
    run.call("b")


def a_comment(scene: Scene) -> None:
    """A comment on a pull request starts a run on the default branch

    a | feature #1 | verified | the comment that started the run is on pull request #1
    """
    bob = scene.clone(folder="bob")
    bob.git("switch -c feature")
    bob.commit("one")
    bob.push()
    opened_elsewhere(scene, 1, "feature")
    run = scene.run("feature", Confidence.VERIFIED, "the comment that started the run is on pull request #1")
    run.call("a")


def an_issue_that_became_a_pull_request(scene: Scene) -> None:
    """A run on the default branch that opens a pull request

    a | claude/issue-5 #6 | inferred | work on main that led to claude/issue-5 in this session
    b | claude/issue-5 #6 | verified | the agent's own client saw pull request #6 of this branch
    """
    run = scene.run("", Confidence.REPOSITORY_ONLY, "a run on the default branch")
    run.call("a")
    run.git("switch -c claude/issue-5")
    run.call("b")
    run.commit("one")
    run.push()
    run.opens(6)


def a_nightly_run(scene: Scene) -> None:
    """A run on the default branch that leads to nothing

    a | acme/widget | repository only | a run on the default branch
    """
    scene.run("", Confidence.REPOSITORY_ONLY, "a run on the default branch").call("a")


def a_run_that_names_another_repository(scene: Scene) -> None:
    """A run whose log names another repository
    A run's word counts for its own.

    a | acme/widget | repository only | a run speaks for its own repository only; its log names acme/site
    """
    run = scene.run("", Confidence.REPOSITORY_ONLY, "a run on the default branch")
    run.goes_to(scene.clone("acme/site"))
    run.git("switch -c fix")
    run.call("a")

"""Histories of branches: begun, looked at, named and renamed."""

from __future__ import annotations

from tests.git_histories.scene import Scene, opened_elsewhere


def _somebodys_pull_request(scene: Scene) -> None:
    """#1, of the branch `theirs`, by a person without an agent."""
    bob = scene.clone(folder="bob")
    bob.git("switch -c theirs")
    bob.commit("something")
    bob.push()
    opened_elsewhere(scene, 1, "theirs")


def a_branch_and_its_pull_request(scene: Scene) -> None:
    """A branch, and its pull request

    a b c | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    agent.git("switch -c feature")
    agent.call("a")
    agent.commit("one")
    agent.push()
    agent.call("b")
    agent.opens(1)
    agent.call("c")
    scene.merge(1)


def opened_by_hand(scene: Scene) -> None:
    """The pull request is opened by hand
    Its client saw the commit, and GitHub says what that is in.

    a b | feature #1 | verified | a commit of this session is in pull request #1
    """
    agent = scene.claude()
    agent.git("switch -c feature")
    agent.call("a")
    agent.commit("one")
    agent.push()
    agent.call("b")
    opened_elsewhere(scene, 1, "feature")


def a_quiet_commit(scene: Scene) -> None:
    """A quiet commit, and a pull request opened by hand
    No client sees `git commit -q`. The branch's name is what is left.

    a | feature #1 | claimed | named by the engineer's own token
    """
    agent = scene.claude()
    agent.git("switch -c feature")
    agent.call("a")
    agent.commit("one", "-q")
    agent.push()
    opened_elsewhere(scene, 1, "feature")


def never_pushed(scene: Scene) -> None:
    """A branch that was never pushed

    a b | feature | claimed | named by the engineer's own token
    """
    agent = scene.claude()
    agent.git("switch -c feature")
    agent.call("a")
    agent.commit("one")
    agent.call("b")


def main_before_the_branch(scene: Scene) -> None:
    """Work on main before the branch was begun

    a | feature #1 | inferred | work on main that led to feature in this session
    b | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    agent.call("a")
    agent.git("switch -c feature")
    agent.call("b")
    agent.commit("one")
    agent.push()
    agent.opens(1)


def main_alone(scene: Scene) -> None:
    """Questions on main

    a b | acme/widget | repository only | work on main, the default branch, led to no pull request
    """
    scene.claude().call("a", "b")


def main_in_between(scene: Scene) -> None:
    """A look at main in between

    a c | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b | feature #1 | inferred | work on main that led to feature in this session
    """
    agent = scene.claude()
    agent.git("switch -c feature")
    agent.call("a")
    agent.git("switch main")
    agent.call("b")
    agent.git("switch feature")
    agent.call("c")
    agent.commit("one")
    agent.push()
    agent.opens(1)


def main_afterwards(scene: Scene) -> None:
    """Back on main after the merge, and nothing follows

    a | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b | acme/widget | repository only | work on main, the default branch, led to no pull request
    """
    agent = scene.claude()
    agent.git("switch -c feature")
    agent.call("a")
    agent.commit("one")
    agent.push()
    agent.opens(1)
    scene.merge(1)
    agent.git("switch main")
    agent.git("pull -q")
    agent.call("b")


def one_task_after_the_other(scene: Scene) -> None:
    """One task after the other in one session

    a | one #1 | verified | the agent's own client saw pull request #1 of this branch
    b | two #2 | inferred | work on main that led to two in this session
    c | two #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    agent = scene.claude()
    agent.git("switch -c one")
    agent.call("a")
    agent.commit("first")
    agent.push()
    agent.opens(1)
    scene.merge(1, "squash", delete=True)
    agent.git("switch main")
    agent.git("pull -q")
    agent.call("b")
    agent.git("switch -c two")
    agent.call("c")
    agent.commit("second")
    agent.push()
    agent.opens(2)


def only_looked_at(scene: Scene) -> None:
    """A branch that was only looked at
    Somebody's branch without a pull request leads nowhere.

    a c | mine #1 | inferred | work on main that led to mine in this session
    b | theirs | claimed | the branch that was checked out
    d | mine #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    bob = scene.clone(folder="bob")
    bob.git("switch -c theirs")
    bob.commit("something")
    bob.push()
    agent = scene.claude()
    agent.call("a")
    scene.sync()
    agent.git("switch theirs")
    agent.call("b")
    agent.git("switch main")
    agent.call("c")
    agent.git("switch -c mine")
    agent.call("d")
    agent.commit("one")
    agent.push()
    agent.opens(1)


def a_review(scene: Scene) -> None:
    """A review of somebody's pull request
    What reading it costs is its cost.

    a | theirs #1 | claimed | named by the engineer's own token
    """
    _somebodys_pull_request(scene)
    agent = scene.claude()
    agent.git("switch theirs")
    agent.call("a")


def a_word_on_somebodys(scene: Scene) -> None:
    """A comment on somebody's pull request, from a branch that has none
    The client notes that pull request as if it were this branch's. It had been opened long before.

    a b | mine | claimed | named by the engineer's own token
    c | theirs #1 | claimed | the branch that was checked out
    """
    _somebodys_pull_request(scene)
    agent = scene.claude()
    agent.git("switch -c mine main")
    agent.call("a")
    agent.comments_on(scene.pull(1))
    agent.call("b")
    agent.git("switch theirs")
    agent.call("c")


def a_word_between_main_and_a_branch(scene: Scene) -> None:
    """The same, and main before it
    What was asked on main led to the session's own work.

    a | mine #2 | inferred | work on main that led to mine in this session
    b c | mine #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    _somebodys_pull_request(scene)
    agent = scene.claude()
    agent.call("a")
    agent.git("switch -c mine")
    agent.call("b")
    agent.comments_on(scene.pull(1))
    agent.call("c")
    agent.commit("one")
    agent.push()
    agent.opens(2)


def renamed_before_the_push(scene: Scene) -> None:
    """A branch renamed before it was pushed

    a | feature #1 | verified | a commit made on wip in this session is in pull request #1 | cost: wip
    b | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    agent.git("switch -c wip")
    agent.call("a")
    agent.commit("one")
    agent.git("branch -m feature")
    agent.call("b")
    agent.commit("two")
    agent.push()
    agent.opens(1)


def pushed_under_another_name(scene: Scene) -> None:
    """A branch pushed under another name

    a b | alice/feature #1 | verified | a commit made on wip in this session is in pull request #1
    """
    agent = scene.claude()
    agent.git("switch -c wip")
    agent.call("a")
    agent.commit("one")
    agent.push("alice/feature")
    agent.opens(1, "alice/feature")
    agent.call("b")


def pushed_quietly_under_another_name(scene: Scene) -> None:
    """A quiet commit, pushed under another name
    Only the link is left, and nothing that GitHub says confirms it.

    a b | alice/feature #1 | claimed | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    agent.git("switch -c wip")
    agent.call("a")
    agent.commit("one", "-q")
    agent.push("alice/feature")
    agent.opens(1, "alice/feature")
    agent.call("b")


def renamed_on_github(scene: Scene) -> None:
    """A branch renamed on GitHub, which closes its pull request; another is opened
    The first one's tab has ended; what comes after it counts for the second.

    a | old #1 | claimed | named by the engineer's own token
    b | new #2 | verified | a commit made on old in this session is in pull request #2 | cost: old
    """
    agent = scene.claude()
    agent.git("switch -c old")
    agent.call("a")
    agent.commit("one", "-q")
    agent.push()
    opened_elsewhere(scene, 1, "old")
    scene.later()
    scene.hub.rename_branch(scene.hub.find("acme/widget"), "old", "new")
    agent.call("b")
    agent.commit("two")
    agent.push("new")
    opened_elsewhere(scene, 2, "new")


def two_sessions_on_one_branch(scene: Scene) -> None:
    """Two agents on one branch, one of which sees the pull request

    a | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b | feature #1 | claimed | named by the engineer's own token
    c | feature #1 | verified | a commit of this session is in pull request #1
    """
    first = scene.claude()
    first.git("switch -c feature")
    first.call("a")
    scene.codex(first.tree).call("b")
    first.commit("one")
    first.push()
    first.opens(1)
    third = scene.codex(first.tree)
    third.call("c")
    third.commit("two")
    third.push()


def codex_by_its_commands(scene: Scene) -> None:
    """Codex, which asks git once and then tells by its commands

    a | feature #1 | inferred | work on main that led to feature in this session
    b c | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.codex()
    agent.call("a")
    agent.git("switch -c feature")
    agent.call("b")
    agent.commit("one")
    agent.push()
    agent.opens(1)
    agent.call("c")


def a_strange_name(scene: Scene) -> None:
    """A branch whose name is no plain word

    a | fix/ünï-😀#7 #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    agent.git("switch -c 'fix/ünï-😀#7'")
    agent.call("a")
    agent.commit("one")
    agent.push()
    agent.opens(1)

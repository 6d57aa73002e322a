"""Histories of commits: rewritten, many, or checked out without a branch."""

from __future__ import annotations

from tests.git_histories.scene import Scene, opened_elsewhere


def amended(scene: Scene) -> None:
    """Amended and pushed by force

    a b | feature #1 | verified | a commit of this session is in pull request #1
    """
    agent = scene.claude()
    agent.git("switch -c feature")
    agent.call("a")
    agent.commit("one")
    agent.push()
    opened_elsewhere(scene, 1, "feature")
    agent.call("b")
    agent.commit("one", "--amend")
    agent.push("", "--force")


def rebased(scene: Scene) -> None:
    """Rebased onto main and pushed by force

    a b | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    agent.git("switch -c feature")
    agent.call("a")
    agent.commit("one")
    agent.push()
    agent.opens(1)
    bob = scene.clone(folder="bob")
    bob.commit("meanwhile")
    bob.push()
    agent.git("fetch -q")
    agent.git("rebase -q origin/main")
    agent.push("", "--force")
    agent.call("b")


def rebased_before_anybody_saw_it(scene: Scene) -> None:
    """Rebased, and then pushed under another name
    The commits the client saw are nowhere, and nobody saw the pull request. The local branch is all there is.

    a b | wip | claimed | named by the engineer's own token
    """
    agent = scene.claude()
    agent.git("switch -c wip")
    agent.call("a")
    agent.commit("one")
    bob = scene.clone(folder="bob")
    bob.commit("meanwhile")
    bob.push()
    agent.git("fetch -q")
    agent.git("rebase -q origin/main")
    agent.push("feature")
    agent.call("b")
    opened_elsewhere(scene, 1, "feature")


def sixty_commits_squashed(scene: Scene) -> None:
    """Sixty commits under another name, squash-merged before the laptop told of them

    a b | feature #1 | verified | a commit made on wip in this session is in pull request #1 | cost: wip
    """
    agent = scene.claude()
    agent.git("switch -c wip")
    agent.call("a")
    agent.commits(60)
    agent.call("b")
    agent.push("feature")
    opened_elsewhere(scene, 1, "feature")
    scene.merge(1, "squash", delete=True)


def sixty_commits_of_which_the_first_are_left(scene: Scene) -> None:
    """Sixty commits, of which only the first two end in a pull request
    The newest commits are asked about first; the rest is asked about too.

    a | feature #1 | verified | a commit made on wip in this session is in pull request #1 | cost: wip
    """
    agent = scene.claude()
    agent.git("switch -c wip")
    agent.call("a")
    agent.commits(60)
    agent.tree.git("push -q origin wip~58:refs/heads/feature")
    opened_elsewhere(scene, 1, "feature")


def many_commits_on_the_second_branch(scene: Scene) -> None:
    """Two branches under other names, fifty-five commits on the second

    a | first #1 | verified | a commit made on wip-1 in this session is in pull request #1 | cost: wip-1
    b | second #2 | verified | a commit made on wip-2 in this session is in pull request #2 | cost: wip-2
    """
    agent = scene.claude()
    agent.git("switch -c wip-1")
    agent.call("a")
    agent.commit("one")
    agent.git("switch -c wip-2 main")
    agent.call("b")
    agent.commits(55)
    agent.git("push -q origin wip-1:refs/heads/first wip-2:refs/heads/second")
    opened_elsewhere(scene, 1, "first")
    opened_elsewhere(scene, 2, "second")


def a_bisect_and_a_fix(scene: Scene) -> None:
    """A bisect on no branch, and then the fix

    a b | fix #1 | inferred | work on no branch that is told that led to fix in this session
    c | fix #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    agent.commit("bug")
    agent.push()
    agent.git("checkout -q --detach HEAD~1")
    agent.call("a")
    agent.git("checkout -q --detach main")
    agent.call("b")
    agent.git("switch -c fix")
    agent.call("c")
    agent.commit("one")
    agent.push()
    agent.opens(1)


def a_rebase_that_stopped(scene: Scene) -> None:
    """A rebase that stopped at a conflict
    Until it is done, no branch is checked out.

    a c | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b | feature #1 | claimed | named by the engineer's own token
    """
    agent = scene.claude()
    agent.git("switch -c feature")
    agent.call("a")
    agent.commit("same")
    agent.push()
    agent.opens(1)
    bob = scene.clone(folder="bob")
    bob.commit("same")
    bob.push()
    agent.git("fetch -q")
    agent.git("checkout -q --detach origin/main")
    agent.call("b")
    agent.git("switch feature")
    agent.call("c")


def at_a_pull_requests_commit(scene: Scene) -> None:
    """Somebody's pull request, checked out by its commit
    Codex tells which commit that is.

    a | theirs #1 | verified | the commit checked out is in pull request #1 | cost: acme/widget
    """
    bob = scene.clone(folder="bob")
    bob.git("switch -c theirs")
    bob.commit("one")
    bob.push()
    opened_elsewhere(scene, 1, "theirs")
    agent = scene.codex()
    agent.git("checkout -q --detach origin/theirs")
    agent.call("a")


def at_a_merged_pull_requests_commit(scene: Scene) -> None:
    """A merged pull request's commit on main, checked out without a branch
    That work is done; a question about it is not part of it.

    a | acme/widget | repository only | no branch is told, and the session led to no pull request
    """
    bob = scene.clone(folder="bob")
    bob.git("switch -c theirs")
    bob.commit("one")
    bob.push()
    opened_elsewhere(scene, 1, "theirs")
    scene.merge(1, "squash")
    tree = scene.clone()
    tree.git("checkout -q --detach origin/main")
    scene.codex(tree).call("a")


def committed_on_no_branch(scene: Scene) -> None:
    """Committed on no branch, and pushed to one

    a | feature #1 | inferred | work on no branch that is told that led to feature in this session | cost: acme/widget
    b | feature #1 | inferred | no branch is told; the session was on feature before | cost: acme/widget
    """
    agent = scene.claude()
    agent.git("checkout -q --detach")
    agent.call("a")
    agent.commit("one")
    agent.push("feature")
    agent.call("b")
    opened_elsewhere(scene, 1, "feature")

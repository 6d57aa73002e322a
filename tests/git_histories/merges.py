"""Histories of pull requests: merged, closed, reopened, stacked, retargeted, reverted."""

from __future__ import annotations

from tests.git_histories.scene import Agent, Scene, opened_elsewhere


def _work(agent: Agent, call: str, commit: str, branch: str = "") -> None:
    if branch:
        agent.git(f"switch -c {branch}")
    agent.call(call)
    agent.commit(commit)
    agent.push()


def _has_a_release_branch(scene: Scene) -> None:
    bob = scene.clone(folder="bob")
    bob.git("switch -c release")
    bob.push()


def _merged_from_wip(scene: Scene, how: str) -> None:
    """Work on `wip`, pushed as `feature`, whose pull request is merged."""
    agent = scene.claude()
    agent.git("switch -c wip")
    agent.call("a")
    agent.commit("one")
    agent.push("feature")
    opened_elsewhere(scene, 1, "feature")
    scene.merge(1, how, delete=True)


def squash_merged(scene: Scene) -> None:
    """A squash merge, and the branch is deleted
    Its commits are in no branch any more; the pull request still has them.

    a | feature #1 | verified | a commit of this session is in pull request #1
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    opened_elsewhere(scene, 1, "feature")
    scene.merge(1, "squash", delete=True)


def squash_merged_under_another_name(scene: Scene) -> None:
    """A squash merge of a branch pushed under another name, told after it

    a | feature #1 | verified | a commit made on wip in this session is in pull request #1 | cost: wip
    """
    _merged_from_wip(scene, "squash")


def rebase_merged(scene: Scene) -> None:
    """A rebase merge
    What lies on main has other ids; the pull request keeps the session's.

    a | feature #1 | verified | a commit made on wip in this session is in pull request #1 | cost: wip
    """
    _merged_from_wip(scene, "rebase")


def merged(scene: Scene) -> None:
    """A merge commit

    a | feature #1 | verified | a commit made on wip in this session is in pull request #1 | cost: wip
    """
    _merged_from_wip(scene, "merge")


def goes_on_after_the_merge(scene: Scene) -> None:
    """Work goes on on the branch after its merge
    The pull request is closed business: what comes after it is a new tab.

    a | feature #1 | verified | a commit of this session is in pull request #1
    b | feature/2 | claimed | the branch that was checked out
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    opened_elsewhere(scene, 1, "feature")
    scene.merge(1, "squash")
    agent.call("b")


def used_again(scene: Scene) -> None:
    """A branch used again after its merge

    a | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b c | feature/2 #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    scene.merge(1, "squash", delete=True)
    agent.git("fetch -q --prune")
    agent.git("reset -q --hard origin/main")
    _work(agent, "b", "two")
    agent.opens(2)
    agent.call("c")


def used_again_by_another_session(scene: Scene) -> None:
    """A branch used again after its merge, by a session that made commits in both lives

    a | feature #1 | verified | a commit of this session is in pull request #1
    b | feature/2 #2 | verified | a commit of this session is in pull request #2
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    opened_elsewhere(scene, 1, "feature")
    scene.merge(1, "squash")
    _work(agent, "b", "two")
    opened_elsewhere(scene, 2, "feature")


def closed_and_reopened(scene: Scene) -> None:
    """Closed, worked on, and reopened
    A pull request that goes on has one tab, whatever happened while it was closed.

    a b c | feature/2 #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    scene.close(1)
    agent.call("b")
    scene.reopen(1)
    agent.call("c")


def reopened_at_once(scene: Scene) -> None:
    """Closed and reopened with nothing in between

    a b | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    scene.close(1)
    scene.reopen(1)
    agent.call("b")


def abandoned(scene: Scene) -> None:
    """Closed without a merge
    What was thrown away has been spent.

    a | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    scene.close(1)


def stacked(scene: Scene) -> None:
    """Stacked pull requests, the lower one merged first
    The upper one is then into main, and has the lower one's commits too.

    a | lower #1 | verified | the agent's own client saw pull request #1 of this branch
    b c | upper #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    agent = scene.claude()
    _work(agent, "a", "one", "lower")
    agent.opens(1)
    _work(agent, "b", "two", "upper")
    agent.opens(2, into="lower")
    scene.merge(1, "squash", delete=True)
    agent.call("c")


def stacked_unseen(scene: Scene) -> None:
    """Stacked pull requests opened by hand, both into main
    The lower one's commit is in both; it was made for the lower one.

    a | lower #1 | verified | a commit of this session is in pull request #1
    b | upper #2 | verified | a commit of this session is in pull request #2
    """
    agent = scene.claude()
    _work(agent, "a", "one", "lower")
    opened_elsewhere(scene, 1, "lower")
    _work(agent, "b", "two", "upper")
    opened_elsewhere(scene, 2, "upper")


def stacked_on_one_branch(scene: Scene) -> None:
    """A stack from one local branch, each commit pushed to a branch of its own
    A call belongs to the commit that came of it.

    a | part-1 #1 | verified | a commit made on stack in this session is in pull request #1
    b | part-2 #2 | verified | a commit made on stack in this session is in pull request #2 | cost: part-1 #1
    c | part-2 #2 | verified | a commit made on stack in this session is in pull request #2
    """
    agent = scene.claude()
    agent.git("switch -c stack")
    agent.call("a")
    agent.commit("one")
    agent.push("part-1")
    agent.opens(1, "part-1")
    agent.call("b")
    agent.commit("two")
    agent.push("part-2")
    agent.opens(2, "part-2", into="part-1")
    agent.call("c")


def base_changed(scene: Scene) -> None:
    """A pull request that is led to another base

    a b | feature #1 | verified | a commit of this session is in pull request #1
    """
    _has_a_release_branch(scene)
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    opened_elsewhere(scene, 1, "feature")
    scene.later()
    scene.hub.retarget(scene.pull(1), "release")
    agent.call("b")
    scene.merge(1)


def into_two_bases(scene: Scene) -> None:
    """One branch, two pull requests into two bases
    It is one piece of work, and has one tab until the last of them has ended.

    a b | feature #1 #2 | verified | the agent's own client saw pull request #1 of this branch | cost: feature #1
    c | feature #1 #2 | verified | the agent's own client saw pull request #2 of this branch | cost: feature #2
    """
    _has_a_release_branch(scene)
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    agent.opens(2, into="release")
    agent.call("b")
    scene.merge(1)
    agent.call("c")


def into_another_base_while_closed(scene: Scene) -> None:
    """Closed, opened anew into another base, and reopened beside it
    Two that were open at once are one piece of work, and have one tab: that of the second.

    a b c d | feature/2 #1 #2 | verified | the agent's own client saw pull request #1 of this branch | cost: feature #1
    """
    _has_a_release_branch(scene)
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    scene.close(1)
    agent.call("b")
    agent.opens(2, into="release")
    agent.call("c")
    scene.reopen(1)
    agent.call("d")
    scene.merge(2)
    scene.merge(1)


def reverted(scene: Scene) -> None:
    """A revert is a pull request of its own

    a | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b | revert-1 #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    scene.merge(1, "squash")
    agent.git("switch main")
    agent.git("pull -q")
    agent.git("switch -c revert-1")
    agent.call("b")
    agent.git("revert --no-edit HEAD")
    agent.push()
    agent.opens(2)


def cherry_picked(scene: Scene) -> None:
    """A fix, and its backport by cherry-pick

    a | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b | backport #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    _has_a_release_branch(scene)
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    agent.git("switch -c backport origin/release")
    agent.call("b")
    agent.git("cherry-pick feature")
    agent.push("backport")
    agent.opens(2, into="release")


def taken_over(scene: Scene) -> None:
    """Somebody goes on from the session's commit, on a branch of theirs
    The work is in that pull request, and so is its cost.

    a | theirs #1 | verified | a commit made on spike in this session is in pull request #1 | cost: spike
    """
    agent = scene.claude()
    _work(agent, "a", "one", "spike")
    bob = scene.clone(folder="bob")
    bob.git("switch -c theirs origin/spike")
    bob.commit("two")
    bob.push("theirs")
    opened_elsewhere(scene, 1, "theirs")
    scene.merge(1, "squash")


def picked_by_somebody(scene: Scene) -> None:
    """Somebody picks the session's commit into their own branch
    It is another commit then; nothing leads from one to the other.

    a | spike | claimed | named by the engineer's own token
    """
    agent = scene.claude()
    _work(agent, "a", "one", "spike")
    bob = scene.clone(folder="bob")
    bob.git("switch -c theirs")
    bob.commit("before")
    bob.git("cherry-pick origin/spike")
    bob.push()
    opened_elsewhere(scene, 1, "theirs")


def opened_after_the_day(scene: Scene) -> None:
    """Committed on main by mistake, then moved to a branch

    a | feature #1 | inferred | work on main that led to feature in this session
    b | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    agent.call("a")
    agent.commit("one")
    agent.git("branch feature")
    agent.git("reset -q --hard origin/main")
    agent.git("switch feature")
    agent.call("b")
    agent.push()
    agent.opens(1)


def told_after_the_merge(scene: Scene) -> None:
    """A laptop that tells of the day when its branch is merged and used again
    When a call was made counts, not when it was told.

    a | feature #1 | claimed | named by the engineer's own token
    b | feature/2 #2 | claimed | named by the engineer's own token
    """
    scene.offline = True
    agent = scene.claude()
    agent.git("switch -c feature")
    agent.call("a")
    agent.commit("one", "-q")
    agent.push()
    opened_elsewhere(scene, 1, "feature")
    scene.merge(1, "squash")
    agent.call("b")
    agent.commit("two", "-q")
    agent.push()
    opened_elsewhere(scene, 2, "feature")


def a_new_session_on_a_merged_branch(scene: Scene) -> None:
    """A new session on a branch that was merged

    a | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b c | feature/2 | claimed | the branch that was checked out
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    scene.merge(1, "merge")
    agent.call("b")
    scene.claude(agent.tree).call("c")


def closed_and_opened_anew(scene: Scene) -> None:
    """Closed, and opened anew as another pull request of the same branch

    a | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b | feature/2 #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    scene.close(1)
    agent.call("b")
    agent.opens(2)

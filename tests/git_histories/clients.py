"""Histories of clients: clients that never ask git where they stand, or only once."""

from __future__ import annotations

from tests.git_histories.scene import Scene, opened_elsewhere


def gemini_switches(scene: Scene) -> None:
    """Gemini CLI, which switches to a branch itself

    a | feature #1 | inferred | work on main that led to feature in this session
    b c | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.gemini()
    agent.call("a")
    agent.git("switch -c feature")
    agent.call("b")
    agent.commit("one")
    agent.push()
    agent.opens(1)
    agent.call("c")


def gemini_and_another_window(scene: Scene) -> None:
    """Gemini CLI, while the person switches branches in another window
    No row of a chat tells of it. Git's own log of the folder does, to the second.

    a c | feature #1 | verified | a commit of this session is in pull request #1
    b | other #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    agent = scene.gemini()
    agent.tree.git("switch -c feature")
    agent.call("a")
    agent.commit("one")
    agent.push()
    opened_elsewhere(scene, 1, "feature")
    agent.tree.git("switch -c other main")
    agent.call("b")
    agent.commit("two")
    agent.push()
    agent.opens(2)
    agent.tree.git("switch feature")
    agent.call("c")


def opencode_switches(scene: Scene) -> None:
    """OpenCode, which switches to a branch and commits
    The pull request is opened by hand.

    a | feature #1 | inferred | work on main that led to feature in this session
    b c | feature #1 | verified | a commit of this session is in pull request #1
    """
    agent = scene.opencode()
    agent.call("a")
    agent.git("switch -c feature")
    agent.call("b")
    agent.commit("one")
    agent.push()
    agent.call("c")
    opened_elsewhere(scene, 1, "feature")


def opencode_forked(scene: Scene) -> None:
    """A session of OpenCode forked on another branch, and then resumed on the first
    The fork has a copy of all that was before it. That was spent once, where it was made.

    a b d | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    c | other #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    agent = scene.opencode()
    agent.tree.git("switch -c feature")
    agent.call("a")
    agent.commit("one")
    agent.push()
    agent.call("b")
    agent.opens(1)
    agent.tree.git("switch -c other main")
    fork = agent.forked()
    fork.call("c")
    fork.commit("two")
    fork.push()
    fork.opens(2)
    agent.tree.git("switch feature")
    agent.call("d")


def codex_in_another_worktree(scene: Scene) -> None:
    """Codex, whose commands work in another worktree
    Its session stays in the folder it was begun in, where main is checked out. What is asked after the last command is a question on main.

    a b | two #1 | inferred | work on main that led to two in this session
    c | acme/widget | repository only | work on main, the default branch, led to no pull request
    """
    agent = scene.codex()
    agent.call("a")
    agent.goes_to(agent.tree.worktree("widget-two", "two"))
    agent.commit("one")
    agent.push()
    agent.call("b")
    agent.opens(1)
    agent.call("c")


def codex_on_a_branch_and_in_another_worktree(scene: Scene) -> None:
    """Codex on a branch, whose commands work in another worktree for a while
    The other branch's pull request is not that of the branch its session stays on.

    a b c | one | claimed | named by the engineer's own token
    """
    agent = scene.codex()
    here = agent.tree
    agent.git("switch -c one")
    agent.call("a")
    agent.commit("first")
    agent.push()
    agent.goes_to(here.worktree("widget-two", "two", "main"))
    agent.call("b")
    agent.commit("second")
    agent.push()
    agent.opens(2)
    agent.goes_to(here)
    agent.call("c")


def codex_renames(scene: Scene) -> None:
    """Codex, which renames its branch before the push

    a | feature #1 | verified | a commit made on wip in this session is in pull request #1 | cost: wip
    b c | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.codex()
    agent.git("switch -c wip")
    agent.call("a")
    agent.commit("one")
    agent.git("branch -m feature")
    agent.call("b")
    agent.commit("two")
    agent.push()
    agent.opens(1)
    agent.call("c")

"""Histories in several places: worktrees, repositories, forks, names that change."""

from __future__ import annotations

from tests.git_histories.scene import Agent, Scene, Tree, opened_elsewhere


def _work(agent: Agent, call: str, commit: str, branch: str = "") -> None:
    if branch:
        agent.git(f"switch -c {branch}")
    agent.call(call)
    agent.commit(commit)
    agent.push()


def two_worktrees(scene: Scene) -> None:
    """One session in two worktrees

    a c | one #1 | verified | the agent's own client saw pull request #1 of this branch
    b | two #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    agent = scene.claude()
    here = agent.tree
    _work(agent, "a", "first", "one")
    agent.opens(1)
    agent.goes_to(here.worktree("widget-two", "two", "main"))
    _work(agent, "b", "second")
    agent.opens(2)
    agent.goes_to(here)
    agent.call("c")


def a_subagent_elsewhere(scene: Scene) -> None:
    """A subagent in another worktree

    a | one #1 | verified | the agent's own client saw pull request #1 of this branch
    b | two #2 | verified | a commit of this session is in pull request #2
    """
    agent = scene.claude()
    sub = agent.subagent(agent.tree.worktree("widget-two", "two", "main"))
    _work(agent, "a", "first", "one")
    agent.opens(1)
    _work(sub, "b", "second")
    opened_elsewhere(scene, 2, "two")


def a_worktree_that_is_gone(scene: Scene) -> None:
    """A worktree that is removed when its work is done

    a | one #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    tree = scene.clone().worktree("widget-one", "one")
    agent = scene.claude(tree)
    _work(agent, "a", "first")
    agent.opens(1)
    scene.merge(1, "squash", delete=True)
    tree.remove()


def claudes_worktree_that_nobody_saw(scene: Scene) -> None:
    """Claude Code's own worktree, removed before anything was told

    a | wt #1 | verified | the agent's own client saw pull request #1 of this branch
    b | acme/widget | repository only | work on main, the default branch, led to no pull request
    """
    scene.offline = True
    agent = scene.claude()
    here = agent.tree
    agent.goes_to(here.worktree("widget/.claude/worktrees/wt", "wt"))
    _work(agent, "a", "first")
    agent.opens(1)
    here.git(f"worktree remove --force {agent.tree.folder}")
    agent.goes_to(here)
    agent.call("b")


def two_repositories(scene: Scene) -> None:
    """One session in two repositories

    a c | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b | site:fix #3 | verified | the agent's own client saw pull request #3 of this branch
    """
    agent = scene.claude()
    here = agent.tree
    _work(agent, "a", "one", "feature")
    agent.goes_to(scene.clone("acme/site"))
    _work(agent, "b", "two", "fix")
    agent.opens(3)
    agent.goes_to(here)
    agent.call("c")
    agent.opens(1)


def the_same_branch_in_two_repositories(scene: Scene) -> None:
    """Branches of one name in two repositories, each with a pull request of one number

    a | feature #1 | verified | a commit of this session is in pull request #1
    b | site:feature #1 | verified | a commit of this session is in pull request #1
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.goes_to(scene.clone("acme/site"))
    _work(agent, "b", "two", "feature")
    opened_elsewhere(scene, 1, "feature")
    opened_elsewhere(scene, 1, "feature", base="acme/site")


def main_here_and_a_branch_there(scene: Scene) -> None:
    """Main in one repository, a branch in another
    Questions about one repository are not work on another's pull request.

    a | acme/widget | repository only | work on main, the default branch, led to no pull request
    b | site:fix #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    agent.call("a")
    agent.goes_to(scene.clone("acme/site"))
    _work(agent, "b", "two", "fix")
    agent.opens(1)


def a_commit_in_another_folder(scene: Scene) -> None:
    """A commit in another repository's folder, by one command of a client that stays where it is
    Its branch is none of the repository's in which the client stands.

    a b | acme/widget | repository only | work on main, the default branch, led to no pull request
    """
    site = scene.clone("acme/site")
    site.git("switch -c fix")
    agent = scene.claude()
    agent.call("a")
    agent.commits_in(site, "one")
    agent.call("b")


def a_submodule(scene: Scene) -> None:
    """A submodule, which is a repository of its own

    a | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b | site:fix #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    agent = scene.claude()
    here = agent.tree
    agent.git("switch -c feature")
    agent.git("submodule --quiet add https://github.com/acme/site vendor/site")
    agent.call("a")
    agent.commit("one")
    agent.push()
    agent.opens(1)
    agent.goes_to(Tree(scene, here.folder / "vendor" / "site"))
    _work(agent, "b", "two", "fix")
    agent.opens(2)


def a_shallow_clone(scene: Scene) -> None:
    """A shallow clone of one branch

    a | feature #1 | verified | a commit of this session is in pull request #1
    """
    bob = scene.clone(folder="bob")
    bob.commit("more")
    bob.push()
    agent = scene.claude(scene.clone("acme/widget", "", "--depth=1", "--no-local"))
    _work(agent, "a", "one", "feature")
    opened_elsewhere(scene, 1, "feature")


def by_ssh_in_other_letters(scene: Scene) -> None:
    """A remote over SSH, in other letters

    a | feature #1 | verified | a commit of this session is in pull request #1 | cost: Acme/Widget:feature #1
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.tree.git("remote set-url origin git@github.com:Acme/Widget.git")
    opened_elsewhere(scene, 1, "feature")


def somebodys_own(scene: Scene) -> None:
    """A repository that is not the organization's
    The laptop does not tell of it.

    a | not told | | | cost: alice/dotfiles:vim
    """
    scene.hub.create("alice/dotfiles")
    agent = scene.claude(scene.clone("alice/dotfiles"))
    agent.git("switch -c vim")
    agent.call("a")


def a_fork(scene: Scene) -> None:
    """A fork's clone, and its pull request

    a b | eve:patch #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude(scene.clone_of_fork(scene.fork()))
    _work(agent, "a", "one", "patch")
    agent.opens(1)
    agent.call("b")


def a_fork_opened_by_hand(scene: Scene) -> None:
    """A fork's clone, and its pull request opened by hand
    GitHub does not say what a fork's commits are in; its head is known, and that is the session's commit.

    a | eve:patch #1 | verified | a commit of this session is in pull request #1
    """
    fork = scene.fork()
    agent = scene.claude(scene.clone_of_fork(fork))
    _work(agent, "a", "one", "patch")
    opened_elsewhere(scene, 1, "patch", head=fork)


def branches_of_one_name_in_a_fork(scene: Scene) -> None:
    """A fork's branch of the same name as one of acme's

    a | patch #1 | verified | the agent's own client saw pull request #1 of this branch
    b | eve:patch #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    fork = scene.clone_of_fork(scene.fork(), "forked")
    agent = scene.claude()
    _work(agent, "a", "one", "patch")
    agent.opens(1)
    other = scene.claude(fork)
    _work(other, "b", "two", "patch")
    other.opens(2)


def a_forks_main(scene: Scene) -> None:
    """A pull request from a fork's default branch

    a b | eve:main #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude(scene.clone_of_fork(scene.fork()))
    _work(agent, "a", "one")
    agent.opens(1)
    agent.call("b")


def a_fork_renamed(scene: Scene) -> None:
    """A fork renamed before it was cloned
    Its pull request tells what it is called now.

    a b | eve:patch #1 | verified | a commit of this session is in pull request #1 | cost: eve/gizmo:patch
    """
    fork = scene.hub.find(scene.fork())
    scene.hub.rename(fork, "eve/gizmo")
    agent = scene.claude(scene.clone_of_fork("eve/gizmo"))
    _work(agent, "a", "one", "patch")
    opened_elsewhere(scene, 1, "patch", head="eve/gizmo")
    agent.call("b")


def a_fork_renamed_between_pull_requests(scene: Scene) -> None:
    """A fork renamed between two pull requests, and two clones of it, one with each name

    a c | eve:patch #1 | verified | the agent's own client saw pull request #1 of this branch
    b | eve:more #2 | verified | the agent's own client saw pull request #2 of this branch
    """
    fork = scene.hub.find(scene.fork())
    first = scene.claude(scene.clone_of_fork(fork.name))
    _work(first, "a", "one", "patch")
    first.opens(1)
    scene.hub.rename(fork, "eve/gizmo")
    other = scene.claude(scene.clone_of_fork("eve/gizmo"))
    _work(other, "b", "two", "more")
    other.opens(2)
    first.call("c")


def a_fork_whose_original_is_renamed(scene: Scene) -> None:
    """A fork that keeps its name while the repository it came from is renamed

    a b | gadget:eve:patch #1 | verified | a commit of this session is in pull request #1 | cost: eve/widget:patch
    """
    fork = scene.fork()
    agent = scene.claude(scene.clone_of_fork(fork))
    _work(agent, "a", "one", "patch")
    scene.hub.rename(scene.hub.find("acme/widget"), "acme/gadget")
    opened_elsewhere(scene, 1, "patch", head=fork, base="acme/gadget")
    agent.call("b")


def a_fork_without_a_pull_request(scene: Scene) -> None:
    """A fork's branch without a pull request

    a | no repository of acme's | engineer only | eve/widget is none of the organization's repositories | cost: eve/widget:patch
    """
    agent = scene.claude(scene.clone_of_fork(scene.fork()))
    agent.git("switch -c patch")
    agent.call("a")
    agent.commit("one")


def a_repository_renamed(scene: Scene) -> None:
    """A repository renamed while a clone has its old name

    a b c | gadget:feature #1 | verified | the agent's own client saw pull request #1 of this branch | cost: feature
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    scene.later()
    scene.hub.rename(scene.hub.find("acme/widget"), "acme/gadget")
    agent.call("b")
    agent.opens(1)
    agent.call("c")


def a_repository_renamed_and_cloned_anew(scene: Scene) -> None:
    """Two clones of a renamed repository, one with each name

    a | gadget:feature #1 | verified | a commit of this session is in pull request #1 | cost: feature
    b | gadget:other #2 | inferred | work on main that led to other in this session | cost: acme/widget
    c | gadget:other #2 | verified | the agent's own client saw pull request #2 of this branch | cost: other
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    opened_elsewhere(scene, 1, "feature")
    scene.later()
    scene.hub.rename(scene.hub.find("acme/widget"), "acme/gadget")
    old = scene.claude(agent.tree)
    agent.tree.git("switch main")
    old.call("b")
    _work(old, "c", "two", "other")
    old.opens(2)
    scene.claude(scene.clone("acme/gadget"))


def an_old_name_given_to_a_new_repository(scene: Scene) -> None:
    """A new repository gets the name that a renamed one had
    Whoever has the name now is meant, as on GitHub.

    a | gadget:feature #1 | verified | the agent's own client saw pull request #1 of this branch
    b | fresh #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    scene.later()
    scene.hub.rename(scene.hub.find("acme/widget"), "acme/gadget")
    (scene.hub.folder / "acme" / "widget.git").unlink()
    agent.tree.git("remote set-url origin https://github.com/acme/gadget")
    agent.tree.remote = ""
    scene.sync()
    scene.hub.create("acme/widget")
    other = scene.claude(scene.clone(folder="widget-again"))
    _work(other, "b", "two", "fresh")
    other.opens(1)


def a_repository_deleted(scene: Scene) -> None:
    """A repository that is deleted afterwards
    What was spent stays where it was spent.

    a | feature #1 | verified | the agent's own client saw pull request #1 of this branch
    """
    agent = scene.claude()
    _work(agent, "a", "one", "feature")
    agent.opens(1)
    scene.later()
    scene.sync()
    scene.hub.delete(scene.hub.find("acme/widget"))

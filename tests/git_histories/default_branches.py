"""Histories where the main line changes: default branches renamed and switched, clones that were not told."""

from __future__ import annotations

from tests.git_histories.scene import Scene, opened_elsewhere


def renamed(scene: Scene) -> None:
    """The default branch is renamed, and a clone goes on with its old name
    What was done on main stays where it was, and what comes on main is no work on a branch of that name.

    a | acme/widget | repository only | work on main, the default branch, led to no pull request | cost: main
    b | acme/widget | repository only | work on main, a former default branch, led to no pull request | cost: main
    c | acme/widget | repository only | work on trunk, the default branch, led to no pull request
    """
    hub = scene.hub
    agent = scene.claude()
    agent.call("a")
    scene.later()
    scene.sync()
    hub.switch_default(hub.find("acme/widget"), "trunk", rename=True)
    scene.claude(agent.tree).call("b")
    agent.git("branch -m main trunk")
    agent.git("fetch -q --prune")
    scene.claude(agent.tree).call("c")


def renamed_and_it_led_on(scene: Scene) -> None:
    """The same, and the work led to a pull request

    a b c | feature #1 | inferred | work on main that led to feature in this session
    d | feature #1 | verified | a commit of this session is in pull request #1
    """
    hub = scene.hub
    agent = scene.claude()
    agent.call("a", "b")
    hub.switch_default(hub.find("acme/widget"), "trunk", rename=True)
    agent.call("c")
    agent.git("switch -c feature")
    agent.call("d")
    agent.commit("one")
    agent.push()
    opened_elsewhere(scene, 1, "feature", into="trunk")


def noticed_late(scene: Scene) -> None:
    """Work on the new name of the default branch, told before GitHub tells of it

    a | acme/widget | repository only | work on trunk, the default branch, led to no pull request | cost: trunk
    """
    hub = scene.hub
    agent = scene.claude()
    agent.git("switch -c trunk")
    agent.call("a")
    scene.later()
    scene.sync()
    scene.counter.works()
    hub.switch_default(hub.find("acme/widget"), "trunk", rename=True)


def switched(scene: Scene) -> None:
    """Another branch becomes the default one, and the former one goes on beside it
    From then on main is a branch like any other, by its pull request.

    a | acme/widget | repository only | work on main, the default branch, led to no pull request | cost: main #1
    b | main #1 | claimed | the branch that was checked out
    """
    hub = scene.hub
    agent = scene.claude()
    agent.call("a")
    agent.git("push -q origin HEAD:refs/heads/develop")
    scene.later()
    scene.sync()
    hub.switch_default(hub.find("acme/widget"), "develop")
    other = scene.claude(agent.tree)
    other.call("b")
    agent.tree.commit("hotfix")
    agent.tree.push()
    opened_elsewhere(scene, 1, "main", into="develop")


def a_former_default_had_pull_requests(scene: Scene) -> None:
    """A pull request of the default branch itself, which ended before the switch

    a | acme/widget | repository only | work on main, the default branch, led to no pull request | cost: main #1
    b | acme/widget | repository only | work on main, a former default branch, led to no pull request | cost: main
    """
    hub = scene.hub
    agent = scene.claude()
    agent.git("push -q origin HEAD:refs/heads/release")
    agent.call("a")
    agent.tree.commit("fix")
    agent.tree.push()
    opened_elsewhere(scene, 1, "main", into="release")
    scene.merge(1)
    agent.git("push -q origin HEAD:refs/heads/develop")
    scene.later()
    scene.sync()
    hub.switch_default(hub.find("acme/widget"), "develop")
    scene.claude(agent.tree).call("b")


def a_release_from_main(scene: Scene) -> None:
    """A release's pull request, from main into another branch
    It has everything that is on main. What was done there is not work on it.

    a b | acme/widget | repository only | work on main, the default branch, led to no pull request
    """
    bob = scene.clone(folder="bob")
    bob.git("switch -c release")
    bob.push()
    agent = scene.claude()
    agent.call("a")
    agent.commit("one")
    agent.push()
    opened_elsewhere(scene, 1, "main", into="release")
    agent.call("b")
    scene.merge(1)

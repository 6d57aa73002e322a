"""A repository that was renamed is one, whichever of its names the logs and the clones have."""

from __future__ import annotations

from tabstop.evidence import CommitMade, PullRequestLink
from tabstop.report.facts import Facts, Repository
from tabstop.report.placing import Linked, place
from tabstop.report.renamed import Told, by_new_names
from tests.report.groups import group

OLD = Repository("Acme/Old", "", frozenset({"fix"}), frozenset({"fix"}), "", frozenset({"acme/old"}))
NEW = Repository("acme/new", "main", frozenset({"other"}), frozenset(), "base/old", frozenset({"acme/new"}))
NAMES = {"acme/old": "acme/new", "base/old": "base/new"}


def test_both_names_are_one() -> None:
    """Calls, folders, pull requests and commits; of two clones what either knows."""
    groups = (
        group(repository="acme/Old", branch="fix"),
        group(repository="acme/new"),
        group(repository="", folder="/a"),
    )
    links = {("claude-code", "s"): Linked((PullRequestLink("acme/old", 7),), (CommitMade("abc1234", "acme/old"),))}
    facts = Facts({"/a": "acme/old", "/b": "other/one"}, repositories={"acme/old": OLD, "acme/new": NEW})
    found, linked, known = by_new_names((groups, links, facts), NAMES)
    assert [one.repository for one in found] == ["acme/new", "acme/new", ""]
    assert linked == {
        ("claude-code", "s"): Linked((PullRequestLink("acme/new", 7),), (CommitMade("abc1234", "acme/new"),))
    }
    assert known.folders == {"/a": "acme/new", "/b": "other/one"}
    assert known.repositories == {
        "acme/new": Repository(
            "acme/new",
            "main",
            frozenset({"fix", "other"}),
            frozenset({"fix"}),
            "base/new",
            frozenset({"acme/old", "acme/new"}),
        )
    }
    assert {one.repository for one in place(found, linked, known)} == {"acme/new"}


def test_without_a_renamed_one_nothing_is_touched() -> None:
    """Which is nearly always."""
    told: Told = ((group(),), {}, Facts())
    assert by_new_names(told, {}) is told

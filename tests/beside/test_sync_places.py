"""Whose server `tabstop sync` tells of which work, by the clone it was done in: forks, renames, folders that are gone; and what stays here."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from tests.beside.synced_home import Home, a_commit, ago, an_answer, home
from tests.beside.test_working_tree import git

__all__ = ["home"]

A_CALL = 15_000_000
"""Nano-dollars of a thousand output tokens of claude-sonnet-4-5."""


@pytest.mark.parametrize(
    ("remotes", "chosen", "told"),
    [
        ({"origin": "acme/widget"}, "", "acme/widget"),
        ({"origin": "alice/widget", "upstream": "Acme/widget"}, "", "Acme/widget"),
        ({"origin": "alice/widget", "theirs": "acme/gadget"}, "remote.theirs.gh-resolved=base", "acme/gadget"),
        ({"origin": "alice/widget"}, "remote.origin.gh-resolved=acme/widget", "acme/widget"),
        ({"origin": "alice/widget"}, "remote.origin.gh-resolved=github.com/acme/widget", "acme/widget"),
        ({"origin": "acme/widget", "upstream": "acme/gadget"}, "", "acme/widget"),
        ({"origin": "acme/widget", "upstream": "others/widget"}, "remote.upstream.gh-resolved=base", "acme/widget"),
        ({"origin": "alice/widget", "upstream": "others/widget"}, "remote.upstream.gh-resolved=base", ""),
        ({"origin": "alice/widget", "theirs": "acme/gadget"}, "remote.origin.gh-resolved=base", ""),
        ({"origin": "alice/widget"}, "remote.gone.gh-resolved=base", ""),
        ({"origin": "alice/widget"}, "remote.origin.gh-resolved=nonsense", ""),
    ],
)
def test_a_fork_of_the_organizations(home: Home, remotes: dict[str, str], chosen: str, told: str) -> None:
    """Work in an engineer's own fork is told to the organization it is for: by `gh repo set-default`, else by `upstream`.

    Each call names the clone itself, so that the server finds the fork's pull request.
    """
    clone = home.clone("widget", **remotes)
    if chosen:
        git(clone, "config", *chosen.split("=", 1))
    home.log("s1", an_answer("1", clone))
    passed = home.sync()
    assert [one.repository for one in home.server.starts] == ([told] if told else [])
    assert home.told == ([("1", remotes["origin"])] if told else [])
    assert passed.elsewhere.calls == (0 if told else 1)


def test_what_is_known_of_a_clone_changes(home: Home) -> None:
    """Calls that wait move once a remote says where they belong; those of a clone that is gone go where it was."""
    clone = home.clone("widget", origin="alice/widget")
    home.log("s1", an_answer("1", clone))
    assert home.sync().elsewhere.calls == 1
    git(clone, "remote", "add", "upstream", "git@github.com:acme/widget.git")
    home.log("s1", an_answer("2", clone, 50))
    assert home.sync().elsewhere.calls == 0
    shutil.rmtree(clone)
    home.log("s1", an_answer("3", clone, 40))
    home.sync()
    assert [key for key, _ in home.told] == ["1", "2", "3"]


def test_worktrees_that_were_gone_before_the_first_pass(home: Home) -> None:
    """Claude Code's own are its repository's, and those that git has a record of. A parent that is a repository says nothing."""
    clone = home.clone("widget", origin="acme/widget")
    (clone / "x").write_text("x")
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "one")
    git(clone, "worktree", "add", "-q", str(home.path / "deleted"))
    shutil.rmtree(home.path / "deleted")
    gone = clone / ".claude" / "worktrees" / "a"
    home.log("s1", an_answer("1", gone, 60), an_answer("2", clone / "deleted", 50))
    assert home.sync().nowhere.calls == 1
    assert home.told == [("1", "acme/widget")]
    home.log("s2", an_answer("3", clone, 40))
    home.sync()
    home.log("s3", an_answer("4", home.path / "deleted", 30))
    home.sync()
    assert [key for key, _ in home.told] == ["1", "3", "4"]
    shutil.rmtree(clone)
    home.log("s1", an_answer("5", gone, 20))
    home.sync()
    assert home.told[-1] == ("5", "acme/widget")


def test_a_folder_that_is_gone_is_where_its_session_says(home: Home) -> None:
    """By its calls on the same branch in a folder around it, or by the one repository whose pull requests it saw."""
    clone = home.clone("widget", origin="acme/widget")
    home.log("s1", an_answer("1", clone / "packages" / "a"), an_answer("2", clone, 50))
    home.log("s2", an_answer("3", clone / "other", gitBranch="main"), an_answer("4", clone, 50))
    link = {"type": "pr-link", "prNumber": 7, "prRepository": "acme/widget", "timestamp": ago(55)}
    home.log("s3", an_answer("5", home.path / "removed"), link)
    home.log("s4", an_answer("6", home.path / "away"), link, {**link, "prRepository": "acme/site"})
    assert home.sync().nowhere.calls == 2
    assert sorted(home.told) == [(one, "acme/widget") for one in ("1", "2", "4", "5")]


def test_a_folder_that_is_another_clone_now(home: Home) -> None:
    """The log's own word of the repository stands."""
    clone = home.clone("widget", origin="alice/diary", upstream="acme/widget")
    home.log("s1", an_answer("1", clone))
    rollout = home.path / ".codex" / "sessions" / "rollout-1.jsonl"
    rollout.parent.mkdir(parents=True)
    sample = Path(__file__).parents[1] / "samples" / "codex" / "rollout.jsonl"
    text = sample.read_text(encoding="utf-8").replace("acme/widget", "bob/notes")
    rollout.write_text(text.replace('"/home/dev/widget"', json.dumps(str(clone))), encoding="utf-8")
    passed = home.sync(after=timedelta(days=2))
    assert home.told == [("1", "alice/diary")]
    assert passed.elsewhere.sessions == {("codex", "01a1fffc-de12-7ef0-bc64-19ec4c76b7c1")}


def test_what_stays_here_is_told_in_dollars(home: Home) -> None:
    """Calls, sessions and what they cost at list prices; an unknown price is counted apart, and never zero."""
    diary, notes = home.clone("diary", origin="alice/diary"), home.clone("notes", origin="alice/notes")
    home.log("s1", an_answer("1", diary), an_answer("2", notes), an_answer("3", "/nowhere"))
    home.log("s2", an_answer("4", diary, model="of-tomorrow"))
    passed = home.sync()
    left = passed.elsewhere
    assert (left.calls, left.cost, left.unpriced) == (3, 2 * A_CALL, 1)
    assert left.sessions == {("claude-code", "s1"), ("claude-code", "s2")}
    assert (passed.nowhere.calls, passed.nowhere.cost) == (1, A_CALL)
    assert home.server.asked == []


def test_commits_and_links_go_where_their_session_worked(home: Home) -> None:
    """A commit in a fork is told with the fork's name to the organization's server; one from nowhere is not told."""
    fork = home.clone("widget", origin="alice/widget", upstream="acme/widget")
    link = {"type": "pr-link", "prNumber": 7, "prRepository": "acme/widget", "timestamp": ago(55)}
    home.log("s1", an_answer("1", fork), a_commit("abc1234", 58), link)
    home.log("s2", an_answer("2", "/nowhere"), a_commit("def5678", 58))
    home.log("s3", a_commit("aaa5678", 58))
    home.sync()
    (batch,) = home.server.batches
    assert [(one.sha, one.repository) for one in batch.commits] == [("abc1234", "alice/widget")]
    assert [one.number for one in batch.pull_requests] == [7]


def test_what_is_told_under_a_new_name_goes_with_the_old_ones_calls(home: Home) -> None:
    """The server knows both names; another owner's repository is not named to it."""
    old, other = home.clone("widget", origin="acme/widget"), home.clone("site", origin="acme/site")
    links = [
        {"type": "pr-link", "prNumber": number, "prRepository": repository, "timestamp": ago(minutes)}
        for number, repository, minutes in (
            (7, "acme/gadget", 55), (8, "acme/gadget", 35), (9, "acme/gadget", 70), (10, "alice/diary", 55), (11, "Acme/Widget", 35),
        )
    ]  # fmt: skip
    home.log("s1", an_answer("1", old, 60), an_answer("2", other, 40), *links)
    home.log("s2", links[0])
    home.sync()
    told = [
        (one.repository, [link.number for link in batch.pull_requests])
        for one, batch in zip(home.server.starts, home.server.batches, strict=True)
    ]
    assert told == [("acme/widget", [9, 7, 11]), ("acme/site", [8])]


def test_a_renamed_organizations_old_clones(home: Home) -> None:
    """Are told of by the name they have, with what was seen under the new one; a login of the old name's own counts before."""
    old = home.clone("widget", origin="umbrella/widget")
    link = {"type": "pr-link", "prNumber": 7, "prRepository": "acme/widget", "timestamp": ago(55)}
    home.log("s1", an_answer("1", old), link)
    assert home.sync().elsewhere.calls == 1
    home.formerly = ("Umbrella",)
    home.log("s1", an_answer("2", old, 50))
    passed = home.sync()
    assert (passed.elsewhere.calls, passed.organizations) == (0, ("acme",))
    assert [one.repository for one in home.server.starts] == ["umbrella/widget"]
    assert {*home.server.tokens} == {"token_of_acme", "t9"}
    assert [one.number for one in home.server.batches[0].pull_requests] == [7]
    home.organizations = ("Umbrella", "Acme")
    home.log("s2", an_answer("3", old, 40))
    home.sync()
    assert "token_of_umbrella" in home.server.tokens

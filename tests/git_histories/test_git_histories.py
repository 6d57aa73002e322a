"""The corpus of git histories: played with real git, read as the product reads, placed by the real server, compared with its labels."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store.open import open_store
from tests.git_histories import branches, clients, default_branches, merges, places, rewrites, runs
from tests.git_histories.history import History, histories_in
from tests.git_histories.hub import GitHubOfHub
from tests.git_histories.laptop import cost_of_calls
from tests.git_histories.scene import Scene
from tests.git_histories.server import Landing, open_counter, tell_shuffled
from tests.jobs.town import Town, a_town
from tests.support.golden import expect_file

MODULES = (branches, default_branches, merges, rewrites, places, clients, runs)
HISTORIES = [found for module in MODULES for found in histories_in(module)]
PAGE = Path(__file__).parents[2] / "docs" / "attribution-corpus.md"

AS_IT_WAS = (places.a_repository_deleted, places.an_old_name_given_to_a_new_repository)
"""What a name meant when it was told, nobody can say who comes later."""


def _on_sqlite(folder: Path, github: GitHubOfHub) -> Town:
    a_town(folder).store.close()  # leaves a database with its tables there
    return Town(open_store(f"sqlite:///{folder / 'town.db'}"), github)


def _in_memory(_folder: Path, github: GitHubOfHub) -> Town:
    return Town(open_store("memory://"), github)


def _play(history: History, folder: Path) -> Scene:
    scene = Scene(folder, lambda hub, at: open_counter(_on_sqlite, hub, at, folder))
    history.play(scene)
    scene.end()
    return scene


def _written(landing: Landing) -> str:
    return landing.tab or landing.repository or "no repository of acme's"


@pytest.mark.parametrize("history", HISTORIES, ids=lambda one: one.play.__name__)
def test_where_each_call_lies(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As labelled; on the laptop alone too; and in whatever order the same is told."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    scene = _play(history, tmp_path)
    found = {call: (_written(one), one.sure, one.why) for call, one in scene.counter.landings(scene.keys).items()}
    scene.counter.town.store.close()
    told = {call: one for call, one in history.by_call.items() if one.where != "not told"}
    assert found == {call: (one.where, one.sure, one.why) for call, one in told.items()}
    costs = cost_of_calls(scene)
    assert costs == {call: history.by_call[call].cost for call in costs}, "by `tabstop cost`"
    if history.play not in AS_IT_WAS:
        other = open_counter(_in_memory, scene.hub, scene.at, tmp_path)
        tell_shuffled(other, scene.counter.told(), scene.webhooks, zlib.crc32(history.name.encode()), scene.at)
        shuffled = {call: _without_life(_written(one)) for call, one in other.landings(scene.keys).items()}
        assert shuffled == {call: _without_life(one[0]) for call, one in found.items()}, "in another order"


def _without_life(tab: str) -> str:
    """Which of a branch's lives has a pull request does not matter to it."""
    return re.sub(r"/\d+(?= #)", "", tab)


def test_the_page() -> None:
    """What people read of the corpus is made from its labels."""
    assert len(HISTORIES) >= 40
    assert len({one.name for one in HISTORIES}) == len(HISTORIES)
    expect_file(PAGE, "\n".join(_page()))


def _page() -> Iterator[str]:
    yield "# Where calls lie: a corpus of git histories"
    yield ""
    yield f"{len(HISTORIES)} histories, each played with real git by `tests/git_histories`: clones, pushes, merges, agents' logs, GitHub's webhooks in order and"
    yield "in disorder. A test compares where each call (a, b, c …) lies with this page, which is made from the labels. The rules are in"
    yield "[attribution.md](attribution.md)."
    yield ""
    yield "A tab is a branch and its pull requests: `feature #1`. `/2` is the branch's second life, after its pull request ended. `site:` and `gadget:`"
    yield "are other repositories than `acme/widget`. What `tabstop cost` says without a server stands where it differs."
    for module in MODULES:
        yield ""
        yield f"## {(module.__doc__ or '').partition(':')[2].strip().rstrip('.').capitalize()}"
        yield ""
        yield "| what happened | call | lies on | sure as | why | `tabstop cost` |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for history in histories_in(module):
            yield from _rows(history)
    yield ""


def _rows(history: History) -> Iterator[str]:
    about = f"**{history.name}**{'. ' + history.told if history.told else ''}"
    for label in history.labels:
        differs = label.cost != re.sub(r"/\d+(?=$| )", "", label.where)
        yield f"| {about} | {' '.join(label.calls)} | {label.where} | {label.sure} | {label.why} | {label.cost if differs else ''} |"
        about = ""

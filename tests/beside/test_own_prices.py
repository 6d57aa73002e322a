"""A repository's own prices: for calls in its working trees, by the policy that is checked out now."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tabstop.agents.homes import Homes
from tabstop.beside.local_cost import Wanted, local_cost
from tabstop.beside.local_usage import local_usage
from tabstop.beside.local_usage_facts import LocalUsage
from tabstop.beside.own_prices import OwnPrices
from tabstop.report.by import By
from tests.agents.claude_code.test_bulk import an_answer, lines

OPUS = 10 * 4_000 + 5 * 20_000
"""Nano-dollars of an answer by the public list."""

DEAR = "prices:\n- {model: claude-opus-*, input: $100, output: $1000, why: ours}\n"
"""Then it is 10 x 100,000 + 5 x 1,000,000."""


class Laptop:
    """Two repositories, a session in each, and one in a folder without any."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cache = home / "cache" / "usage"
        self.homes = Homes(claude_code=(home / ".claude",))
        for number, name in enumerate(("widget", "gadget", "notes")):
            folder = home / name
            folder.mkdir()
            if name != "notes":
                subprocess.run(["git", "init", "-q", str(folder)], check=True)
                remote = f"https://github.com/acme/{name}"
                subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", remote], check=True)
            log = home / ".claude" / "projects" / name / f"{name}.jsonl"
            log.parent.mkdir(parents=True)
            log.write_bytes(lines(an_answer(f"req_{number}", cwd=str(folder), sessionId=name)))
            os.utime(log, (1_700_000_000,) * 2)

    def policy(self, text: str, name: str = "widget") -> None:
        """Check out another policy."""
        path = self.home / name / ".github" / "tabstop.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def read(self) -> LocalUsage:
        return local_usage(self.homes, cache=self.cache, processes=1)

    def costs(self) -> list[int]:
        """Of the answers in the widget, the gadget and the folder without a repository."""
        of = {one.session: one.cost for one in self.read().groups}
        return [of[name] for name in ("widget", "gadget", "notes")]

    def notes(self, *, paths: tuple[Path, ...] = ()) -> list[str]:
        """What people are told of prices."""
        wanted = Wanted(By.REPO, datetime.now(UTC), paths=paths)
        return list(local_cost(self.read(), wanted, {"HOME": str(self.home)}, None).report.notes)


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


def test_a_policy_s_prices_count_in_its_repository(laptop: Laptop) -> None:
    """Alone, and below its root too; the foot says whose they are."""
    assert laptop.costs() == [OPUS] * 3
    assert laptop.notes() == []
    laptop.policy(DEAR)
    assert laptop.costs() == [10 * 100_000 + 5 * 1_000_000, OPUS, OPUS]
    assert laptop.notes() == ["Prices: of .github/tabstop.yml for acme/widget; else the public list's."]
    assert laptop.notes(paths=(laptop.home / "gadget",)) == []


def test_a_policy_that_changes_prices_again(laptop: Laptop) -> None:
    """No log is read for it; where nothing changed, nothing is priced either."""
    laptop.policy(DEAR)
    laptop.read()
    laptop.policy("prices:\n- {model: '*', discount: 50%}\n", "gadget")
    usage = laptop.read()
    assert (usage.read, [one.cost for one in usage.groups if one.session == "gadget"]) == (0, [OPUS // 2])
    (laptop.home / "widget" / ".github" / "tabstop.yml").unlink()
    assert laptop.costs() == [OPUS, OPUS // 2, OPUS]


def test_a_price_that_is_no_whole_number(laptop: Laptop) -> None:
    """Each call is rounded by itself: 10 x 2,666.68 + 5 x 13,333.4."""
    laptop.policy("prices:\n- {model: '*', discount: 33.333%}\n")
    assert laptop.costs()[0] == 93_334


def test_a_discount_that_begins_later(laptop: Laptop) -> None:
    """Prices are those of a call's own day."""
    laptop.policy("prices:\n- {model: '*', discount: 50%, from: 2026-11-22}\n")
    assert laptop.costs() == [OPUS] * 3


@pytest.mark.parametrize("text", ["prices: all\n", "prices:\n- {model: x}\n  - y\n"])
def test_a_policy_with_a_problem(laptop: Laptop, text: str) -> None:
    """Counts for nothing, and that is said."""
    laptop.policy(text)
    assert laptop.costs() == [OPUS] * 3
    (note,) = laptop.notes()
    assert note == (
        ".github/tabstop.yml of acme/widget has a problem, so the public list's prices stand. "
        "`tabstop policy check` says which."
    )


@pytest.mark.parametrize("text", ["tab: {cap: $5}\n", "tab: {cap: $5}  # no prices\n", "prices: []\n"])
def test_a_policy_without_prices(laptop: Laptop, text: str) -> None:
    """Is as good as none."""
    laptop.policy(text)
    assert laptop.costs() == [OPUS] * 3
    assert laptop.notes() == []


def test_a_price_for_a_model_that_has_none(laptop: Laptop) -> None:
    """Then its cost is known there."""
    log = laptop.home / ".claude" / "projects" / "widget" / "widget.jsonl"
    log.write_bytes(lines(an_answer("r", model="house-model", cwd=str(laptop.home / "widget"), sessionId="widget")))
    assert laptop.read().unpriced == {"house-model": 1}
    laptop.policy("prices:\n- {model: house-*, input: $1, output: $2}\n")
    usage = laptop.read()
    assert (usage.unpriced, laptop.costs()[0]) == ({}, 10 * 1_000 + 5 * 2_000)


def test_folders_that_name_nothing(laptop: Laptop) -> None:
    """Names from logs may be anything: the list's prices count there."""
    own = OwnPrices()
    folders = ["", "relative", "/\x00", str(laptop.home / "gone" / "away")]
    assert [own.tree(folder) for folder in folders] == [""] * 4
    assert (own.seen(folders), own.told()) == ((), ())
    assert own.tree(str(laptop.home / "widget")) == ""


def test_a_price_is_looked_up_once(laptop: Laptop) -> None:
    """A quarter of an hour has one, whoever asks."""
    laptop.policy(DEAR)
    own, inside = OwnPrices(), laptop.home / "widget" / "src"
    inside.mkdir()
    tree = own.tree(str(inside))
    at = datetime(2026, 11, 21, tzinfo=UTC)
    assert own.price("claude-opus-5-5", at, tree) is own.price("claude-opus-5-5", at, tree)
    assert own.price("claude-opus-5-5", at + timedelta(minutes=15), tree) is not None
    assert [one.tree for one in own.seen([str(laptop.home / "widget")])] == [tree]

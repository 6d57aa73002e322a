"""What people and programs read of a report: tables, JSON, CSV and the page."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from tabstop.report.as_json import as_csv, as_json
from tabstop.report.by import By
from tabstop.report.facts import Checkouts, Facts, Repository
from tabstop.report.page import page
from tabstop.report.placing import place
from tabstop.report.report import Charts, Report
from tabstop.report.table import print_table
from tabstop.report.tally import Of, Plans, Sum, tally, total
from tabstop.report.words import cost_of, name_of, notional_of
from tabstop.usage_groups import UsageGroup
from tests.report.groups import FORMULA, charts, group, link, linked, placed_month, report
from tests.support.golden import expect

PLANS = Plans(frozenset({"codex"}), frozenset({("claude-code", "s8")}))


def table(found: Report, width: int, *, everything: bool = False, colour: bool = False) -> str:
    """As printed where the terminal is so wide."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, highlight=False, force_terminal=colour, color_system="standard" if colour else None
    )
    print_table(found, console, everything=everything)
    return out.getvalue()


@pytest.mark.parametrize("by", list(By))
@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables(by: By, width: int) -> None:
    """Every row in its place, whatever the width; nothing is wider than the terminal."""
    placed, facts = placed_month()
    text = table(report(placed, facts, by), width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    expect(f"cost/{by.value}-{width}.txt", text)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_what_a_plan_pays_stands_beside_dollars(width: int) -> None:
    """In a column of its own, and never in a sum with them."""
    placed, facts = placed_month()
    found = report(
        placed,
        facts,
        plans=PLANS,
        skipped=3,
        unread=(("/logs/a\x1b[31m.jsonl", "Permission denied"),),
        notes=("GitHub did not answer",),
    )
    text = table(found, width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    expect(f"cost/plan-{width}.txt", text)


def test_no_colour_and_no_markup_from_names() -> None:
    """A branch named like markup or an escape sequence is printed as it is called, or made visible."""
    placed = place([group(branch="[red]x[/red]"), group(branch="a\x1b[2Jb", session="s2")], {}, Facts())
    text = table(report(placed, Facts()), 80)
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
    assert "\x1b[2J" not in table(report(placed, Facts()), 80, colour=True)


def test_many_rows_are_cut() -> None:
    """The smaller ones are one row, and the total is that of all."""
    placed = place([group(str(n), branch=f"b{n:02}", session=f"s{n}") for n in range(1, 41)], {}, Facts())
    found = report(placed, Facts())
    short, whole = table(found, 80), table(found, 80, everything=True)
    assert "10 smaller ones (shown by --all)" in short
    assert "$55.00" in short
    assert "b01" not in short
    assert all(f"b{n:02}" in whole for n in range(1, 41))
    days = report(
        place([group(when=f"2026-10-{n:02} 09:00", session=f"s{n}") for n in range(1, 32)], {}, Facts()),
        Facts(),
        By.DAY,
    )
    assert "1 earlier day (shown by --all)" in table(days, 80)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (0, "no logs of Claude Code"),
        (1, "1 log file, and no model call in it that was asked for"),
        (3, "3 log files, and no model call in them that was asked for"),
    ],
)
def test_nothing(files: int, words: str) -> None:
    """An empty machine is told so, not shown a table of zeros."""
    found = msgspec.structs.replace(report((), Facts()), files=files)
    assert words in table(found, 80)
    assert words in page(found, Charts({}, (), ()))


@pytest.mark.parametrize("by", list(By))
def test_json(by: By) -> None:
    """The documented form: nano-dollars as integers, dollars as text, null for what nobody knows."""
    placed, facts = placed_month()
    found = as_json(report(placed, facts, by, plans=PLANS, since=datetime(2026, 11, 1, tzinfo=UTC)))
    expect(f"cost/{by.value}.json", json.dumps(found, indent=1) + "\n")
    rows = found["rows"]
    for name in ("notional_nano_dollars", "calls", "unpriced_calls", "estimated_calls"):
        assert sum(row[name] or 0 for row in rows) == found["total"][name]
    assert sum(row["nano_dollars"] or 0 for row in rows) == found["total"]["nano_dollars"]


def test_an_unknown_price_is_never_zero() -> None:
    """Neither in a table nor for programs. Of what a plan pays there is nothing, and that is known."""
    placed = place([group(None, session="s1")], {}, Facts())
    found = report(placed, Facts())
    row = as_json(found)["rows"][0]
    assert (row["nano_dollars"], row["dollars"], row["notional_nano_dollars"], row["unpriced_calls"]) == (
        None,
        None,
        0,
        10,
    )
    assert as_json(found)["total"]["dollars"] is None
    assert "$0" not in table(found, 80)


def test_an_unknown_price_of_a_plan() -> None:
    """Is unknown by plan: nobody is billed for it. Where only some have one, both stand beside each other."""
    plans = Plans(frozenset({"claude-code"}))
    placed = place([group(None, session="s1"), group("2.00", session="s2", agent="codex")], {}, Facts())
    found = report(placed, Facts(), By.AGENT, plans=plans)
    assert [(row.name, cost_of(row.sum), notional_of(row.sum)) for row in found.rows] == [
        ("codex", "$2.00", ""),
        ("claude-code", "", "≈ ?"),
    ]
    assert (cost_of(found.total), notional_of(found.total)) == ("$2.00", "≈ ?")
    assert (as_json(found)["total"]["nano_dollars"], as_json(found)["total"]["notional_nano_dollars"]) == (
        2 * 10**9,
        None,
    )
    some = report([*placed, *place([group("1.00", session="s3")], {}, Facts())], Facts(), plans=plans)
    assert (cost_of(some.total), notional_of(some.total)) == ("$2.00", "≈ $1.00 + ?")
    assert "≈ $1.00 + ?" in table(some, 80)
    assert '<td class="number alarm">≈ $1.00 + ?</td>' in page(some, Charts({}, (), ()))


@pytest.mark.parametrize("free", [group("0", calls=2), group("0", calls=0, aggregate=True)])
def test_a_known_zero_is_not_unknown(free: UsageGroup) -> None:
    """Calls at a price of 0, or what the client counted beyond its calls, beside one without a price."""
    placed = place([free, group(None, calls=1, session="s2")], {}, Facts())
    found = report(placed, Facts(), By.AGENT)
    assert (cost_of(found.total), as_json(found)["total"]["nano_dollars"]) == ("$0.00 + ?", 0)
    assert [cost_of(row.sum) for row in found.rows] == ["$0.00 + ?"]
    paid = report(placed, Facts(), By.AGENT, plans=Plans(frozenset({"claude-code"})))
    assert (notional_of(paid.total), as_json(paid)["total"]["notional_nano_dollars"]) == ("≈ $0.00 + ?", 0)
    only = report(place([free], {}, Facts()), Facts(), plans=Plans(frozenset({"claude-code"})))
    assert notional_of(only.total) == "≈ $0.00"


def test_an_unknown_aggregate_is_unknown() -> None:
    """It counts no calls, and yet has no price."""
    placed = place([group(None, calls=0, aggregate=True)], {}, Facts())
    assert cost_of(report(placed, Facts()).total) == "?"


def test_a_file_that_could_not_be_read_is_named() -> None:
    """With the reason, wherever the report is read: its spend is missing in it."""
    gone = (("/logs/opencode.db", "a damaged database"), ("/logs/opencode-x.json", "larger than 64 MiB"))
    placed, facts = placed_month()
    for rows in (placed, ()):
        found = report(rows, facts, unread=gone)
        named = "2 files could not be read: /logs/opencode.db (a damaged database), and 1 more; `--json` names all"
        assert named in " ".join(table(found, 120).split())
        assert named in page(found, charts(rows, facts, Plans()))
        assert as_json(found)["unread_files"] == [{"path": path, "reason": reason} for path, reason in gone]


def test_csv() -> None:
    """The rows as a spreadsheet reads them; none of them computes."""
    placed, facts = placed_month()
    text = as_csv(report(placed, facts, plans=PLANS))
    expect("cost/pr.csv", text.replace("\r\n", "\n"))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert f"'{FORMULA}" in {row["branch"] for row in rows}
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


class _Page(HTMLParser):
    """What a browser would load or run of it, and its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in {"meta", "line", "rect"}:
            self.open.append(tag)
        for name, value in attrs:
            if name in {"src", "srcset", "data", "action", "background"} or name.startswith("on"):
                self.loads.append(f"{tag} {name}={value}")
            if name == "href":
                self.links.append(str(value))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read_page(text: str) -> _Page:
    """Read it; every element is closed where it was opened."""
    found = _Page()
    found.feed(text)
    found.close()
    assert found.open == []
    return found


def test_the_page() -> None:
    """One file that loads nothing and runs nothing, whatever branches and titles are called."""
    placed, facts = placed_month()
    text = page(report(placed, facts, plans=PLANS, skipped=3), charts(placed, facts, PLANS))
    expect("cost/page.html", text)
    found = read_page(text)
    assert found.loads == []
    assert not found.tags & {"script", "img", "link", "iframe", "object", "form", "base"}
    assert all(one.startswith("https://github.com/acme/widget/pull/") for one in found.links)
    assert len(found.links) == 2
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert "\u202e" not in text


@pytest.mark.parametrize("by", list(By))
def test_every_page_closes_what_it_opens(by: By) -> None:
    """Whatever makes a row, and whoever pays."""
    placed, facts = placed_month()
    for plans in (Plans(), Plans({one.group.agent for one in placed})):
        read_page(page(report(placed, facts, by, plans=plans), charts(placed, facts, plans)))


def test_the_chart_takes_long_times_in_bigger_steps() -> None:
    """Days become weeks, months, years; every bar says what it is, and the sum stays."""
    for last, words in (
        ("2026-02-01", "2026-02-01: "),
        ("2026-12-01", "week of 2026-11-30"),
        ("2035-01-01", "month of "),
        ("2060-01-01", "year of 2060-01-01"),
    ):
        placed = place([group(when="2026-01-01 09:00"), group("2", when=f"{last} 09:00", session="s2")], {}, Facts())
        text = page(report(placed, Facts()), charts(placed, Facts(), Plans()))
        assert words in text
        assert len(re.findall("<title>", text)) == 3


def test_a_day_that_cannot_be_spoils_no_page() -> None:
    """A damaged log may tell a day thousands of years from now, which no chart has a bar for."""
    placed = place([group(when="1970-01-01 09:00"), group("2", when="9999-12-31 23:59", session="s2")], {}, Facts())
    text = page(report(placed, Facts()), charts(placed, Facts(), Plans()))
    assert "year of 1970-01-01" in text
    assert "year of 2090-01-01" in text


def test_a_call_before_any_agent_is_in_the_sums() -> None:
    """A clock that was wrong, or a damaged log: nothing is lost over it, and the day is the one it tells."""
    placed = place([group(when="0001-01-01 00:00"), group("2", when="1969-12-31 23:45", session="s2")], {}, Facts())
    found = report(placed, Facts(), By.DAY, zone=ZoneInfo("America/New_York"))
    assert [row.name for row in found.rows] == ["0001-01-01", "1969-12-31"]
    whole = as_json(found)["total"]
    assert (whole["dollars"], whole["first"], whole["last"]) == ("3", "0001-01-01T00:00:00Z", "1969-12-31T23:45:00Z")
    added = Sum()
    for row in found.rows:
        added.merge(row.sum)
    assert added == found.total
    assert "1970-01-01: Claude Code $3.00" in page(found, charts(placed, Facts(), Plans()))


def test_days_are_those_of_the_time_zone() -> None:
    """23:45 UTC is tomorrow in Berlin, and a quarter of an hour is never split, even in Kathmandu."""
    placed = place([group(when="2026-11-04 23:45")], {}, Facts())
    for zone, day in (
        ("UTC", "2026-11-04"),
        ("Europe/Berlin", "2026-11-05"),
        ("Asia/Kathmandu", "2026-11-05"),
        ("America/New_York", "2026-11-04"),
    ):
        rows = report(placed, Facts(), By.DAY, zone=ZoneInfo(zone)).rows
        assert [row.name for row in rows] == [day]
    at_the_end = place([group(when="9999-12-31 23:59")], {}, Facts())  # as a damaged log may tell
    (row,) = report(at_the_end, Facts(), By.DAY, zone=ZoneInfo("Asia/Kathmandu")).rows
    assert row.name == "9999-12-31"


def test_sums_merge() -> None:
    """A sum of sums is the sum."""
    placed, facts = placed_month()
    rows = report(placed, facts, plans=PLANS).rows
    added = Sum()
    for row in rows:
        added.merge(row.sum)
    assert added == report(placed, facts, plans=PLANS).total


@pytest.mark.parametrize("by", list(By))
def test_what_is_on_no_pull_request_is_part_of_the_total_and_said(by: By) -> None:
    """Whatever makes a row: what is on a pull request or branch, and what is not, come to the total."""
    placed, facts = placed_month()
    plans = Plans(frozenset({"gemini-cli"}))
    found = report(placed, facts, by, plans=plans)
    both = total([one for one in placed if one.branch or one.pull_request], plans)
    both.merge(found.unplaced)
    assert both == found.total
    assert found.unplaced.cost > 0
    assert found.unplaced.notional > 0
    said = "Of the total $0.0042 and ≈ $0.50 is on no pull request or branch"
    assert said in " ".join(table(found, 120).split())
    assert said in page(found, charts(placed, facts, plans))
    on_one = [one for one in placed if one.branch]
    assert "is on no pull request" not in table(report(on_one, facts, by), 120)


@pytest.mark.parametrize(
    ("default", "branch", "checkouts", "name", "reason"),
    [
        ("", "main", "", "main", "work on main, the default branch, led to no pull request"),
        ("", "", "master", "master", "work on master, the default branch, led to no pull request"),
        ("trunk", "", "trunk", "trunk", "work on trunk, the default branch, led to no pull request"),
        ("", "", "", "branch unknown", "no branch is told, and the session led to no pull request"),
    ],
)
def test_a_row_s_name_is_what_its_reason_says(
    default: str, branch: str, checkouts: str, name: str, reason: str
) -> None:
    """Whether the log tells the branch or git does, and whether or not git tells the default one."""
    facts = Facts(
        folders={"/w": "acme/widget"},
        checkouts={"/w": Checkouts(checkouts)},
        repositories={"acme/widget": Repository("acme/widget", default, frozenset({checkouts} - {""}))},
    )
    (row,) = report(place([group(branch=branch, folder="/w")], {}, facts), facts).rows
    assert (name_of(row), row.reason) == (f"{name}, no pull request", reason)


def test_a_row_s_name_is_that_of_what_cost_most() -> None:
    """As its reason is."""
    groups = [group("1", branch="", session="s1"), group("2", branch="main", session="s2"), group("1", branch="")]
    for some, name in ((groups, "main"), (groups[::2], "branch unknown")):
        (row,) = report(place(some, {}, Facts()), Facts()).rows
        assert name_of(row) == f"{name}, no pull request"


@pytest.mark.parametrize(
    ("on_github", "url"), [({"acme/widget"}, "https://github.com/acme/widget/pull/41"), (set(), None)]
)
def test_the_address_of_a_pull_request_that_github_did_not_tell_of(on_github: set[str], url: str | None) -> None:
    """Is known where a remote at github.com names the repository, be it that of a fork's clone."""
    repository = Repository("me/widget", fork_of="acme/widget", on_github=frozenset(on_github))
    facts = Facts(repositories={"me/widget": repository})
    placed = place([group(repository="me/widget")], linked(link(41, "feature/login")), facts)
    [row] = as_json(report(placed, facts))["rows"]
    assert row["pull_request"] == {"number": 41, "title": None, "url": url}


def test_without_a_branch_of_its_own() -> None:
    """What is on the default branch is the repository's row, and what has no repository is shown as such."""
    placed, facts = placed_month()
    kinds = {
        row.of: row
        for row in tally(
            placed, By.BRANCH, facts, plans=Plans(), day_of=lambda _: datetime(2026, 1, 1, tzinfo=UTC).date()
        )
    }
    assert (kinds[Of.REPOSITORY].repository, kinds[Of.REPOSITORY].branch) == ("acme/widget", "")
    assert kinds[Of.UNPLACED].reason == "the log names no folder"

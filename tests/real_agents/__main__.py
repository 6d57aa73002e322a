"""Runs the real agents into every limit at every attach point, then compares the ledger with their vendors' invoices.

Writes a page of each; see `scripts/agents`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.real_agents.agents import AGENTS, Agent, Attach
from tests.real_agents.cell import OPTION_SECONDS, POLICY_SECONDS, Cell, try_it
from tests.real_agents.installed import ROOT, NotInstalledError, cache, install, missing
from tests.real_agents.invoice import Limit
from tests.real_agents.table import document
from tests.real_agents.truth import playing
from tests.real_agents.truth.table import document as truth_document
from tests.real_agents.truth.table import sums_of

SMOKE = (("hooks", "tokens"), ("wrapper", "iterations"), ("proxy", "cost"))
DOCUMENT = ROOT / "docs" / "agents-table.md"
TRUTH = ROOT / "docs" / "truth-table.md"


def main() -> int:
    """0: all as it should be. 1: something is not. 2: the agents could not be installed."""
    parser = argparse.ArgumentParser(prog="scripts/agents", description=__doc__)
    parser.add_argument(
        "--smoke", action="store_true", help="Claude Code and Codex, some limits and a scene of each; writes nothing"
    )
    parser.add_argument("--truth", action="store_true", help="only the ledger and the invoice")
    parser.add_argument("--attach", choices=list(Attach), help="this attach point only; writes nothing")
    parser.add_argument("--limit", choices=list(Limit), help="this limit only; writes nothing")
    options = parser.parse_args()
    names = os.environ.get("AGENTS", "").split() or (["claude", "codex"] if options.smoke else [])
    if unknown := set(names) - {one.key for one in AGENTS}:
        parser.error(f"AGENTS names {', '.join(sorted(unknown))}; there are {', '.join(one.key for one in AGENTS)}")
    agents = [one for one in AGENTS if not names or one.key in names]
    try:
        _install(agents)
    except NotInstalledError as error:
        print(f"agents  could not be installed: {error}", file=sys.stderr)
        if os.environ.get("CI") or not options.smoke:
            return 2
        print("agents  SKIPPED: nothing was tried", file=sys.stderr)
        return 0
    if options.truth:
        return _truth(agents, smoke=options.smoke)
    wanted = [
        (agent, attach, limit)
        for agent in agents
        for attach in Attach
        for limit in Limit
        if not options.smoke or (attach, limit) in SMOKE
        if options.attach in (None, attach) and options.limit in (None, limit)
    ]
    began = time.monotonic()
    # Two at a time: an agent mostly waits for its model.
    with ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        cells = list(pool.map(_said, wanted))
    wrong = [one for one in cells if one.wrong]
    print(f"agents  {len(cells)} tried in {time.monotonic() - began:.0f} s, {len(wrong)} not as they should be")
    if len(cells) == len(AGENTS) * len(Attach) * len(Limit):
        DOCUMENT.write_text(document(cells, OPTION_SECONDS, POLICY_SECONDS), encoding="utf-8")
        print(f"agents  wrote {DOCUMENT.relative_to(ROOT)}")
    some = options.attach or options.limit
    untrue = 0 if some else _truth(agents, smoke=options.smoke)
    return 1 if wrong or untrue else 0


def _truth(agents: list[Agent], *, smoke: bool) -> int:
    """0: the ledger is the invoice. 1: it is not."""
    keys = {agent.key for agent in agents}
    scenes = [one for one in playing.SCENES if one.client.agent.key in keys]
    if smoke:
        scenes = [playing.shortest(one) for one in scenes if one.name in playing.SMOKE]
    played = playing.play_all(scenes)
    sums, wrong = sums_of(played), [one for one in played if one.wrong]
    print(f"truth  {len(played)} played, {sums.calls} calls: error {sums.error}, misplaced {sums.misplaced}")
    if len(keys) == len(AGENTS) and not smoke:
        TRUTH.write_text(truth_document(played), encoding="utf-8")
        print(f"truth  wrote {TRUTH.relative_to(ROOT)}")
    return 1 if wrong else 0


def _install(agents: list[Agent]) -> None:
    where = cache(os.environ)
    absent = missing([one.package for one in agents], where)
    if absent:
        print(
            f"agents  Downloading {len(absent)} agents from npm into {where}: about 1.4 GB for all four, once",
            file=sys.stderr,
        )
    for package in absent:
        print(f"agents  {package.name} {package.version}", file=sys.stderr)
        install(package, where)


def _said(wanted: tuple[Agent, Attach, Limit]) -> Cell:
    cell = try_it(*wanted)
    words = cell.cannot or (
        f"{cell.after} calls after of {cell.calls}, {cell.ran} tools ran, exit {cell.code}, {cell.outcome}, used {cell.used}, {cell.seconds:.0f} s"
    )
    print(f"agents  {cell.agent.name}, {cell.attach}, {cell.limit}: {words}", flush=True)
    if cell.wrong:
        print(f"agents  WRONG: {cell.wrong}", flush=True)
    return cell


if __name__ == "__main__":
    sys.exit(main())

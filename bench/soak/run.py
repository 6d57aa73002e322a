"""One run: a server under load that is killed again and again, then left in peace, then inspected."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import update

from app.store.engine import Database
from app.store.tables import JOB
from bench.soak.inspection import POLICY, violations, wait_until_quiet
from bench.soak.load import Load
from bench.stage import loopback_stage


@dataclass(frozen=True, slots=True)
class Plan:
    """How to go about it.

    pull_requests: how many are worked on at a time; each kill brings one more. alive_seconds: the shortest and longest
    time from ready to killed. hurry: pass over the minute that a killed worker's job waits for, instead of waiting.
    """

    seed: int
    kills: int = 20
    pull_requests: int = 6
    alive_seconds: tuple[float, float] = (0.2, 3.0)
    hurry: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, and what was found wrong."""

    counts: Counter[str]
    violations: list[str]
    seconds: float


def soak(url: str, folder: Path, plan: Plan, say: Callable[[str], None] = lambda _text: None) -> Outcome:
    """Run it on an empty database."""
    begun = time.monotonic()
    drawn = random.Random(plan.seed)
    with loopback_stage(url, folder) as stage:
        stage.install(POLICY)
        load = Load(stage, plan.seed, plan.pull_requests)
        for _ in range(plan.pull_requests):
            load.open_pull_request()
        load.begin()
        for number in range(plan.kills):
            time.sleep(drawn.uniform(*plan.alive_seconds))
            stage.server.kill()
            say(
                f"killed {number + 1} of {plan.kills}: {load.counts['batches acknowledged']} batches acknowledged so far"
            )
            time.sleep(drawn.uniform(0, 0.5))
            load.open_pull_request()
            if plan.hurry:
                _a_minute_passes(url)
            stage.server.start()
        time.sleep(drawn.uniform(*plan.alive_seconds))
        load.finish()
        quiet = wait_until_quiet(url)
        stage.server.stop()
        found = violations(url, stage, load)
        if not quiet:
            found.append("the outbox does not come to rest: jobs stay due")
        load.counts["writes to GitHub"] = stage.github.writes
        for line in ("request failed", "job failed", "job postponed", "the outbox could not be used"):
            load.counts[f"times the log says “{line}”"] = stage.server.log.count(line)
    return Outcome(load.counts, found, time.monotonic() - begun)


def _a_minute_passes(url: str) -> None:
    """While the server is down: leases of jobs that its worker had in hand run out."""
    with closing(Database(url)) as database, database.writing() as db:
        db.execute(update(JOB).values(leased_until=0))

"""`python -m bench.soak`: kill -9 of the server under load, on both databases; exit code 1 when anything was lost or doubled.

SEED repeats a run's choices, KILLS says how often, ONLY=sqlite or ONLY=postgres takes one database.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import randbelow

from bench.soak.run import Outcome, Plan, soak
from tests.support.postgres import PostgresServer, PostgresUnavailableError

KINDS = ("sqlite", "postgres")


def main() -> int:
    """Run on each database; 1 when there were violations, 2 when ONLY names no database."""
    only = os.environ.get("ONLY", "")
    chosen = [kind for kind in KINDS if kind.startswith(only)]
    plan = Plan(seed=int(os.environ.get("SEED") or randbelow(10**6)), kills=int(os.environ.get("KILLS") or 20))
    print(f"SEED={plan.seed} KILLS={plan.kills} on {' and '.join(chosen) or 'nothing: ONLY is sqlite or postgres'}")
    wrong = 0
    for kind in chosen:
        try:
            with tempfile.TemporaryDirectory(prefix="tabstop-soak-") as folder, _database(kind, Path(folder)) as url:
                outcome = soak(url, Path(folder), plan, lambda text, kind=kind: print(f"{kind}: {text}", flush=True))  # type: ignore[misc]
                wrong += len(outcome.violations)
                print(_summary(kind, outcome), flush=True)
        except PostgresUnavailableError as error:
            print(f"{kind}: not run. {error}")
    return 2 if not chosen else int(wrong > 0)


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'soak.db'}"
        return
    with PostgresServer.start() as server:
        yield server.create_database()


def _summary(kind: str, outcome: Outcome) -> str:
    lines = [f"{kind}: {outcome.seconds:.0f} s"]
    lines += [f"  {count:6} {what}" for what, count in sorted(outcome.counts.items())]
    if outcome.violations:
        lines += [f"{kind}: {len(outcome.violations)} VIOLATIONS", *(f"  {one}" for one in outcome.violations[:40])]
    else:
        lines.append(f"{kind}: no usage lost, none doubled, every hold accounted for, every check right")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

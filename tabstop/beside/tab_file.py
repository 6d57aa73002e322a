"""Tab file: what each branch has cost on this machine, kept as one small file, so that a status line need not read any log."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabstop.status_line import Tab

if TYPE_CHECKING:
    from tabstop.money import Nano
    from tabstop.report.placing import Placed
    from tabstop.report.tally import Plans, Sum

AGE = 60
"""Seconds after which it is made anew."""

_LONGEST_WORK = 300
"""Seconds after which whoever was making it has surely died."""

_SIZE = 8 * 1024 * 1024


def tab_file(environ: Mapping[str, str]) -> Path | None:
    """Beside the cache of `tabstop cost`; None without a home."""
    named, home = environ.get("XDG_CACHE_HOME", ""), environ.get("HOME", "")
    folder = Path(named) if named.startswith("/") else Path(home, ".cache") if home.startswith("/") else None
    return folder and folder / "tabstop" / "tabs.json"


def read_tab(path: Path, repository: str, branch: str) -> Tab | None:
    """One branch's tab; None where nothing is kept of it. Never raises for what the file holds."""
    with suppress(OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        if path.stat().st_size > _SIZE:
            return None
        row: Any = json.loads(path.read_bytes())["tabs"][repository.lower()][branch]
        cost, unpriced, notional, notional_unpriced, number = row
        if all(one is None or type(one) is int for one in row):
            return Tab(cost, unpriced or 0, notional, notional_unpriced or 0, number)
    return None


def is_due(path: Path, now: float) -> bool:
    """Whether it is to be made anew."""
    try:
        return not 0 <= now - path.stat().st_mtime < AGE
    except OSError:
        return True


def keep_tabs(path: Path, placed: Iterable[Placed], plans: Plans, names: Mapping[str, str] | None = None) -> None:
    """Keep the tabs of all branches. names: those of now by a name of before: a clone may have either. Raises `OSError`."""
    from tabstop.beside.session_folder import write_privately  # noqa: PLC0415 - not quick to load, and this is rare
    from tabstop.report.tally import Sum  # noqa: PLC0415

    sums: dict[str, dict[str, Sum]] = {}
    numbers: dict[tuple[str, str], tuple[int, int]] = {}
    for one in placed:
        if one.repository and one.branch:
            place = one.repository.lower(), one.branch
            sums.setdefault(place[0], {}).setdefault(place[1], Sum()).add(one.group, notional=plans.pay_for(one.group))
            if one.pull_request is not None:
                numbers[place] = max(numbers.get(place, (0, 0)), (one.group.began, one.pull_request))
    tabs = {
        repository: {
            branch: (*_amounts(one), numbers.get((repository, branch), (0, None))[1])
            for branch, one in branches.items()
        }
        for repository, branches in sums.items()
    }
    tabs |= {old: tabs[now.lower()] for old, now in (names or {}).items() if now.lower() in tabs}
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_privately(path, json.dumps({"version": 2, "tabs": tabs}).encode())


def _amounts(one: Sum) -> tuple[Nano | None, int, Nano | None, int]:
    """As a `Tab` has them."""
    return one.billed, one.billed_unpriced, one.by_plan, one.notional_unpriced


def make_tabs(environ: Mapping[str, str]) -> None:
    """Read what the agents' logs tell anew and keep it, unless somebody else is at it. Raises `OSError`."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from tabstop.agents.homes import Homes  # noqa: PLC0415 - as above
    from tabstop.beside.local_cost import Wanted, local_cost  # noqa: PLC0415
    from tabstop.beside.local_usage import cache_path, local_usage  # noqa: PLC0415
    from tabstop.report.by import By  # noqa: PLC0415

    path, cache = tab_file(environ), cache_path(environ)
    if path is None or cache is None or not _begin(path):
        return
    try:
        usage = local_usage(Homes.from_environ(environ), cache=cache, processes=1)
        wanted = Wanted(By.BRANCH, datetime.now(UTC))
        found = local_cost(usage, wanted, environ, cache.with_name("places.json"))
        keep_tabs(path, found.placed, found.plans, found.names)
    finally:
        _lock(path).unlink(missing_ok=True)


def _begin(path: Path) -> bool:
    """Take the lock; one that its owner left behind is taken over."""
    lock = _lock(path)
    lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(OSError):
        if time.time() - lock.stat().st_mtime > _LONGEST_WORK:
            lock.unlink()
    try:
        os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def _lock(path: Path) -> Path:
    return path.with_suffix(".lock")

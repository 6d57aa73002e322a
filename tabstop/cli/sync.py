"""`tabstop sync`: tell the team's server what the agents on this machine used, as their own logs have it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from tabstop.agents.log_files import READERS, in_text
from tabstop.beside.server import ServerError
from tabstop.beside.sync.passed import Left, Passed
from tabstop.beside.sync.run import AlreadyRunningError, NobodyToTellError, Wanted
from tabstop.beside.sync.run import sync as sync_once
from tabstop.cli.moments import since_option
from tabstop.money import show
from tabstop.quantity import plural
from tabstop.report.report import clean
from tabstop.usage import Billing
from tabstop.window import LATE_LIMIT

EVERY = 60
"""Seconds between two passes of `--watch`."""

LONGEST_OWN_NAP, LONGEST_NAP = 900, 3_600
"""Seconds between two passes, where they go wrong and where a server asks for patience."""

_BILLINGS = tuple(one.value for one in Billing if one is not Billing.UNKNOWN)


class NotSynced(click.ClickException):
    """Nothing was sent."""


@click.command()
@click.option("--watch", is_flag=True, help=f"Go on, a pass every {EVERY} seconds, until Ctrl-C.")
@click.option(
    "--since",
    "back",
    metavar="TIME",
    help=f"From then on: `7d`, `12h`, `today`, `2026-11-01`.  [{LATE_LIMIT.days} days, the most]",
)
@click.option(
    "--agent",
    "agents",
    multiple=True,
    default=tuple(READERS),
    type=click.Choice(tuple(READERS)),
    help="Only this agent's logs; may be repeated.",
)
@click.option(
    "--billing",
    type=click.Choice(_BILLINGS),
    help="How these tokens are paid for; without it they count as dollars.",
)
@click.option("--dry-run", is_flag=True, help="Read the logs and say what waits; send nothing.")
def sync(watch: bool, back: str | None, agents: tuple[str, ...], billing: str | None, dry_run: bool) -> None:
    """Upload what your agents used: tokens, models, times, branches, commits, pull requests. Never a word of content.

    Only work in repositories of the organization you are logged in for. Run it as often as you like: nothing counts twice.
    """
    since = since_option(back, datetime.now(UTC), None)
    wanted = Wanted(agents, since, Billing(billing or Billing.UNKNOWN), dry_run)
    brief = False  # the first pass of many says what stays here
    failed = 0  # passes in a row
    try:
        while True:
            passed = _pass(wanted)
            for one in passed:
                for line in lines_of(one, brief=brief, dry=dry_run):
                    click.echo(line)
            if not watch:
                break
            brief = True
            failed = failed + 1 if any(one.problem for one in passed) else 0
            time.sleep(nap(failed, max(one.retry_after for one in passed)))
    except KeyboardInterrupt:
        return
    if any(one.problem for one in passed):
        raise click.exceptions.Exit(1)


def nap(failed: int, asked: int) -> int:
    """Seconds until the next pass. failed: how many passes went wrong in a row, each of which doubles them. asked: by a server."""
    own = min(EVERY << max(0, min(failed, 9) - 1), LONGEST_OWN_NAP)
    return min(max(own, asked), LONGEST_NAP)


def lines_of(passed: Passed, *, brief: bool = False, dry: bool = False) -> Iterator[str]:
    """What people read of a pass. brief: only where something was sent or went wrong. dry: nothing was to be sent."""
    sent = passed.sent
    if dry:
        yield f"Nothing is sent. {_calls(passed.waiting)} for {passed.server}."
    elif passed.problem:
        yield f"{passed.problem} Kept here for a later `tabstop sync`: {_calls(passed.waiting)}."
    elif sent.calls or not brief:
        known = f", {sent.calls - sent.new:,} of them known there already" if sent.calls > sent.new else ""
        told = f"{_calls(sent.calls)} of {_sessions(sent.sessions)}"
        yield f"Sent to {passed.server} for {', '.join(passed.organizations)}: {told}{known}."
    if brief:
        return
    for why, left in passed.kept.items():
        yield f"{_left(left)}: kept for later. {why}"
    if passed.waiting and not (passed.problem or passed.kept or dry):
        yield f"{_calls(passed.waiting)}: kept for later."
    if passed.elsewhere.calls:
        yield f"{_left(passed.elsewhere)}: in repositories of others. They stay here; the server is not told of them."
    if passed.nowhere.calls:
        yield f"{_left(passed.nowhere)}: in folders without a git remote, or that are gone. They stay here."
    if passed.too_late:
        yield f"{_calls(passed.too_late)}: never sent, and older than {LATE_LIMIT.days} days now, which the server does not take."
    if sent.refused:
        yield f"{_calls(sent.refused)}: refused by the server as not valid, and left out."
    for why, count in sorted(sent.doubted.items()):
        yield f"{_calls(count)} not counted as told: {why}"
    if passed.unread:
        (first, count), *others = passed.unread.items()
        more = f"; {sum(many for _, many in others):,} in {plural(len(others), 'other file')}" if others else ""
        yield f"Lines of the logs that could not be used: {count:,} in {clean(first)}{more}. `tabstop cost --json` says which."
    for path, why in passed.read.missed:
        yield f"{clean(in_text(path))} could not be read: {why}."


def _pass(wanted: Wanted) -> list[Passed]:
    try:
        return sync_once(os.environ, wanted, datetime.now(UTC), time.sleep)
    except (NobodyToTellError, AlreadyRunningError, ServerError) as error:
        raise NotSynced(str(error)) from error
    except (OSError, sqlite3.Error) as error:
        raise NotSynced(f"What was sent cannot be remembered here: {error}. Look at the disk and try again.") from error


def _calls(count: int) -> str:
    return f"{count:,} call" if count == 1 else f"{count:,} calls"


def _sessions(count: int) -> str:
    return f"{count:,} session" if count == 1 else f"{count:,} sessions"


def _left(left: Left) -> str:
    """What people can compare with `tabstop cost`: an unknown price is said, and is never zero."""
    count = f"{_calls(left.calls)} of {_sessions(len(left.sessions))}"
    if not left.calls:  # a session's links, or its end
        return count
    amount = f"{show(left.cost)} at list prices" if left.unpriced < left.calls else "of unknown price"
    if 0 < left.unpriced < left.calls:
        amount += f" and {_calls(left.unpriced)} of unknown price"
    return f"{count}, {amount}"

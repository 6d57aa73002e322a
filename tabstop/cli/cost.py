"""`tabstop cost`: what each branch and pull request on this machine has cost, from the agents' own logs. No server is asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tabstop.agents.homes import Homes
from tabstop.agents.log_files import READERS
from tabstop.beside.local_usage import cache_path, local_usage, made_to_last
from tabstop.cli.moments import since_option
from tabstop.report.by import By

if TYPE_CHECKING:
    from tabstop.beside.local_cost import LocalCost
    from tabstop.beside.log_reading import Progress

EVERY_AGENT = "all"


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--since", "back", metavar="TIME", help="From then on: `7d`, `12h`, `today`, `2026-11-01`.  [everything]")
@click.option(
    "--by", type=click.Choice([one.value for one in By]), default=By.PR.value, help="What makes one row.  [pr]"
)
@click.option("--json", "as_what", flag_value="json", help="As JSON; money in nano-dollars.")
@click.option("--csv", "as_what", flag_value="csv", help="As CSV.")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="As a page, in this file."
)
@click.option("--all", "everything", is_flag=True, help="All rows.  [the 30 largest]")
@click.option(
    "--plan",
    "plans",
    multiple=True,
    type=click.Choice((*READERS, EVERY_AGENT)),
    help="Paid by a subscription; may be repeated.",
)
@click.option("--timezone", metavar="NAME", help="Whose days: `Europe/Berlin`.  [this machine's]")
@click.option("--offline", is_flag=True, help="Do not ask GitHub for titles and states.")
@click.option("--no-cache", is_flag=True, help="Read every log anew, and remember nothing.")
def cost(
    paths: tuple[Path, ...],
    back: str | None,
    by: str,
    as_what: str | None,
    html: Path | None,
    everything: bool,
    plans: tuple[str, ...],
    timezone: str | None,
    offline: bool,
    no_cache: bool,
) -> None:
    """Show what Claude Code, Codex, Gemini CLI and OpenCode have cost on this machine, by pull request and branch.

    It reads the logs the agents leave and asks local git; nothing leaves the machine. With GH_TOKEN or GITHUB_TOKEN set, GitHub is
    asked for the titles and states of pull requests. PATHS: only work in these folders or their repositories; or files that
    `opencode export` wrote, which are then read instead of the logs.
    """
    if as_what and html:
        raise click.UsageError("--html writes a page; take it or --json and --csv, not both.")
    now = datetime.now(UTC)
    zone = _zone(timezone)
    real = [Path(os.path.realpath(one)) for one in paths]
    exports = tuple(one for one in real if one.is_file())
    since = since_option(back, now, zone)
    cache = None if no_cache else cache_path(os.environ)
    with _progress() as progress, made_to_last():
        usage = local_usage(
            Homes.from_environ(os.environ),
            cache=None if exports else cache,
            exports=exports,
            progress=progress,
            meanwhile=_load_what_comes_next,
        )
        from tabstop.beside.local_cost import Wanted, local_cost  # noqa: PLC0415 - see `_load_what_comes_next`

        wanted = Wanted(
            by=By(by),
            now=now,
            since=since,
            since_words=back or "",
            paths=tuple(one for one in real if one not in exports),
            zone=zone,
            plans=tuple(READERS) if EVERY_AGENT in plans else plans,
            offline=offline,
        )
        found = local_cost(usage, wanted, os.environ, cache and cache.with_name("places.json"))
    _show(found, as_what, html, everything=everything)


def _load_what_comes_next() -> None:
    """What joins and shows takes as long to load as 10 MB of logs to read: other processes read them meanwhile."""
    import_module("tabstop.beside.local_cost")


def _show(found: LocalCost, as_what: str | None, html: Path | None, *, everything: bool) -> None:
    if as_what == "json":
        from json import dumps  # noqa: PLC0415

        from tabstop.report.as_json import as_json  # noqa: PLC0415

        click.echo(dumps(as_json(found.report), indent=2))
    elif as_what == "csv":
        from tabstop.report.as_json import as_csv  # noqa: PLC0415

        click.echo(as_csv(found.report), nl=False)
    elif html:
        from tabstop.report.page import page  # noqa: PLC0415

        try:
            html.write_text(page(found.report, found.charts()), encoding="utf-8")
        except OSError as error:
            raise click.FileError(str(html), f"{error.strerror}. Name a file that can be written.") from error
        click.echo(f"{html}: open it in a browser; it needs no network.")
    else:
        from rich.console import Console  # noqa: PLC0415 - the table alone needs it

        from tabstop.report.table import print_table  # noqa: PLC0415

        print_table(found.report, Console(highlight=False), everything=everything)


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise click.BadParameter(f"{name!r} is no time zone; write one such as `Europe/Berlin` or `UTC`.") from None


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on a terminal's standard error, from the moment there is much to read; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    shown: list[Any] = []

    def tell(done: int, whole: int) -> None:
        if not shown:
            from rich.console import Console  # noqa: PLC0415
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: PLC0415

            columns = TextColumn("reading logs"), BarColumn(), DownloadColumn()
            bar = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
            bar.start()
            shown.extend((bar, bar.add_task("", total=whole)))
        shown[0].update(shown[1], completed=done, total=whole, refresh=True)

    try:
        yield tell
    finally:
        if shown:
            shown[0].stop()

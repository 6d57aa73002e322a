"""`tabstop cost`: what each branch and pull request on this machine has cost, from the agents' own logs. No server is asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
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
    from tabstop.beside.local_usage_facts import LocalUsage
    from tabstop.beside.log_reading import Progress
    from tabstop.report.report import Report

EVERY_AGENT = "all"


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--since", "back", metavar="TIME", help="From then on: `7d`, `12h`, `today`, `2026-11-01`.  [everything]")
@click.option(
    "--by", type=click.Choice([one.value for one in By]), default=By.PR.value, help="What makes one row.  [pr]"
)
@click.option("--json", "as_json", is_flag=True, help="As JSON; money in nano-dollars.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV.")
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
    as_json: bool,
    as_csv: bool,
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
    if as_json + as_csv + (html is not None) > 1:
        raise click.UsageError("--json, --csv and --html are three forms of the same; take one of them.")
    now = datetime.now(UTC)
    zone = _zone(timezone)
    real = [Path(os.path.realpath(one)) for one in paths]
    there = [one for one in real if os.path.exists(one)]  # noqa: PTH110 - pathlib raises where one may not look
    exports = tuple(one for one in there if not one.is_dir())
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
        _check_unread(exports, usage)
        _check_gone((one for one in real if one not in there), usage)
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
    if as_json:
        _print_json(found.report)
    elif as_csv:
        _print_csv(found.report)
    elif html:
        _write_page(found, html)
    else:
        _print_table(found.report, everything=everything)


def _check_unread(exports: Sequence[Path], usage: LocalUsage) -> None:
    """Files that were named and tell nothing are a slip, and no cost of zero. Raises `ClickException`."""
    if exports and len(usage.unread) == len(exports) and not usage.groups:
        lines = [f"{path}: {why}" for path, why in usage.unread]
        advice = (
            "Name files that `opencode export` wrote, or folders. The agents' own logs are found without being named."
        )
        raise click.ClickException("\n".join(("None of the files named can be read.", *lines, advice)))


def _check_gone(paths: Iterable[Path], usage: LocalUsage) -> None:
    """A folder may be gone and have had sessions; one that never had any is a slip. Raises `UsageError`."""
    from tabstop.beside.local_cost import is_inside  # noqa: PLC0415 - see `_load_what_comes_next`

    for path in paths:
        if not any(is_inside(folder, (path,)) for folder in usage.folders):
            raise click.UsageError(f"{path} does not exist, and no session in the logs worked in it.")


def _load_what_comes_next() -> None:
    """What joins and shows takes as long to load as 10 MB of logs to read: other processes read them meanwhile."""
    import_module("tabstop.beside.local_cost")


def _print_json(report: Report) -> None:
    from json import dumps  # noqa: PLC0415

    from tabstop.report.as_json import as_json  # noqa: PLC0415

    click.echo(dumps(as_json(report), indent=2))


def _print_csv(report: Report) -> None:
    """Rows alone, so that what is in none of them is told beside them."""
    from tabstop.report.as_json import as_csv  # noqa: PLC0415
    from tabstop.report.words import unused  # noqa: PLC0415

    click.echo(as_csv(report), nl=False)
    for line in unused(report):
        click.echo(line, err=True)


def _write_page(found: LocalCost, file: Path) -> None:
    from tabstop.report.page import page  # noqa: PLC0415

    try:
        file.write_text(page(found.report, found.charts()), encoding="utf-8")
    except OSError as error:
        raise click.FileError(str(file), f"{error.strerror}. Name a file that can be written.") from error
    click.echo(f"{file}: open it in a browser; it needs no network.")


def _print_table(report: Report, *, everything: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - the table alone needs it

    from tabstop.report.table import print_table  # noqa: PLC0415

    print_table(report, Console(highlight=False), everything=everything)


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

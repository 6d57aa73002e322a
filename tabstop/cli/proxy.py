"""`tabstop proxy`: a metering proxy on loopback, for agents that are started elsewhere, in an editor or another terminal."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.journal import JournalBusyError
from tabstop.beside.proxy.attached import check_installed
from tabstop.beside.proxy.codex_config import NotLedError, codex_provider
from tabstop.beside.proxy.pointing import goes_elsewhere, listen
from tabstop.beside.session_folder import sessions_root
from tabstop.beside.stop_signal import StopSignal
from tabstop.beside.wrapper.opening import NotOpenedError, Opened, Place, Wanted, open_session
from tabstop.beside.wrapper.words import bounds
from tabstop.cli import amounts
from tabstop.governor.limits import limits_in_force, shown
from tabstop.governor.orders import Event

PROVIDERS = ("anthropic", "openai", "google")
_OPENCODE = "OPENCODE_CONFIG_CONTENT"


@click.command()
@click.option("--session", default="", metavar="ID", help="Go on with this session, its totals carried over.")
@click.option("--cost", type=amounts.COST_LIMIT, metavar="DOLLARS", help="Most it may cost.")
@click.option("--tokens", type=amounts.TOKEN_LIMIT, metavar="TOKENS", help="Most tokens.")
@click.option("--iterations", type=amounts.COUNT_LIMIT, metavar="NUMBER", help="Most model calls.")
@click.option(
    "--folder",
    default="",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    metavar="FOLDER",
    help="Where the agents work.  [default: here, or where an agent says]",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Where to listen.  [default: any free port]")
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="VENDOR=URL",
    help=f"Where a vendor's requests go ({', '.join(PROVIDERS)}), instead of its own address.",
)
@click.pass_context
def proxy(
    ctx: click.Context,
    /,
    session: str,
    folder: str,
    port: int,
    upstreams: tuple[str, ...],
    **limits: int | None,
) -> None:
    """Meter every model call that is made through it, and hold the session's limits exactly.

    Prints what an agent's environment needs. Limits not given come from the server that TABSTOP_SERVER names, else from the
    repository's .github/tabstop.yml, else from the defaults. Ends with Ctrl-C; `--session` goes on with what was used so far.
    """
    places = dict(_upstream(one) for one in upstreams)
    given = {name: value for name, value in limits.items() if _given(ctx, name)}
    where = folder or str(Path.cwd())
    place = Place(sessions_root(os.environ), where, os.environ, datetime.now(UTC), os.urandom(32))
    wanted = Wanted(session, given)
    try:
        opened = open_session(wanted, "proxy", None, "", place)
        _run(opened, wanted, places, port, folder)
    except (NotOpenedError, JournalBusyError, OSError) as error:
        click.echo(f"tabstop: {error}", err=True)
        sys.exit(error.code if isinstance(error, NotOpenedError) else ExitCode.REFUSED)


def _run(opened: Opened, wanted: Wanted, places: dict[str, str], port: int, folder: str) -> None:
    check_installed()
    from tabstop.beside.proxy.alone import serve  # noqa: PLC0415 - an extra
    from tabstop.beside.proxy.routes import Upstreams  # noqa: PLC0415
    from tabstop.beside.proxy.running import RunningProxy  # noqa: PLC0415

    upstreams = replace(Upstreams.from_environ(os.environ), **places)
    over = StopSignal()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, over.set)

    def began(running: RunningProxy, governed: GovernedSession, opened: Opened) -> None:
        for line in greeting(governed, opened):
            click.echo(line)
        # What the environment has of OpenCode's configuration may hold keys: it is not printed.
        found = running.environ({name: value for name, value in os.environ.items() if name != _OPENCODE})
        for name in (
            "ANTHROPIC_BASE_URL",
            "OPENAI_BASE_URL",
            "GOOGLE_GEMINI_BASE_URL",
            _OPENCODE,
            "TABSTOP_PROXY_TOKEN",
        ):
            click.echo(f"  export {name}={shlex.quote(found[name])}")
        click.echo(codex_words(running.address, upstreams.openai, os.environ))
        for line in goes_elsewhere(os.environ):
            click.echo(f"warning: {line}")
        click.echo("Whoever knows these addresses can spend through them. Ctrl-C ends the proxy.")

    serve(
        opened,
        wanted,
        os.environ,
        lambda: datetime.now(UTC),
        upstreams,
        listen(port),
        _say,
        _warn,
        began,
        over,
        folder=folder,
    )


def greeting(governed: GovernedSession, opened: Opened) -> tuple[str, ...]:
    """What bounds the session, and how firmly."""
    totals = governed.state.totals
    limits, _ = limits_in_force(totals, governed.settings)
    used = f" Used so far: {shown('cost', totals.cost)}, {shown('tokens', totals.tokens)}." if totals.tokens else ""
    lines = [
        f"Session {opened.record.id} may use {', '.join(bounds(limits))} ({opened.source}).{used}",
        "No call is sent that could pass a limit. In the agent's terminal:",
    ]
    return (opened.said, *lines) if opened.said else tuple(lines)


def codex_words(address: str, openai: str, environ: Mapping[str, str]) -> str:
    """How Codex is led to the proxy at this address. openai: where its requests go from there; Codex's own configuration may name
    somebody else, to whom its prompts and keys belong.
    """
    try:
        provider = codex_provider(("codex",), environ)
    except NotLedError as error:
        return f"Codex cannot be metered here. {error}"
    if provider.vendor and provider.vendor.rstrip("/").removesuffix("/v1") != openai:
        return (
            f"Codex's configuration asks {provider.vendor}. To meter it, start the proxy with "
            f"{shlex.join(('--upstream', f'openai={provider.vendor}'))}."
        )
    return f"Codex takes arguments instead:\n  codex {shlex.join(provider.arguments(address, environ))}"


def _say(event: Event) -> None:
    if event.finding is not None and event.finding.sentence:
        click.echo(f"{event.at:%H:%M:%S} {event.kind}: {event.finding.sentence} {event.finding.remedy}".rstrip())
    else:
        click.echo(f"{event.at:%H:%M:%S} {event.kind}")


def _warn(text: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S} warning: {text}")


def _upstream(written: str) -> tuple[str, str]:
    name, sign, url = written.partition("=")
    if not sign or name not in PROVIDERS or not url.startswith(("http://", "https://")):
        raise click.BadParameter(
            f"{written!r}: write one of {', '.join(PROVIDERS)}, `=`, and an address", param_hint="--upstream"
        )
    return name, url.rstrip("/").removesuffix("/v1") if name == "openai" else url.rstrip("/")


def _given(ctx: click.Context, name: str) -> bool:
    """Whether it stands on the command line: None also means `unlimited`, written out."""
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE

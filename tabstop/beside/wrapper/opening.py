"""Which session a run belongs to and what bounds it: the options, else what the gate left, else the policy, else the defaults."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path, PurePath

from tabstop.agents.command_line import Invocation
from tabstop.beside.admission import NotAdmittedError, ask, ends_elsewhere
from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_records import name_of, policy_of
from tabstop.beside.reporting import Reporter, reporter_for
from tabstop.beside.session_environ import leave_server, leaves_its_server
from tabstop.beside.session_folder import NoSessionError, Record, SessionFolder, create, everything, find
from tabstop.explain import refusal
from tabstop.governor.settings import settings_of
from tabstop.session import Limits
from tabstop.tightened import tightened
from tabstop.verdict import Outcome
from tabstop.wire import StartRequest

_SHORT = {"claude-code": "claude"}


class NotOpenedError(Exception):
    """The agent is not started; the text says why and what to do. code: what the command ends with."""

    def __init__(self, said: str, code: int = ExitCode.REFUSED) -> None:
        """Keep both."""
        super().__init__(said)
        self.code = code


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options say. session: an earlier one's id. limits: those given, by name; None for unlimited, written out."""

    session: str = ""
    limits: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the agent works and where sessions lie. random: gives so many bytes nobody can guess."""

    root: Path
    cwd: str
    environ: Mapping[str, str]
    now: datetime
    random: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The session. source: where its limits come from. said: what went wrong with the policy on the way."""

    folder: SessionFolder
    record: Record
    source: str
    said: str = ""
    is_new: bool = False


def open_session(wanted: Wanted, program: str, invocation: Invocation | None, usage_name: str, place: Place) -> Opened:
    """Find the session, or begin one. Raises `NotOpenedError`, `OSError`.

    usage_name: the agent as the server names it; empty for a program nobody knows.
    """
    found = _earlier(wanted, invocation, place)
    if found is None:
        return _begin(wanted, program, invocation, usage_name, place)
    folder, source = found
    record = folder.record()
    if wanted.limits:
        if not record.server_session:
            raise NotOpenedError(
                f"Session {record.id} has its limits from its beginning; options do not change them. "
                f"To give it more: `tabstop overdrive {record.id} '$5'`. To begin another one, leave --session away."
            )
        before = record.settings.limits
        limits = tightened(before, replace(Limits(), **wanted.limits))
        record = replace(record, settings=replace(record.settings, limits=limits), admitted=record.admitted or before)
        source += ", tightened by options"
    return Opened(folder, record, source)


def admitted(opened: Opened, wanted: Wanted, environ: Mapping[str, str], now: datetime) -> Opened:
    """The session as its server admits it, or this machine, where nobody asked yet. Raises `NotOpenedError`, `OSError`.

    Call it when nobody else can watch the session any more: what is admitted holds money.
    """
    if leaves_its_server(opened.record, environ):
        opened = replace(opened, record=leave_server(opened.folder, opened.record))
    record = opened.record
    tighten = replace(Limits(), **wanted.limits) if opened.is_new else record.settings.limits
    try:
        asked = ask(record, tighten, environ, now)
    except NotAdmittedError as error:
        if opened.is_new:
            shutil.rmtree(opened.folder.path, ignore_errors=True)
        raise NotOpenedError(f"The agent was not started. {error}") from error
    said = f"{opened.said} {asked.said}".strip()
    if asked.record == record:
        return replace(opened, said=said)
    opened.folder.write_record(asked.record)
    source = "from the server" + (", tightened by options" if wanted.limits else "")
    source = source if asked.record.server_session else opened.source
    return replace(opened, record=asked.record, source=source, said=said)


def reported(
    opened: Opened, governed: GovernedSession, environ: Mapping[str, str], log: Callable[[str], None]
) -> Reporter | None:
    """Begin to report it to its server, where there is one. Raises `NotOpenedError` when that does not let it go on."""
    reporter = reporter_for(opened.record, governed, opened.folder, environ, log=log)
    if reporter is not None and (verdict := reporter.begin()).outcome is Outcome.STOP:
        reporter.close(None)
        said = " ".join(refusal(verdict, governed.now()))
        raise NotOpenedError(f"The agent was not started: the server does not let the session go on. {said}".strip())
    return reporter


def _earlier(wanted: Wanted, invocation: Invocation | None, place: Place) -> tuple[SessionFolder, str] | None:
    try:
        if wanted.session:
            return find(place.root, wanted.session), "as it began"
        if place.environ.get("TABSTOP_SESSION"):
            return find(place.root, place.environ["TABSTOP_SESSION"]), "from the gate"
    except NoSessionError as error:
        raise NotOpenedError(f"The agent was not started: {error}. `tabstop sessions` lists them.") from error
    if place.environ.get("RUNNER_TEMP"):
        for folder in everything(place.root):
            if _is_a_gates(folder):
                return folder, "from the gate"
    if invocation is not None and invocation.resumed and invocation.session:
        for name in (name_of(invocation.agent, invocation.session), invocation.session):
            try:
                return find(place.root, name), "as it began"
            except NoSessionError:
                continue
    return None


def _is_a_gates(folder: SessionFolder) -> bool:
    try:
        record = folder.record()
        return bool(record.server_session) and ends_elsewhere(record)
    except NoSessionError:
        return False


def _begin(wanted: Wanted, program: str, invocation: Invocation | None, usage_name: str, place: Place) -> Opened:
    bound = policy_of(Path(place.cwd))
    usual = bound.policy.session
    limits = Limits(usual.tokens, usual.tool_calls, usual.iterations, usual.wall_clock_seconds, usual.cost)
    limits = replace(limits, **wanted.limits)
    agent = invocation.agent if invocation else ""
    session = invocation.session if invocation else ""
    short = _SHORT.get(agent, agent) or "run"
    name = name_of(agent, session) if session else f"{short}-{place.random[:4].hex()}"
    ci = place.environ.get("CI", "").lower() in {"1", "true"}
    record = Record(
        id=name,
        began_at=place.now,
        start=StartRequest(agent=usage_name or _plain(program)),
        settings=settings_of(bound.policy.rules, limits, name, ci=ci, can_summarize=False),
        cwd=place.cwd,
        hmac_key=place.random.hex(),
        agent_session=session,
    )
    source = "from options" if len(wanted.limits) == len(fields(Limits)) else f"from {bound.source}"
    if wanted.limits and source != "from options":
        source = f"from options, the rest from {bound.source}"
    return Opened(create(place.root, record), record, source, bound.said, is_new=True)


def _plain(program: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", PurePath(program).name)[:60] or "unknown"

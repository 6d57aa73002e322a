"""Which session a run belongs to and what bounds it: the options, else what the gate left, else the policy, else the defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path, PurePath

from tabstop.agents.command_line import Invocation
from tabstop.beside.exit_codes import ExitCode
from tabstop.beside.hook_records import name_of, policy_of
from tabstop.beside.session_folder import NoSessionError, Record, SessionFolder, create, everything, find
from tabstop.governor.settings import settings_of
from tabstop.session import Limits
from tabstop.wire import StartRequest

_SHORT = {"claude-code": "claude"}


class NotOpenedError(Exception):
    """The agent is not started; the text says why and what to do. code: what the command ends with."""

    def __init__(self, said: str, code: ExitCode = ExitCode.REFUSED) -> None:
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
        limits = _tightened(record.settings.limits, wanted.limits)
        record = replace(record, settings=replace(record.settings, limits=limits))
        source += ", tightened by options"
    return Opened(folder, record, source)


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
            if _admitted(folder):
                return folder, "from the gate"
    if invocation is not None and invocation.resumed and invocation.session:
        for name in (name_of(invocation.agent, invocation.session), invocation.session):
            try:
                return find(place.root, name), "as it began"
            except NoSessionError:
                continue
    return None


def _admitted(folder: SessionFolder) -> bool:
    try:
        return bool(folder.record().server_session)
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
    source = "from options" if len(wanted.limits) == len(fields(Limits)) else "from the policy or its defaults"
    if wanted.limits and source != "from options":
        source = "from options, the rest from the policy or its defaults"
    return Opened(create(place.root, record), record, source, bound.said, is_new=True)


def _tightened(limits: Limits, given: Mapping[str, int | None]) -> Limits:
    """What the gate admitted is never widened here."""

    def tighter(name: str, option: int | None) -> int | None:
        admitted: int | None = getattr(limits, name)
        return min((one for one in (admitted, option) if one is not None), default=None)

    return replace(limits, **{name: tighter(name, option) for name, option in given.items()})


def _plain(program: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", PurePath(program).name)[:60] or "unknown"

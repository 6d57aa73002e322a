"""Governed: what settle learns of the governor of its session, how the session ended by its word, and undoing what the gate set up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from action.govern import HOOKS
from action.session_file import Kept, Session
from action.traces import Traces
from action.world import World
from tabstop.beside.hook_installation import NotInstalledError, Place, uninstall
from tabstop.beside.journal import read_entry
from tabstop.beside.report_queue import calls_of
from tabstop.beside.session_folder import SessionFolder, sessions_root
from tabstop.governor.facts import Answer
from tabstop.governor.machine import govern
from tabstop.governor.orders import Event, EventKind
from tabstop.governor.state import State, Stopped
from tabstop.quantity import plural
from tabstop.session import SessionOutcome
from tabstop.usage import Usage
from tabstop.wire_json import WireError, from_json

MOST_TOLD = 5
"""Findings on the job's page."""

_TOLD = frozenset({EventKind.ALERT, EventKind.TRIP})
_ENDS = frozenset({EventKind.STOP, EventKind.SUSPEND})


@dataclass(frozen=True, slots=True)
class Governed:
    """A session as its governor saw it. answers: model answers it counted. heard: whether any hook asked.

    usages: those answers. token: the session's, which the server may have renewed. events: what it logged, oldest first.
    """

    heard: bool = False
    answers: int = 0
    usages: tuple[Usage, ...] = ()
    stopped: Stopped | None = None
    token: str = ""
    events: tuple[Event, ...] = ()

    @property
    def sentence(self) -> str:
        """What it did, for people."""
        if not self.heard:
            return "hooks were installed and none of them ran, so only flags bound it (enforcement: none)"
        said = f"{'watched' if self.stopped is None else 'stopped it after'} {plural(self.answers, 'model call')}"
        alerts = sum(event.kind is EventKind.ALERT for event in self.noticed)
        steps = ", ".join(self.steps)
        parts = [said, plural(alerts, "alert") if alerts else "", f"went on with less: {steps}" if steps else ""]
        return "; ".join(part for part in parts if part)

    @property
    def why(self) -> str:
        """Why it was stopped, in the words it was stopped with; the server may have repeated it in others."""
        ends = [event.finding for event in self.events if event.kind in _ENDS and event.finding]
        finding = ends[-1] if ends else self.stopped.finding if self.stopped else None
        return finding.sentence if finding else ""

    @property
    def steps(self) -> list[str]:
        """The steps of degradation it took: not those that hooks could not take, nor those that came with the stop."""
        ends = {event.at for event in self.events if event.kind in _ENDS}
        cannot = {event.finding.scope for event in self.events if _not_applied(event) and event.finding}
        due = [event for event in self.events if event.kind is EventKind.DEGRADE and event.at not in ends]
        return [event.finding.scope for event in due if event.finding and event.finding.scope not in cannot]

    @property
    def noticed(self) -> tuple[Event, ...]:
        """Its alerts and trips; not what an attach point could not do."""
        return tuple(
            event for event in self.events if event.kind in _TOLD and event.finding and not _not_applied(event)
        )


def end_governing(world: World, session: Session) -> Governed | None:
    """Have the governor let go of the session, and read what was left of it; None where nobody was to govern it and nobody did."""
    if not session.governed:
        return None
    world.end_session(world.environ, session.governed)
    folder = SessionFolder(sessions_root(world.environ) / session.governed)
    try:
        governed = _read(folder)
    except Exception:  # noqa: BLE001 - the agent may have touched the files, and the report counts more
        governed = Governed()
    return governed if governed.heard or session.hooked else None


def as_governed(traces: Traces, governed: Governed | None) -> Traces:
    """With what only the governor knows: how it ended, and what it used, where there are no logs to read.

    An agent that says it finished did so, even when its last answer reached a limit. Those that say nothing of their end
    leave only their step's outcome, which a stop by hooks makes a success.
    """
    if governed is None:
        return traces
    done = governed.stopped is not None and _may_be_its_doing(traces)
    if not traces.readable and governed.usages:
        traces = replace(traces, usages=governed.usages, skipped={}, readable=True)
    if governed.stopped is None or not done:
        return traces
    return replace(traces, outcome=governed.stopped.ends_as, detail=(governed.why or "the governor stopped it")[:500])


def remove_hooks(session: Session, others: list[Kept]) -> str:
    """Take out the hooks that this job's gates put in, when its last governed session is settled; why not, empty for done."""
    gates = [session, *(kept.session for kept in others)]
    if any(one.governed and one.settled_at is None for one in gates[1:]):
        return ""
    for path, agent in {(one.hooks, HOOKS.get(one.start.agent, "")) for one in gates if one.hooks}:
        try:
            uninstall(Place(agent, Path(path)))
        except NotInstalledError as error:
            return f"hooks stay in {path}: {error}"
    return ""


def _not_applied(event: Event) -> bool:
    return event.finding is not None and event.finding.cause == "not applied"


def _may_be_its_doing(traces: Traces) -> bool:
    if traces.outcome in {SessionOutcome.STOPPED_HOOK, SessionOutcome.FAILED}:
        return True
    return traces.outcome is SessionOutcome.FINISHED and traces.told_by_step


def _read(folder: SessionFolder) -> Governed:
    record = folder.record()
    entries = [entry for line in _lines(folder.journal) if (entry := read_entry(line)) is not None]
    state = State()
    for entry in entries:
        state = govern(state, entry.fact, record.settings).state
    answers = sum(isinstance(entry.fact, Answer) and not entry.fact.more for entry in entries)
    usages = tuple(
        Usage(
            call.keys,
            call.model,
            call.tokens,
            call.occurred_at,
            "",
            call.thread,
            cache_split_known=call.cache_split_known,
        )
        for call in calls_of(entries)
    )
    events = tuple(_events(folder.events))
    return Governed(bool(entries), answers, usages, state.stopped, record.token, events)


def _events(path: Path) -> Iterator[Event]:
    for line in _lines(path):
        try:
            yield from_json(Event, json.loads(line))
        except (ValueError, RecursionError, WireError):
            continue


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError:
        return []

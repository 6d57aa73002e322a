"""The desk where hooks are answered: finds the session a payload is about, tells it, and says what the hook shall print.

Used by the resident governor for any session of this user, and by the wrapper for the one it runs.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tabstop.agents.dialect import Spoken, dialect_of
from tabstop.beside.admission import ends_elsewhere
from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.hook_gate import ASKED, NOTHING_SAID, PROMPTS, HookGate, QuestionOf
from tabstop.beside.hook_payload import payload_of
from tabstop.beside.hook_records import name_of, new_record, pricer_of
from tabstop.beside.hook_socket import HookAnswer, Log, NobodyError, is_private, relay
from tabstop.beside.hooked_session import HookedSession
from tabstop.beside.journal import Journal, JournalBusyError, read_entry
from tabstop.beside.session_environ import leave_server, leaves_its_server, told_environ
from tabstop.beside.session_folder import NoSessionError, Record, SessionFolder, create, find
from tabstop.beside.standing_orders import StandingOrders
from tabstop.beside.watched_session import ReportsOf, Watched
from tabstop.governor.orders import Event, Order
from tabstop.session import SessionOutcome
from tabstop.wire_json import to_json

_CLOSING_SECONDS, _CLOSING_SECONDS_OF_A_PROMPT = 5.0, 1.5
"""How long a session that is taken up again waits until its last end is told; its hook waits 8 s in all, a prompt's for an answer too."""


class _HeldElsewhereError(LookupError):
    """Another process watches this session."""

    def __init__(self, folder: SessionFolder) -> None:
        super().__init__(f"{folder.path.name} is watched by another process")
        self.folder = folder


class HookDesk:
    """Answers hooks. Any number of threads may ask."""

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        now: Callable[[], datetime],
        log: Log,
        socket: Path,
        reports_of: ReportsOf = lambda _record, _session, _folder: None,
        question_of: QuestionOf = lambda _record, _payload: None,
    ) -> None:
        """root: where session folders lie. socket: where this process listens; each session's own path leads there."""
        self._root = root
        self._environ = environ
        self._now = now
        self._log = log
        self._socket = socket
        self._reports_of = reports_of
        self._question_of = question_of
        self._closing: dict[str, threading.Thread] = {}
        self._leaving: set[str] = set()
        self._standing = StandingOrders(root.parent / "hooks")
        self._watched: dict[str, Watched] = {}
        self._lock = threading.Lock()

    def watch(self, folder: SessionFolder, record: Record, governed: GovernedSession) -> None:
        """Answer hooks for a session that this process governs already, whatever client sessions it has."""
        with self._lock:
            self._watched[folder.path.name] = Watched(folder, record, governed)

    def hook(self, words: tuple[str, ...], body: bytes) -> bytes | Iterator[bytes]:
        """`hook AGENT EVENT SESSION`, with the payload; of a session that another process watches, that one's answer as it comes.

        What goes wrong is raised: the hook then gets no answer, and sees to it that this does not go on for ever.
        """
        try:
            return self._hear(words, body, self._now(), live=True).encode()
        except _HeldElsewhereError as held:
            return self._hand_on(held.folder, words, body)

    def fact(self, words: tuple[str, ...], body: bytes) -> bytes:
        """`fact SESSION`, with a line as of a journal: a person's raise or release. Answers with the order, as JSON."""
        (name,) = words
        entry = read_entry(body)
        if entry is None:
            raise ValueError("no fact")
        self._wait_for_closing(name)
        with self._lock:
            watched = self._watched.get(name) or self._take_up(find(self._root, name))
        order = watched.governed.tell(entry.fact)
        for (agent, session), heard in list(watched.heard.items()):
            self._stand(agent, session, heard, order)
        return json.dumps(to_json(order)).encode()

    def tick(self) -> None:
        """Let time pass for every session that runs."""
        with self._lock:
            running = [one for one in self._watched.values() if one.governed.state.totals.running_since is not None]
        for one in running:
            one.gauges.look()
            order = one.governed.order()
            for (agent, session), heard in list(one.heard.items()):
                self._stand(agent, session, heard, order)

    def take_in_waiting(self, folder: Path) -> None:
        """Take in what hooks kept while nobody was there, oldest first, each at the time it was kept.

        Of a session that another process watches, it is handed to that one, or stays until somebody takes it.
        """
        try:
            names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        except OSError:
            return
        unheard: set[str] = set()
        for name in names:
            path = folder / name
            try:
                at = datetime.fromtimestamp(int(name.partition("-")[0]) / 1e9, UTC)
                line, _, body = path.read_bytes().partition(b"\n")
                _, *words, _ = line.decode("ascii").split(" ")
                self._hear(tuple(words), body, at)
            except _HeldElsewhereError as held:
                session = held.folder.path.name
                if session in unheard or not self._handed_on(held.folder, tuple(words), body):
                    unheard.add(session)
                    continue
            except (OSError, ValueError, OverflowError, LookupError) as error:
                self._log(f"{path} is left out: {error}")
            with suppress(OSError):
                path.unlink()

    def let_go(self, name: str) -> int:
        """Let go of one session, when its last report is told; how many are left."""
        with self._lock:
            gone = self._watched.pop(name, None)
            left = len(self._watched)
        if gone is not None:
            self._close(gone, None)
        return left

    def close(self) -> None:
        """Let go of all sessions."""
        for name in list(self._watched):
            self.let_go(name)
        for thread in list(self._closing.values()):
            thread.join()

    def _hear(self, words: tuple[str, ...], body: bytes, at: datetime, *, live: bool = False) -> HookAnswer:
        """live: the agent waits for the answer; what was kept asks for nothing any more."""
        agent, event, given = words
        payload = payload_of(body)
        patience = _CLOSING_SECONDS_OF_A_PROMPT if event in PROMPTS else _CLOSING_SECONDS
        watched, hooked = self._session(agent, payload, given, at, patience)
        said = NOTHING_SAID
        if live and given == "-":
            starts = event == "SessionStart" and payload.get("source") != "compact"
            said = watched.gate.at(
                event, watched.record, lambda record: self._question_of(record, payload), starts=starts
            )
        if said.refusal is not None:
            self._log(f"a prompt of {watched.record.id} was refused: {said.refusal.sentence}")
            return HookAnswer(hooked.refuse(event, payload, said.refusal).text)
        note = said.note
        if said.admitted is not None:
            before = hooked.governed.settings.limits
            self._admit(watched, said.admitted, said.since)
            watched, hooked = self._session(agent, payload, given, at)
            if hooked.governed.settings.limits != before:
                note = f"{hooked.greeting()} {note}".strip()
        if event in PROMPTS:
            watched.gauges.look()  # a full window suspends the first one already
        spoken, order = watched.hear(hooked, event, payload, at)
        if note:
            spoken = _saying(spoken, note)
        session = str(payload["session_id"])
        self._stand(agent, session, hooked, order)
        if event == "SessionStart" and watched.said and spoken.body is not None:
            spoken = _saying(spoken, watched.said)
        if event == "SessionStart" and watched.gate.asks:
            spoken = _saying(spoken, ASKED)
        watched.gauges.look()
        if event == "SessionEnd":
            self._ended(watched, (agent, session), given)
        return HookAnswer(spoken.text, spoken.wait)

    def _admit(self, watched: Watched, record: Record, since: datetime | None) -> None:
        """Take it up anew, under what its server said; of two prompts that waited for its word, the first does."""
        name = watched.folder.path.name
        with self._lock:
            if self._watched.get(name) is not watched:
                return
            watched.folder.write_record(record)
            if watched.reports is None and since is not None:
                watched.folder.note_unreported(since)
            self._close_later(name, None)
        self._wait_for_closing(name)
        with self._lock:
            after = self._watched.get(name) or self._take_up(watched.folder)
            after.gate, after.said = watched.gate, watched.said

    def _hand_on(self, folder: SessionFolder, words: tuple[str, ...], body: bytes) -> Iterator[bytes]:
        """Ask whoever watches it. Raises `NobodyError` where that cannot be told."""
        agent, event, _ = words
        path = folder.watcher
        if path.resolve() == self._socket.resolve() or not is_private(path.parent):
            raise NobodyError(f"another process watches {folder.path.name}, and does not say where it listens")
        return relay(path, "hook", (agent, event, folder.path.name), body)

    def _handed_on(self, folder: SessionFolder, words: tuple[str, ...], body: bytes) -> bool:
        try:
            return bool(b"".join(self._hand_on(folder, words, body)).strip())
        except NobodyError as error:
            self._log(f"what hooks of {folder.path.name} kept has to wait: {error}")
            return False

    def _session(
        self, agent: str, payload: Mapping[str, Any], given: str, at: datetime, patience: float = _CLOSING_SECONDS
    ) -> tuple[Watched, HookedSession]:
        """The session this payload is about, taken up or begun where nobody watches it. Raises `_HeldElsewhereError`.

        patience: seconds that it may take until its last report is told.
        """
        dialect = dialect_of(agent)
        first = dialect.read("", payload, at, b"")
        if not first.session:
            raise ValueError("the payload names no session")
        own = name_of(agent, first.session)
        if given == "-":
            self._leave_its_server(own, payload)
        self._wait_for_closing(own if given == "-" else given, patience)
        with self._lock:
            watched = self._watched_by(agent, first.session, first.cwd, given, at)
            hooked = watched.heard.get((agent, first.session))
            if hooked is None:
                key, since = bytes.fromhex(watched.record.hmac_key), watched.record.began_at
                hooked = HookedSession(watched.governed, dialect, key, since, self._teller(watched), time.sleep)
                watched.heard[agent, first.session] = hooked
            return watched, hooked

    def _leave_its_server(self, name: str, payload: Mapping[str, Any]) -> None:
        """One that goes on where another server counts, or none, ends at its old one, which hears nothing more of it.

        It has left when it is taken up the next time: the old one's last report may take a while.
        """
        with self._lock:
            watched = self._watched.get(name)
            try:
                record = watched.record if watched else SessionFolder(self._root / name).record()
            except NoSessionError:
                return
            if leaves_its_server(record, told_environ(payload) or {}):
                self._leaving.add(name)
                if watched is not None:
                    watched.gate.close()
                    self._close_later(name, SessionOutcome.FINISHED)

    def _watched_by(self, agent: str, session: str, cwd: str, given: str, at: datetime) -> Watched:
        name = name_of(agent, session) if given == "-" else given
        if name in self._watched:
            return self._watched[name]
        if given != "-":
            try:
                return self._take_up(find(self._root, given))
            except NoSessionError as error:
                name = name_of(agent, session)
                if name in self._watched:
                    return self._watched[name]
                self._log(f"{error}; the policy of {cwd or 'nowhere'} holds instead")
        folder = SessionFolder(self._root / name)
        said = ""
        try:
            folder.record()
        except NoSessionError:
            record, said = new_record(agent, dialect_of(agent).agent, session, cwd, at, self._environ)
            folder = create(self._root, record)
        watched = self._take_up(folder)
        if said:
            self._log(said)
            watched.said = said
        return watched

    def _take_up(self, folder: SessionFolder) -> Watched:
        name = folder.path.name
        record = folder.record()
        try:
            journal = Journal(folder.journal)
        except JournalBusyError as error:
            raise _HeldElsewhereError(folder) from error
        if name in self._leaving:
            record = leave_server(folder, record)
            self._leaving.discard(name)
        settings = replace(record.settings, can_summarize=False)
        with suppress(OSError):
            record = folder.govern_by(record, settings)
        log = self._logger(folder)
        governed = GovernedSession(
            settings,
            pricer_of(record, self._now()),
            self._now,
            journal=journal,
            on_event=lambda event, _order: log(event),
        )
        reports = self._reports_of(record, governed, folder)
        if reports is not None:
            reports.begin(wait=False)
        gate = HookGate(begun=governed.state.totals.running_since is not None)
        watched = self._watched[name] = Watched(folder, record, governed, journal, reports, gate=gate)
        with suppress(OSError):
            folder.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.socket.unlink(missing_ok=True)
            folder.socket.symlink_to(self._socket)
        with suppress(OSError):
            folder.keep_watcher(self._socket)
        return watched

    def _teller(self, watched: Watched) -> Callable[[Event], None]:
        """For what the hooks themselves have to report."""
        log = self._logger(watched.folder)

        def tell(event: Event) -> None:
            log(event)
            if watched.reports is not None:
                watched.reports.on_event(event)

        return tell

    def _logger(self, folder: SessionFolder) -> Callable[[Event], None]:
        def log(event: Event) -> None:
            with suppress(OSError), folder.events.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(to_json(event)) + "\n")

        return log

    def _stand(self, agent: str, session: str, hooked: HookedSession, order: Order) -> None:
        """Leave on disk what its hooks shall say while nobody can be asked: only a stop of the whole session stands."""
        stopped = hooked.governed.state.stopped is not None
        try:
            self._standing.put(agent, session, hooked.dialect.standing(order) if stopped else {})
        except OSError as error:
            self._log(f"the standing order of {session} cannot be written: {error}")

    def _ended(self, watched: Watched, which: tuple[str, str], given: str) -> None:
        """A session that the hook was given goes on between its client's sessions: whoever gave it says when it is over.

        Of any other that is reported the end is told from here, in the background: the agent does not wait for it.
        """
        with self._lock:
            watched.heard.pop(which, None)
            watched.gate.close()
            if watched.heard or watched.journal is None:
                return
            name = watched.folder.path.name
            if watched.reports is None:
                self._let_go(name)
            elif given == "-" and not ends_elsewhere(watched.record):
                stopped = watched.governed.state.stopped
                outcome = stopped.ends_as if stopped else SessionOutcome.FINISHED
                self._close_later(name, outcome)

    def _close_later(self, name: str, outcome: SessionOutcome | None) -> None:
        gone = self._watched.pop(name)
        self._closing[name] = threading.Thread(target=self._close, args=(gone, outcome), name="tabstop-end")
        self._closing[name].start()

    def _wait_for_closing(self, name: str, seconds: float = _CLOSING_SECONDS) -> None:
        """Never under the lock: hooks of all other sessions would wait too."""
        closing = self._closing.get(name)
        if closing is not None:
            closing.join(seconds)
            if not closing.is_alive() and self._closing.get(name) is closing:
                del self._closing[name]

    def _let_go(self, name: str) -> None:
        self._close(self._watched.pop(name), None)

    def _close(self, watched: Watched, outcome: SessionOutcome | None) -> None:
        """outcome: how it ended; None where it may go on."""
        if watched.reports is not None:
            watched.reports.close(outcome)
        if watched.journal is not None:
            watched.journal.close()
            with suppress(OSError):
                watched.folder.socket.unlink()


def _saying(spoken: Spoken, more: str) -> Spoken:
    """With something more for people."""
    body = spoken.body or {}
    return replace(spoken, body={**body, "systemMessage": f"{body.get('systemMessage', '')} {more}".strip()})

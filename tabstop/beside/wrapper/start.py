"""`tabstop run`, from a command line to an exit code: the session opened, what stands beside the agent set up, the end told."""

from __future__ import annotations

import json
import os
import queue
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from shutil import which
from uuid import uuid4

from tabstop.agents.command_line import PROGRAMS, CommandLine, Invocation, command_line_of
from tabstop.beside.admission import ends_elsewhere
from tabstop.beside.control import who
from tabstop.beside.exit_codes import NOT_FOUND, ExitCode, code_where_missing
from tabstop.beside.gauge_watch import GaugeWatch
from tabstop.beside.hook_records import pricer_of
from tabstop.beside.journal import Journal, JournalBusyError
from tabstop.beside.proxy.attached import ProxyAttachment
from tabstop.beside.session_folder import Record, SessionFolder, sessions_root
from tabstop.beside.working_tree import TreeWatch
from tabstop.beside.wrapper import words
from tabstop.beside.wrapper.conclusion import Conclusion, conclude
from tabstop.beside.wrapper.course import Manner
from tabstop.beside.wrapper.hooks import HookPost, are_installed, settings_with_hooks
from tabstop.beside.wrapper.last_answer import PROMPT, Said, keep, last_answer, why_none
from tabstop.beside.wrapper.opening import NotOpenedError, Opened, Place, Wanted, admitted, open_session, reported
from tabstop.beside.wrapper.release import Release, somebody_there
from tabstop.beside.wrapper.run import Command, Look, Run
from tabstop.beside.wrapper.session import SummingUpSession
from tabstop.beside.wrapper.tee import Growth, Tee, can_be_teed
from tabstop.beside.wrapper.watching import Watching
from tabstop.governor.facts import Tick
from tabstop.governor.limits import answer_at, limits_in_force
from tabstop.governor.orders import Act, Event, Order, worth_saying
from tabstop.governor.settings import OnLimit
from tabstop.wire_json import to_json

_SILENCES = 3
"""Times the policy's `silence` after which an agent that works by itself is ended; after one, people are told."""


@dataclass(frozen=True, slots=True)
class Options:
    """What people chose. agent: whose command it is, where its name does not tell. silence: seconds; 0 for never, None for
    three times what the policy calls silent. proxy: have its model calls go through the metering proxy.
    """

    wanted: Wanted = field(default_factory=Wanted)
    agent: str = ""
    hooks: bool = True
    grace: int = 10
    silence: int | None = None
    proxy: bool = False


def run_agent(argv: Sequence[str], options: Options, environ: Mapping[str, str], now: Callable[[], datetime]) -> int:
    """Run it. Returns the exit code; raises `NotOpenedError` where the agent was not started.

    Raises `OSError` where what bounds it cannot be kept, as on a full disk; an agent that had begun is ended.
    """
    if which(argv[0], path=environ.get("PATH")) is None:
        code = code_where_missing(argv[0], environ.get("PATH"))
        why = (
            "was not found" if code == NOT_FOUND else "is there, but is a folder or not marked as a program (chmod +x)"
        )
        raise NotOpenedError(f"{argv[0]} {why}. Nothing was started.", code)
    line = command_line_of(PROGRAMS.get(options.agent, argv[0]))
    terminal = os.isatty(1)
    invocation = line.read(argv, new_session=str(uuid4()), terminal=terminal) if line else None
    if line is not None and invocation is None and line.harmless(argv):
        os.execvpe(argv[0], list(argv), dict(environ))  # noqa: S606 - `claude mcp list`: no session, nothing to watch
    program = argv[0]
    if invocation is None:
        # `codex app-server`: it asks models, in a way that its log does not tell.
        program, line = " ".join(argv[:2]) if line else argv[0], None
    if invocation is not None and (why := _uncountable(invocation, proxy=options.proxy)):
        raise NotOpenedError(f"The agent was not started: {why}", ExitCode.UNBOUNDED)
    root = sessions_root(environ)
    place = Place(root, str(Path.cwd()), environ, now(), os.urandom(32))
    opened = open_session(options.wanted, program, invocation, line.usage_name if line else "", place)
    return _Session(opened, argv, program, line, invocation, options, environ, now).run()


def _uncountable(invocation: Invocation, *, proxy: bool) -> str:
    """Why nothing of what it uses could be counted, and what to do; empty when it can be."""
    if invocation.leaves:
        return f"{invocation.leaves}, so nothing it uses could be counted. Leave that option away."
    if invocation.blind and not proxy:
        return f"{invocation.blind}, so nothing it uses could be counted. Leave that option away, or add --proxy."
    return ""


class _Session:
    def __init__(
        self,
        opened: Opened,
        argv: Sequence[str],
        program: str,
        line: CommandLine | None,
        invocation: Invocation | None,
        options: Options,
        environ: Mapping[str, str],
        now: Callable[[], datetime],
    ) -> None:
        self.opened = opened
        self.argv = invocation.argv if invocation else tuple(argv)
        self.program = program
        self.line = line
        self.invocation = invocation
        self.options = options
        self.environ = environ
        self.now = now
        self.proxy = ProxyAttachment.beside(argv, environ) if options.proxy else None
        interactive = invocation is not None and not invocation.headless
        github = environ.get("GITHUB_ACTIONS") == "true"
        ci = github or bool(environ.get("CI"))
        live = os.isatty(2) and not interactive and not ci and environ.get("TERM", "dumb") != "dumb"
        self.look = Look(who(environ), interactive, live, ci, counted=options.proxy or invocation is not None)
        self.voice = words.Voice(2, github=github)
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def run(self) -> int:
        """The whole of it."""
        folder, record = self.opened.folder, self.opened.record
        with ExitStack() as stack:
            try:
                journal = stack.enter_context(Journal(folder.journal))
            except JournalBusyError as error:
                raise NotOpenedError(
                    f"The agent was not started: another process watches session {record.id}. Let that agent end first; "
                    "hooks that were cut off let go of it after 15 minutes."
                ) from error
            self.opened = admitted(self.opened, self.options.wanted, self.environ, self.now())
            record = self.opened.record
            governed = self._govern(folder, record, journal)
            record = self.opened.record
            self.gauges = GaugeWatch(folder, governed)
            self.gauges.look()
            self._refuse_if_stopped(governed)
            reporter = reported(self.opened, governed, self.environ, self._log)
            asks = not self.environ.get("CI") and somebody_there()
            self.release = Release(governed, self.look.by, asks=asks)
            # Whatever the program is, and whether its hooks are wanted: an agent in it may have some, and asks who watches this session.
            self.post = stack.enter_context(self._post(folder, record, governed))
            self.post.muted = self.options.proxy and (
                self.line is None or self.line.hooks_tell_usage
            )  # the proxy tells it
            self._say_beginning(governed)
            began = self.now()
            conclusion, watching = self._agent(governed)
            self._keep_record(watching.session)
            self._say_end(governed, conclusion, watching)
            if self.release.ask_at_the_end(self.now()):
                self._say_released(watching.session)
            self._keep_run(began, conclusion)
            if reporter is not None:
                # A gate's settle step tells the end, with what it reads of the agent's own account.
                reporter.close(None if ends_elsewhere(record) else conclusion.outcome)
        return conclusion.code

    def _govern(self, folder: SessionFolder, record: Record, journal: Journal) -> SummingUpSession:
        summarizes = not self._no_last_answer()
        ci = bool(self.environ.get("CI"))
        settings = replace(record.settings, session=record.id, ci=ci, can_summarize=summarizes)
        self.opened = replace(self.opened, record=folder.govern_by(record, settings))

        def on_event(event: Event, order: Order) -> None:
            with suppress(OSError), folder.events.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(to_json(event)) + "\n")
            if worth_saying(event, order):
                self.events.put(event)

        pricer = pricer_of(record, self.now())
        return SummingUpSession(settings, pricer, self.now, journal=journal, on_event=on_event)

    def _no_last_answer(self) -> str:
        """Why the session's last answer cannot be made; empty when it can."""
        return "" if self.options.proxy else why_none(self.program, self.line, self.environ)

    def _refuse_if_stopped(self, governed: SummingUpSession) -> None:
        order = governed.order()
        if order.act.ends_turn:
            finding = next(iter(order.findings), None)
            said = f"{finding.sentence} {finding.remedy}".strip() if finding else "The session is stopped."
            if self.opened.is_new:
                name = self.opened.record.id
                said += f" This is session {name}: `tabstop run --session {name} -- …` starts it then."
            raise NotOpenedError(f"The agent was not started. {said}")

    def _post(self, folder: SessionFolder, record: Record, governed: SummingUpSession) -> HookPost:
        return HookPost(
            sessions_root(self.environ),
            self.environ,
            self.now,
            self._log,
            (folder, record, governed),
            # The proxy refuses calls at once, and makes the last answer itself: there hooks neither wait nor end the turn.
            None if self.options.proxy else self.release,
            ends_for_summary=not self.options.proxy,
            deaf=not self.options.hooks,
        )

    def _log(self, text: str) -> None:
        with suppress(OSError), (self.opened.folder.path / "wrapper.log").open("a", encoding="utf-8") as stream:
            stream.write(f"{self.now():%Y-%m-%dT%H:%M:%SZ} {text}\n")

    def _say_beginning(self, governed: SummingUpSession) -> None:
        totals = governed.state.totals
        limits, unread = limits_in_force(totals, governed.settings)
        for one in words.beginning(
            self.opened,
            self.program,
            self.invocation,
            limits,
            totals,
            proxy=self.options.proxy,
            hooks=self.options.hooks,
            unread=unread if totals.in_part else "",
        ):
            self.voice.say(one)
        if self.line is not None and not self.options.proxy and not self._hooks_come():
            self.voice.say(words.without_hooks(self.line, headless=not self.look.interactive))
        wanted = {answer_at(name, governed.settings) for name in ("cost", "tokens")}
        if OnLimit.SUMMARY in wanted and (why := self._no_last_answer()):
            self.voice.say(words.no_last_answer(why))

    def _hooks_come(self) -> bool:
        """Whether the agent's hooks will ask us: installed, or put in for this run."""
        if self.line is None or not self.options.hooks:
            return False
        return self._hooked() != self.argv or are_installed(self.line, self.environ, str(Path.cwd()))

    def _agent(self, governed: SummingUpSession) -> tuple[Conclusion, Watching]:
        """Run it, and have its last answer where one is due."""
        record, cwd = self.opened.record, str(Path.cwd())
        session = self.invocation.session if self.invocation else ""
        key = bytes.fromhex(record.hmac_key)
        log = self.line.log(self.environ, cwd, session, key) if self.line else None
        tee = Tee(1) if can_be_teed(1) else None
        watching = Watching(
            governed,
            self.now,
            record.began_at,
            command=self.line,
            log=log,
            post=self.post,
            tee=tee,
            growth=Growth(1),
            tree=TreeWatch(governed, cwd, key) if self.line else None,
            gauges=self.gauges,
            counts=self.proxy is None,
            interactive=self.look.interactive,
        )
        argv = self._hooked()
        command = Command(self.proxy.command(argv), (self.proxy,)) if self.proxy else Command(argv)
        run = Run(
            self.opened,
            command,
            governed,
            watching,
            self.events,
            self._manner(governed),
            self.look,
            self.voice,
            self.now,
            self.release,
        )
        if self.look.interactive:
            self.voice.wait()
        ended = run.go(self._environ(), tee.entrance if tee else 1, tee.begin if tee else lambda: None)
        if tee:
            tee.finish()
        self.voice.speak_up()
        if run.course.sent and (tee.mid_line if tee else os.isatty(2)):
            self.voice.write("\n")  # what was cut off may have left the cursor anywhere
        if governed.order().act is Act.WIND_DOWN and (run.course.sent or self.post.ended_turn):
            self._summarize(governed, watching)
        # Refused by the proxy, agents end with an error of their own.
        refused = self.post.ended_turn or (self.options.proxy and ended.code != 0)
        return conclude(run.course, ended, governed.state.stopped, refused=refused), watching

    def _hooked(self) -> tuple[str, ...]:
        """The command line with our hooks, unless they are installed: two would count everything twice."""
        if self.line is None or not self.options.hooks or are_installed(self.line, self.environ, str(Path.cwd())):
            return self.argv
        return self.line.with_hooks(
            self.argv, settings_with_hooks(self.line, self.opened.record.settings.exhaustion.ask_seconds)
        )

    def _environ(self) -> dict[str, str]:
        environ = {**self.environ, "TABSTOP_SESSION": self.opened.folder.path.name}
        environ.pop("TABSTOP_TOKEN", None)  # an approver's own could raise these very limits
        return {**environ, "TABSTOP_SOCKET": str(self.post.path)}

    def _manner(self, governed: SummingUpSession) -> Manner:
        silence = self.options.silence
        if silence is None:
            silence = _SILENCES * governed.settings.heartbeats.silence
        watched = silence and not self.look.interactive
        stays, proxy = self.look.interactive, self.options.proxy
        return Manner(self.options.grace, stays=stays, proxy=proxy, silence=silence if watched else None)

    def _summarize(self, governed: SummingUpSession, watching: Watching) -> None:
        """One last answer; its hooks have no say."""
        order = governed.order()
        how = None
        if self.line is not None and watching.session:
            how = self.line.last_answer(self.argv, watching.session, PROMPT, order.summary_tokens)
        if how is not None:
            self.voice.say("the session reached its limit; one last answer says what is done and what is left …")
            self.post.muted = True
            watching.look(alive=False)
            look = partial(watching.look, alive=False)
            folder, environ = self.opened.folder, self._environ()
            self._tell_summary(last_answer(how, watching.session, governed, folder, environ, look))
        until = governed.state.exhausted.summary_until
        if governed.state.stopped is None and until is not None:
            governed.tell(Tick(max(until, self.now())))  # its time is over, whatever came of it

    def _tell_summary(self, said: Said) -> None:
        path = self.opened.folder.path / "summary.md"
        if not said.text:
            self.voice.say(f"no last answer came: {said.why}")
            return
        keep(path, said.text)
        self.voice.write(f"{said.text}\n")
        if not said.bounded:
            self.voice.say("this answer did not come through the proxy, so its length was not bounded")
        self.voice.say(f"kept as {path}")

    def _keep_record(self, session: str) -> None:
        if session and session != self.opened.record.agent_session:
            record = replace(self.opened.folder.record(), agent_session=session)
            with suppress(OSError):  # a disk that is full by now: the agent has ended, and its exit code counts
                self.opened.folder.write_record(record)

    def _say_end(self, governed: SummingUpSession, conclusion: Conclusion, watching: Watching) -> None:
        resume = self.line.resume(watching.session) if self.line else ""
        stopped, totals = governed.state.stopped, governed.state.totals
        lines = words.ending(conclusion, stopped, self.opened.record.id, resume, self._manner(governed).silence or 0)
        if not (conclusion.ours and self.voice.annotate(f"Tabstop: {conclusion.outcome}", lines)):
            for one in lines:
                self.voice.say(one)
        self.voice.say(
            f"session {self.opened.record.id} used {words.used(totals, counted=self.look.counted or watching.hooks)}"
        )

    def _say_released(self, session: str) -> None:
        self.voice.say(words.released(self.opened.record.id, self.line.resume(session) if self.line else ""))

    def _keep_run(self, began: datetime, conclusion: Conclusion) -> None:
        row = {
            "began_at": began.isoformat(),
            "seconds": (self.now() - began) // timedelta(seconds=1),
            "outcome": conclusion.outcome.value,
            "code": int(conclusion.code),
            "ours": conclusion.ours,
        }
        with suppress(OSError), (self.opened.folder.path / "runs.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

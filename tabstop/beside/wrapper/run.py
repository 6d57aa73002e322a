"""A run: the agent started, watched, held, ended and accounted for. What to do next is decided in `course`; this does it."""

from __future__ import annotations

import os
import queue
import select
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from tabstop.beside.governed_session import GovernedSession
from tabstop.beside.session_folder import SessionFolder
from tabstop.beside.wrapper import words
from tabstop.beside.wrapper.child import Child, Ended, Halted
from tabstop.beside.wrapper.course import Course, Do, Manner, Seen, steer
from tabstop.beside.wrapper.display import Display
from tabstop.beside.wrapper.opening import Opened
from tabstop.beside.wrapper.processes import adopt_orphans, end_all, end_group, kill_all
from tabstop.beside.wrapper.question import Question
from tabstop.beside.wrapper.release import Release
from tabstop.beside.wrapper.status_line import StatusLine
from tabstop.beside.wrapper.terminal import terminal_of
from tabstop.beside.wrapper.watching import Watching
from tabstop.governor.facts import Paused, Replied, Resumed
from tabstop.governor.orders import Event, EventKind, Order, Step

LOOK_SECONDS = 0.05
"""Between two looks at the agent."""

Attachment = Callable[[GovernedSession, SessionFolder], AbstractContextManager[Mapping[str, str]]]
"""Something that stands beside the agent while it runs (the metering proxy): what it gives is added to the agent's environment."""

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_DISMISSING = frozenset({signal.SIGTERM, signal.SIGHUP})


@dataclass(frozen=True, slots=True)
class Command:
    """What is run. argv: as it is started, hooks put in. attachments: what stands beside it."""

    argv: tuple[str, ...]
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """How the run shows itself. by: who sits here. interactive: somebody types to the agent, and it has the screen.

    live: a status line may be drawn. plain: lines of progress instead. counted: whether its usage can be seen at all.
    """

    by: str
    interactive: bool
    live: bool
    plain: bool
    counted: bool


class Run:
    """One run. `go` returns the exit code."""

    def __init__(
        self,
        opened: Opened,
        command: Command,
        governed: GovernedSession,
        watching: Watching,
        events: queue.SimpleQueue[Event],
        manner: Manner,
        look: Look,
        voice: words.Voice,
        now: Callable[[], datetime],
        release: Release,
    ) -> None:
        """events: what the governor tells, from whatever thread."""
        self._release = release
        self._opened = opened
        self._command = command
        self._governed = governed
        self._watching = watching
        self._events = events
        self._manner = manner
        self._look = look
        self._voice = voice
        self._now = now
        self.course = Course()
        self._signals: deque[int] = deque()
        self._dismissed = False
        self._question: Question | None = None
        self._reported: set[Step] = set()
        self._display = Display(governed, voice, StatusLine(2) if look.live else None, plain=look.plain)

    def go(self, environ: Mapping[str, str], stdout: int, started: Callable[[], None]) -> Ended:
        """Run the agent to its end. started: called once it has its own copy of `stdout`."""
        adopt_orphans()
        with ExitStack() as stack:
            for attachment in self._command.attachments:
                environ = {**environ, **stack.enter_context(attachment(self._governed, self._opened.folder))}
            wake = stack.enter_context(_Wake(self._signals))
            self._terminal = terminal_of()
            if self._terminal is not None:
                stack.callback(self._terminal.leave)
            self._governed.tell(Resumed(self._now()))
            given = self._terminal.descriptor if self._terminal else -1
            self._child = Child(self._command.argv, environ, stdout=stdout, terminal=given)
            stack.callback(self._clean_up)
            started()
            ended = self._until_it_ends(wake)
            self._watching.end()
        self._governed.tell(Paused(self._now()))
        self._say_events()
        return ended

    def _until_it_ends(self, wake: _Wake) -> Ended:
        while True:
            wake.wait(LOOK_SECONDS)
            self._forward()
            news = self._child.poll()
            if isinstance(news, Ended):
                self._take_last_word()
                return news
            if isinstance(news, Halted) and not self.course.held:
                self._put_in_background()
            self._watching.look(alive=self._look.interactive)
            self._answer()
            self._steer(self._watching.slower(self._governed.order()))
            self._say_events()
            if not self.course.asking:
                self._display.look(counted=self._look.counted or self._watching.hooks)

    def _steer(self, order: Order) -> None:
        seen = Seen(
            self._now(),
            order,
            hooks=self._watching.hooks,
            ends_turns=self._watching.hooks_end_turns,
            answers=self._governed.state.totals.iterations,
            quiet=self._watching.quiet,
            dismissed=self._dismissed,
            release=self._release.due is not None,
        )
        self.course, does = steer(self.course, seen, self._manner)
        for do in does:
            self._do(do, order)
        if order.steps and self._look.counted and not seen.hooks and self.course.ending is None:
            self._report_unapplied(order)

    def _do(self, do: Do, order: Order) -> None:
        match do:
            case Do.INTERRUPT:
                self._child.signal(signal.SIGINT)
            case Do.TERMINATE:
                self._child.signal(signal.SIGTERM)
            case Do.KILL:
                self._child.signal(signal.SIGKILL)
                kill_all()
            case Do.HOLD:
                self._child.signal(signal.SIGSTOP)
                self._governed.tell(Paused(self._now()))
                if order.seconds:
                    self._voice.say(words.waits(order.seconds))
            case Do.GO_ON:
                self._withdraw()
                if self._terminal is not None:
                    self._terminal.give(self._child.pid)
                self._child.signal(signal.SIGCONT)
                self._watching.begin_again()
                self._governed.tell(Resumed(self._now()))
            case _:  # Do.ASK
                self._ask(order)

    def _ask(self, order: Order) -> None:
        finding = order.findings[0]
        deadline = finding.retry_at or self._now()
        if self.course.releasing:
            deadline = self._release_until = self._now() + timedelta(seconds=self._release.seconds)
        seconds = max(0, round((deadline - self._now()) / timedelta(seconds=1)))
        self._display.clear()
        if self._terminal is not None:
            self._terminal.take()
        asked = words.release if self.course.releasing else words.question
        self._question = Question(asked(finding, seconds))
        if not self._question.asked and not self.course.releasing:
            self._voice.say(words.answer_elsewhere(self._opened.record.id, finding, seconds))

    def _answer(self) -> None:
        if self.course.releasing:
            said = self._question.answer if self._question and self._question.asked else False
            if said is not None or self._now() >= self._release_until:
                self._release.answered(self._now(), yes=bool(said))
            return  # the question is withdrawn as the agent goes on
        if self._question is not None and self._question.answer is not None:
            self._governed.tell(Replied(self._now(), self._question.answer, self._look.by))
            self._withdraw()

    def _take_last_word(self) -> None:
        """The agent ended while somebody was asked: what is typed by now counts. Whether to release it is asked after the end."""
        if self.course.releasing:
            self._release.said = self._question.answer if self._question else None
        else:
            self._answer()

    def _withdraw(self, why: str = "answered elsewhere, or too late.") -> None:
        question, self._question = self._question, None
        if question is not None:
            question.withdraw("" if question.answer is not None else f"tabstop: {why}")

    def _forward(self) -> None:
        while self._signals:
            number = self._signals.popleft()
            self._child.signal(number)
            if number in _DISMISSING:
                self._dismissed = True

    def _put_in_background(self) -> None:
        """The user pressed Ctrl-Z: their shell is to have the terminal, until it brings us back."""
        if self._terminal is None:
            return
        self._terminal.take()
        self._governed.tell(Paused(self._now()))
        os.kill(os.getpid(), signal.SIGSTOP)
        self._governed.tell(Resumed(self._now()))
        self._watching.begin_again()
        self._terminal.give(self._child.pid)
        self._child.signal(signal.SIGCONT)

    def _report_unapplied(self, order: Order) -> None:
        """Without hooks no step of degradation can be taken; each is said once."""
        fresh = [step for step in order.steps if step not in self._reported]
        self._reported.update(fresh)
        if fresh:
            self._voice.say(words.not_applied(fresh))

    def _say_events(self) -> None:
        """At the limit itself, what was due near it says nothing more to anybody."""
        state = self._governed.state
        over = state.stopped is not None or state.exhausted.question is not None
        happened = []
        with suppress(queue.Empty):
            while True:
                happened.append(self._events.get_nowait())
        told = [one for one in happened if not (over and one.kind is EventKind.DEGRADE)]
        for line in words.joined([words.of_event(one, hooks=self._watching.hooks) for one in told]):
            if line:
                self._voice.say(line)

    def _clean_up(self) -> None:
        """Nothing of an agent that we ended stays; of one that ended by itself, nothing of its process group."""
        self._withdraw("the agent has ended.")
        if self.course.sent or self._child.ended is None:
            end_all()
        else:
            end_group(self._child.pid)
        self._child.poll()
        self._display.clear()


class _Wake:
    """Sleeps until a signal arrives. Those that are for the agent are kept for it; a child's end only wakes."""

    def __init__(self, signals: deque[int]) -> None:
        self._signals = signals
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._reads, False)
        os.set_blocking(self._writes, False)
        self._fd_before = signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)
        for number in (*_FORWARDED, signal.SIGCHLD):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._fd_before)
        os.close(self._reads)
        os.close(self._writes)

    def wait(self, seconds: float) -> None:
        """At most so long."""
        if select.select([self._reads], [], [], seconds)[0]:
            os.read(self._reads, 4096)

    def _note(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

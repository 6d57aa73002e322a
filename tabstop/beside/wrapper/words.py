"""What a run says to people: at its beginning, while it goes on, and at its end. Plain lines; in GitHub Actions stops are annotations."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from tabstop.agents.command_line import CommandLine, Invocation
from tabstop.beside.wrapper.conclusion import Conclusion
from tabstop.beside.wrapper.opening import Opened
from tabstop.governor.limits import Totals
from tabstop.governor.orders import Event, EventKind, Step
from tabstop.governor.state import Stopped
from tabstop.money import show_exact
from tabstop.quantity import exact_span, plural, span
from tabstop.quantity import tokens as show_tokens
from tabstop.session import Limits, SessionOutcome
from tabstop.verdict import Finding

_SAID_AT_THE_END = frozenset({EventKind.STOP, EventKind.SUSPEND})


def beginning(
    opened: Opened,
    program: str,
    invocation: Invocation | None,
    limits: Limits,
    totals: Totals,
    *,
    proxy: bool,
    hooks: bool = True,
    unread: str = "",
) -> list[str]:
    """What the run may use, where that comes from, how firmly it is bound, and what cannot be seen. hooks: they are answered.

    unread: that what it used could not be read until now; empty where it could.
    """
    record = opened.record
    lines = [f"session {record.id}, limits {opened.source}: {', '.join(bounds(limits)) or 'none'}"]
    if totals.tokens or totals.iterations:
        lines.append(f"used so far: {used(totals)}")
    if opened.said:
        lines.append(f"warning: {opened.said}")
    if proxy:
        lines.append("enforcement: exact. Model calls go through the proxy; what goes past it is not seen.")
    elif invocation is None:
        lines.append(
            f"warning: `{program}` is no agent this can read. Only wall clock and silence are watched; "
            "cost, tokens, iterations and tool calls are not seen"
            + (", except those of an agent in it that has Tabstop's hooks" if hooks else "")
            + ". Enforcement: none for those."
        )
    elif unread:
        lines.append(f"warning: {unread} Enforcement: none for cost and tokens, until an answer can be read.")
    else:
        lines.append("enforcement: one call. The session ends at most one model call after a limit.")
    return lines


def without_hooks(command: CommandLine, *, headless: bool) -> str:
    """What a session without hooks lacks."""
    said = "no hooks: single tools are not refused; at a limit the whole agent is interrupted."
    if not headless:
        said += " A conversation begun inside it (/clear, /new) is not seen."
    return f"{said} `tabstop install {command.agent}` puts hooks in."


def no_last_answer(why: str) -> str:
    """Said at the beginning where the policy wants a last answer and none can be made. why: no full stop at its end."""
    return f"The policy wants a last answer at a limit (`summary`), and there is none here: {why}. The session ends at once there."


def of_event(event: Event, *, hooks: bool) -> str:
    """A line for what just happened; empty for what is said at the end, or elsewhere. hooks: they carry out what is said."""
    if event.kind in _SAID_AT_THE_END or event.kind is EventKind.ASK:
        return ""
    if event.kind in {EventKind.RAISE, EventKind.RELEASE}:
        did = "allowed more" if event.kind is EventKind.RAISE else "released the session"
        return f"{event.by or 'somebody'} {did}; it goes on"
    if event.kind is EventKind.DEGRADE and not hooks:
        return ""  # `not_applied` says so
    return f"warning: {event.finding.sentence}" if event.finding and event.finding.sentence else ""


def joined(lines: Sequence[str]) -> list[str]:
    """Lines that begin alike up to a colon, as several steps taken at once do, are one."""
    found: dict[str, list[str]] = {}
    for line in lines:
        head, sign, rest = line.rpartition("): ")
        found.setdefault(head + sign, []).append(rest)
    return [
        head + ("; ".join(one.rstrip(".") for one in rests) + "." if head else rests[0])
        for head, rests in found.items()
    ]


def not_applied(steps: Sequence[Step]) -> str:
    """Said once of steps of degradation that are due and need hooks or a proxy."""
    return (
        f"warning: a limit is near. Without hooks or a proxy nothing can be done with less here ({', '.join(steps)})."
    )


def waits(seconds: float) -> str:
    """Said where the agent as a whole is made to wait."""
    return f"the agent is stopped for {seconds:g} s to go slower (no hooks or proxy do it for single calls)"


def used(totals: Totals, *, counted: bool = True) -> str:
    """What a session used in all. counted: False for a program whose usage nobody could see."""
    time = exact_span(totals.wall_clock_seconds)
    calls = plural(totals.iterations, "model call"), plural(totals.tool_calls, "tool call")
    if not counted:
        return f"{time}; what it cost is not known"
    if totals.unseen:
        seen = [one for one, count in zip(calls, (totals.iterations, totals.tool_calls), strict=True) if count]
        return f"{', '.join([*seen, time])}; what it cost is not known"
    cost = ("at least " if totals.in_part else "") + show_exact(totals.cost)
    if totals.unpriced:
        cost += f" and {plural(totals.unpriced, 'answer')} of unknown price"
    elif totals.assumed:
        cost += f" ({plural(totals.assumed, 'answer')} at an assumed price)"
    return ", ".join([cost, f"{show_tokens(totals.tokens)} tokens", *calls, time])


def ending(conclusion: Conclusion, stopped: Stopped | None, session: str, resume: str, silence: int) -> list[str]:
    """Why it ended, what to do about it, and how it goes on. Nothing for an agent that ended by itself within its limits.

    resume: the agent's own command; empty for a program nobody knows. silence: seconds.
    """
    then = f"tabstop run --session {session} -- {resume}" if resume else ""
    if conclusion.outcome is SessionOutcome.SILENT:
        lines = [
            f"stopped: the agent showed nothing for {span(silence)}: no output, no answer, no tool.",
            "Likely cause: it waits for an answer nobody gives, or for its vendor. `--silence` allows longer.",
        ]
        return lines + ([f"To go on: {then}"] if then else [])
    if stopped is None:
        return []
    lines = _why(stopped.finding)
    if not conclusion.ours:
        lines[0] = f"the agent ended by itself, and its last answer used up what it had. {lines[0]}"
    return lines + ([f"To resume: {then}"] if then else [])


def question(finding: Finding, seconds: int) -> str:
    """Asked at the terminal."""
    return f"\r\ntabstop: {finding.sentence} [y/N, no after {span(seconds)}] "


def release(finding: Finding, seconds: int) -> str:
    """Asked at the terminal when the retry brake holds a session."""
    return f"\r\ntabstop: {finding.sentence} Release it? [y/N, no after {span(seconds)}] "


def released(session: str, resume: str) -> str:
    """Said after a release of a session whose agent has ended."""
    return f"released. To resume: tabstop run --session {session} -- {resume or 'the command'}"


def answer_elsewhere(session: str, finding: Finding, seconds: int) -> str:
    """Said where nobody can be asked, and beside the question."""
    return (
        f"{finding.sentence} Waiting {span(seconds)}. Yes: `tabstop overdrive {session} …` in another terminal; "
        f"silence means no."
    )


def annotation(title: str, lines: Sequence[str]) -> str:
    """An error annotation of GitHub Actions (workflow commands escape percent, line ends and, in properties, `:` and `,`)."""
    text = " ".join(lines).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    head = title.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::error title={head}::{text}"


class Voice:
    """Says it, on standard error. While an interactive agent has the screen, lines wait until it has ended."""

    def __init__(self, descriptor: int, *, github: bool) -> None:
        """github: annotate stops."""
        self._descriptor = descriptor
        self._github = github
        self._waits = False
        self._waiting: deque[str] = deque(maxlen=100)

    def say(self, line: str) -> None:
        """One line."""
        if self._waits:
            self._waiting.append(line)
        else:
            self.write(f"tabstop: {line}\n")

    def wait(self) -> None:
        """The agent has the screen from now."""
        self._waits = True

    def speak_up(self) -> None:
        """The agent has ended: say what waited, and everything from now at once."""
        self._waits = False
        while self._waiting:
            self.say(self._waiting.popleft())

    def annotate(self, title: str, lines: Sequence[str]) -> bool:
        """In GitHub Actions, show it at the top of the job. Whether this is there."""
        if self._github:
            self.write(annotation(title, lines) + "\n")
        return self._github

    def write(self, text: str) -> None:
        """As it is. A standard error that is closed is no reason to leave the agent alone."""
        data = text.encode("utf-8", "replace")
        with suppress(OSError):
            while data:
                data = data[os.write(self._descriptor, data) :]


def _why(finding: Finding | None) -> list[str]:
    if finding is None:
        return ["stopped."]
    word = "" if finding.sentence.startswith("Task paused") else "stopped: "
    lines = [f"{word}{finding.sentence}"]
    if finding.remedy:
        lines.append(finding.remedy)
    return lines


def bounds(limits: Limits) -> list[str]:
    """What may be used, one text for each limit that binds."""
    return [
        text
        for value, text in (
            (limits.cost, show_exact(limits.cost or 0)),
            (limits.tokens, f"{show_tokens(limits.tokens or 0)} tokens"),
            (limits.iterations, plural(limits.iterations or 0, "model call")),
            (limits.tool_calls, plural(limits.tool_calls or 0, "tool call")),
            (limits.wall_clock_seconds, exact_span(limits.wall_clock_seconds or 0)),
        )
        if value is not None
    ]

"""The runner's protocol: outputs, annotations, masks, job summary and log lines.

Source: docs.github.com, workflow commands for GitHub Actions. Nothing that comes from outside can end a line, a message
or a value and begin a command of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Message:
    """Something said to people: a title of a few words, a text for the annotation, and Markdown for the job's summary.

    summary: the text's long form; empty to put nothing on the summary.
    """

    title: str
    text: str
    summary: str = ""


class Runner:
    """Speaks to the runner that started this step."""

    def __init__(self, environ: Mapping[str, str], out: Callable[[str], None]) -> None:
        """The environment names the files; `out` prints one line."""
        self._output = environ.get("GITHUB_OUTPUT", "")
        self._summary = environ.get("GITHUB_STEP_SUMMARY", "")
        self._out = out

    def output(self, name: str, value: str) -> None:
        """Give the step an output. The delimiter is made from the value, so the value cannot contain it by design."""
        end = "END_" + hashlib.sha256(value.encode()).hexdigest()
        self._append(self._output, f"{name}<<{end}\n{value}\n{end}\n")

    def mask(self, secret: str) -> None:
        """Hide a value in this job's log from now on."""
        if secret:
            self._out(f"::add-mask::{_data(secret)}")

    def log(self, text: str) -> None:
        """Print for those who read the step's log; a line of it is never taken for a command."""
        for line in text.splitlines() or [""]:
            self._out(f"tabstop: {line}".rstrip().replace("##[", "##"))

    def fail(self, message: Message) -> None:
        """Say why the step fails: an error annotation, and the summary."""
        self._annotate("error", message)

    def warn(self, message: Message) -> None:
        """Say what people should know while the step goes on."""
        self._annotate("warning", message)

    def note(self, message: Message) -> None:
        """Say what is good to know."""
        self._annotate("notice", message)

    def summarize(self, markdown: str) -> None:
        """Add to the job's summary."""
        self._append(self._summary, markdown.rstrip("\n") + "\n\n")

    def _annotate(self, level: str, message: Message) -> None:
        self._out(f"::{level} title={_property(message.title)}::{_data(message.text)}")
        if message.summary:
            self.summarize(message.summary)

    @staticmethod
    def _append(path: str, text: str) -> None:
        if path:
            with Path(path).open("a", encoding="utf-8", newline="\n") as stream:
                stream.write(text)


def cell(text: str) -> str:
    """A text from outside, made harmless in one cell of a Markdown table or one line of a summary."""
    flat = " ".join(text.split())
    for found, shown in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("`", "&#96;"), ("[", "&#91;")):
        flat = flat.replace(found, shown)
    return flat


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

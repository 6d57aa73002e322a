"""The runner's protocol: outputs, annotations, masks, job summary and log lines.

Source: docs.github.com, workflow commands for GitHub Actions. Nothing that comes from outside can end a line, a message
or a value and begin a command of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tabstop.markdown import prose


@dataclass(frozen=True, slots=True)
class Message:
    """Something said to people.

    title: a few words. text: for the annotation, plain. summary: Markdown for the job's summary; empty for none there.
    anchor: the section of docs/action.md that says more. heading: Markdown, where it is not the title's.
    """

    title: str
    text: str
    summary: str = ""
    anchor: str = ""
    heading: str = ""


class Runner:
    """Speaks to the runner that started this step."""

    def __init__(self, environ: Mapping[str, str], out: Callable[[str], None]) -> None:
        """The environment names the files; `out` prints one line."""
        self._output = environ.get("GITHUB_OUTPUT", "")
        self._env = environ.get("GITHUB_ENV", "")
        self._summary = environ.get("GITHUB_STEP_SUMMARY", "")
        self._docs = _docs(environ)
        self._out = out

    def output(self, name: str, value: str) -> None:
        """Give the step an output."""
        self._append(self._output, _assigned(name, value))

    def export(self, name: str, value: str) -> None:
        """Set a variable for the job's later steps."""
        self._append(self._env, _assigned(name, value))

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
        where = f"{self._docs}#{message.anchor}" if message.anchor and self._docs else ""
        text = f"{message.text}\nMore: {where}" if where else message.text
        self._out(f"::{level} title={_property(message.title)}::{_data(text)}")
        if message.summary:
            heading = message.heading or f"### {prose(message.title)}"
            more = f"\n\n[More about this]({where})" if where else ""
            self.summarize(f"{heading}\n\n{message.summary}{more}")

    @staticmethod
    def _append(path: str, text: str) -> None:
        if path:
            with Path(path).open("a", encoding="utf-8", errors="replace", newline="\n") as stream:
                stream.write(text)


def _assigned(name: str, value: str) -> str:
    """As the runner's files have it. The delimiter is made from the value, so the value cannot contain it by design."""
    end = "END_" + hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
    return f"{name}<<{end}\n{value}\n{end}\n"


def _docs(environ: Mapping[str, str]) -> str:
    """The page about this action in the repository it came from."""
    repository = environ.get("TABSTOP_ACTION_REPOSITORY", "")
    server = environ.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{repository}/blob/HEAD/docs/action.md" if repository else ""


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

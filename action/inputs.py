"""The action's inputs, read from the environment in which action.yml puts them; every problem reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from tabstop.usage import Billing

PREFIX = "TABSTOP_INPUT_"

COMMANDS = ("gate", "settle", "bring-in")
AGENTS = ("claude-code", "codex", "gemini-cli", "opencode")
GOVERN = ("hooks", "off")
BILLINGS = tuple(billing.value for billing in Billing)
OUTCOMES = ("success", "failure", "cancelled", "skipped")
LONGEST_WAIT = timedelta(hours=6)
"""A job of a GitHub-hosted runner lasts no longer."""

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_SPAN = re.compile(r"(\d{1,5})\s*(s|m|h)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


class InputsError(ValueError):
    """What was given cannot be used. `problems` lists all of it, each naming its input, what was found and what is allowed."""

    def __init__(self, problems: list[str]) -> None:
        """Keep all problems."""
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Inputs:
    """As action.yml declares them, with `-` read as `_`; what each means stands there and in docs/action.md.

    Texts are empty and numbers None where nothing was given.
    """

    command: str
    server: str
    audience: str = ""
    agent: str = "claude-code"
    purpose: str = ""
    model: str = ""
    billing: Billing = Billing.UNKNOWN
    branch: str = ""
    pull_request: int | None = None
    govern: str = "hooks"
    wait: timedelta = timedelta()
    if_unreachable: str = "allow"
    github_token: str = field(default="", repr=False)
    fail_on_refusal: bool = True
    session: str = ""
    execution_file: str = ""
    agent_home: str = ""
    agent_outcome: str = ""
    spool: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Inputs:
        """Read `TABSTOP_INPUT_…`. Raises `InputsError`."""
        reading = _Reading(environ)
        server = reading.checked("server", _server)
        inputs = cls(
            command=reading.one_of("command", COMMANDS),
            server=server,
            audience=reading.text("audience") or server,
            agent=reading.one_of("agent", AGENTS, "claude-code"),
            purpose=reading.short("purpose", 100),
            model=reading.checked("model", _model),
            billing=Billing(reading.one_of("billing", BILLINGS, "unknown") or "unknown"),
            branch=reading.short("branch", 255),
            pull_request=reading.number("pull-request"),
            govern=reading.one_of("govern", GOVERN, "hooks"),
            wait=reading.span("wait"),
            if_unreachable=reading.one_of("if-unreachable", ("allow", "block"), "allow"),
            github_token=reading.checked("github-token", _token),
            fail_on_refusal=reading.one_of("fail-on-refusal", ("true", "false"), "true") == "true",
            session=reading.short("session", 200),
            execution_file=reading.text("execution-file"),
            agent_home=reading.text("agent-home"),
            agent_outcome=reading.one_of("agent-outcome", OUTCOMES, ""),
            spool=reading.text("spool"),
        )
        if inputs.command == "bring-in" and not reading.text("github-token"):
            reading.problems.append(
                "github-token: nothing given; leave the input out, and the job's own token is taken"
            )
        if reading.problems:
            raise InputsError(reading.problems)
        return inputs


class _Reading:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        return self._environ.get(PREFIX + name.replace("-", "_").upper(), "").strip()

    def checked(self, name: str, check: Callable[[str], str]) -> str:
        """The text, or a problem when `check` has something to say about it."""
        found = self.text(name)
        if problem := check(found):
            self.problems.append(f"{name}: {problem}")
            return ""
        return found.rstrip("/") if name == "server" else found

    def short(self, name: str, longest: int) -> str:
        found = self.text(name)
        if len(found) > longest or not found.isprintable():
            self.problems.append(f"{name}: one line of at most {longest} characters is allowed")
            return ""
        return found

    def one_of(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        found = self.text(name)
        if not found and default is not None:
            return default
        if found not in allowed:
            self.problems.append(f"{name}: found {_quoted(found)}, allowed are {', '.join(allowed)}")
            return ""
        return found

    def number(self, name: str) -> int | None:
        found = self.text(name).removeprefix("#")
        if not found:
            return None
        if not (found.isascii() and found.isdigit()) or len(found) > 9 or int(found) == 0:
            self.problems.append(f"{name}: found {_quoted(found)}, a pull request's number is allowed, such as 42")
            return None
        return int(found)

    def span(self, name: str) -> timedelta:
        found = self.text(name)
        if found in {"", "0"}:
            return timedelta()
        match = _SPAN.fullmatch(found)
        span = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
        if span is None or span > LONGEST_WAIT:
            self.problems.append(f"{name}: found {_quoted(found)}, allowed is a time up to 6h, such as 90s, 10m or 1h")
            return timedelta()
        return span


def _server(found: str) -> str:
    example = "the address of your Tabstop server is needed, such as https://tabstop.example.com"
    if not found:
        return f"nothing given; {example}"
    try:
        parts = urlsplit(found)
        host = parts.hostname or ""
        _ = parts.port  # read to have it checked
    except ValueError:
        return f"found {_quoted(found)}; {example}"
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or parts.username:
        return f"found {_quoted(found)}; {example}"
    if parts.scheme == "http" and host not in _LOOPBACK:
        return f"found {_quoted(found)}; tokens are sent to it, so it has to be https://"
    return ""


def _model(found: str) -> str:
    if found and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:@/\[\]-]{0,199}", found):
        return f"found {_quoted(found)}, a model's id is allowed, such as claude-sonnet-4-5"
    return ""


def _token(found: str) -> str:
    """What is found is a secret, perhaps with a line break too many: it is not shown."""
    return (
        "" if found.isascii() and found.isprintable() and " " not in found else "a token has no spaces or line breaks"
    )


def _quoted(found: str) -> str:
    return repr(found if len(found) <= 60 else found[:57] + "...") if found else "nothing"

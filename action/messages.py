"""What the action says when it cannot simply go on: what happened, the likely cause, what to do, where to read more."""

from __future__ import annotations

from datetime import datetime

from action.runner import Message
from tabstop.explain import headline, moment, refusal, refusal_markdown
from tabstop.markdown import plain, prose
from tabstop.verdict import Verdict
from tabstop.wire import Problem

DOCS = "https://github.com/tabstop/tabstop/blob/main/docs/action.md"

_PERMISSIONS = """permissions:
  contents: read
  id-token: write # proves to Tabstop which job this is"""


def wrong_inputs(problems: list[str]) -> Message:
    """The workflow gives inputs that cannot be used."""
    listed = "\n".join(f"- {prose(problem)}" for problem in problems)
    return Message(
        "Tabstop: inputs need a correction",
        "\n".join(
            ["The `with:` of this step cannot be used:", *(f"- {problem}" for problem in problems), _more("inputs")]
        ),
        f"### Tabstop: inputs need a correction\n\n{listed}\n\n{_link('inputs')}",
    )


def no_permission() -> Message:
    """The job has no `id-token: write`."""
    text = (
        "Nothing was asked: GitHub gave this job no identity to show to Tabstop.\n"
        "Likely cause: the job's permissions lack `id-token: write`. Add to this job:\n\n"
        f"{_PERMISSIONS}\n\n"
        "In a reusable workflow the job that calls it has to grant this too."
    )
    summary = (
        "### Tabstop: this job needs `id-token: write`\n\n"
        "Nothing was asked: GitHub gave this job no identity to show to Tabstop. Likely cause: its permissions lack "
        "`id-token: write`. Add to this job:\n\n"
        f"```yaml\n{_PERMISSIONS}\n```\n\n"
        "In a reusable workflow the job that calls it has to grant this too.\n\n" + _link("permissions")
    )
    return Message("Tabstop: this job needs id-token: write", f"{text}\n{_more('permissions')}", summary)


def low_trust(*, allowed: bool) -> Message:
    """A fork's or Dependabot's pull request: GitHub gives its runs no identity."""
    goes_on = (
        "It goes on, because `if-unreachable` is `allow`"
        if allowed
        else "It ends here, because `if-unreachable` is `block`"
    )
    text = (
        "GitHub gives runs of pull requests from forks and from Dependabot no identity, so Tabstop can neither admit this "
        f"session nor count it. {goes_on}. "
        "Such runs have no secrets either: an agent paid with your keys does not work in them."
    )
    return Message(
        "Tabstop: not asked, this run has no identity",
        f"{plain(text)}\n{_more('forks')}",
        f"### Tabstop: not asked, this run has no identity\n\n{text}\n\n{_link('forks')}",
    )


def unreachable(server: str, why: str, *, allowed: bool) -> Message:
    """The server could not be asked at the gate."""
    happened = f"Tabstop at {server} could not be asked whether this session may start: {why}."
    if allowed:
        goes_on = (
            "The job goes on, because `if-unreachable` is `allow`; the default limits of a session bind it, and settle "
            "will report it after the fact."
        )
    else:
        goes_on = "The job ends here, because `if-unreachable` is `block`. Running it again can help."
    cause = "Likely cause: the server is down or restarting, or this runner's network does not reach it."
    title = "Tabstop: not asked, the server is away" if allowed else "Tabstop: not started, the server is away"
    return Message(
        title,
        f"{plain(happened)}\n{plain(goes_on)}\n{cause}\n{_more('the-server-is-away')}",
        f"### {title}\n\n{prose(happened)} {goes_on}\n\n{cause}\n\n{_link('the-server-is-away')}",
    )


def not_accepted(status: int, problem: Problem, doing: str) -> Message:
    """The server refused the request itself, with its own explanation."""
    parts = [part for part in (problem.title, problem.detail, problem.remedy) if part]
    title = f"Tabstop: {doing} was not accepted"
    return Message(
        title,
        "\n".join([*(plain(part) for part in parts), f"(HTTP {status})", _more("not-accepted")]),
        f"### {title}\n\n"
        + "\n\n".join(prose(part) for part in parts)
        + f"\n\n(HTTP {status}) {_link('not-accepted')}",
    )


def refused(verdict: Verdict, page: str, now: datetime, *, waited: str = "") -> Message:
    """The verdict is stop: which budget, its arithmetic, until when, who can do what."""
    lines = [plain(line) for line in refusal(verdict, now)]
    where = f"\n\nMore: <{page}>" if page.startswith(("https://", "http://")) and not set(page) & set("<> \n") else ""
    tail = f"\n{prose(waited)}\n" if waited else ""
    return Message(
        f"Not started: {_lower(headline(verdict))}",
        "\n".join([*lines, *([waited] if waited else []), *([f"More: {page}"] if where else [])]),
        f"{refusal_markdown(verdict, now).rstrip()}\n{tail}{where}".rstrip(),
    )


def waited(span: str, *, hint: bool) -> str:
    """What waiting came to, for the end of a refusal."""
    if hint:
        return (
            "This step did not wait: with the input `wait: 10m` it asks again while other sessions hold what is left."
        )
    return f"This step waited {span} and asked again."


def waiting(verdict: Verdict, until: datetime, deadline: datetime, now: datetime) -> str:
    """One log line while the gate waits."""
    return (
        f"{plain(headline(verdict))}. Waiting; asks again at {until:%H:%M:%S} UTC, gives up at {deadline:%H:%M:%S} UTC. "
        f"(The server expects room {moment(verdict.retry_at, now) if verdict.retry_at else 'soon'}.)"
    )


def warned(verdict: Verdict) -> Message:
    """Admitted, with something to know."""
    return Message("Tabstop: admitted, with a warning", plain(headline(verdict)))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _more(anchor: str) -> str:
    return f"More: {DOCS}#{anchor}"


def _link(anchor: str) -> str:
    return f"[More about this]({DOCS}#{anchor})"

"""What the gate says when it cannot simply go on: what happened, the likely cause, what to do, where to read more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from action.runner import Message
from action.when_away import Heard, blocked
from tabstop.explain import explain, headline, moment, refusal, refusal_markdown
from tabstop.markdown import plain, prose
from tabstop.verdict import Outcome, Verdict
from tabstop.wire import Problem

_PERMISSIONS = """permissions:
  contents: read
  id-token: write # proves to Tabstop which job this is"""


def wrong_inputs(problems: list[str]) -> Message:
    """The workflow gives inputs that cannot be used."""
    said = "The `with:` of this step cannot be used:"
    return Message(
        "Tabstop: inputs need a correction",
        "\n".join([plain(said), *(f"- {problem}" for problem in problems)]),
        f"{said}\n\n" + "\n".join(f"- {prose(problem)}" for problem in problems),
        "inputs",
    )


def no_permission() -> Message:
    """The job has no `id-token: write`."""
    happened = "Nothing was asked: GitHub gave this job no identity to show to Tabstop."
    cause = "Likely cause: the job's permissions lack `id-token: write`. Add to this job:"
    calling = "In a reusable workflow the job that calls it has to grant this too."
    return Message(
        "Tabstop: this job needs id-token: write",
        f"{happened}\n{plain(cause)}\n\n{_PERMISSIONS}\n\n{calling}",
        f"{happened} {cause}\n\n```yaml\n{_PERMISSIONS}\n```\n\n{calling}",
        "permissions",
    )


def low_trust(*, allowed: bool) -> Message:
    """A fork's or Dependabot's pull request: GitHub gives its runs no identity."""
    end = (
        "goes on, because `if-unreachable` is `allow`" if allowed else "ends here, because `if-unreachable` is `block`"
    )
    title = f"Tabstop: not {'asked' if allowed else 'started'}, this run has no identity"
    text = (
        "GitHub gives runs of pull requests from forks and from Dependabot no identity, so Tabstop can neither admit this "
        f"session nor count it. The job {end}. Such runs have no secrets either: an agent paid with your keys does not "
        "work in them."
    )
    return Message(title, plain(text), text, "forks")


def unreachable(server: str, why: str, heard: Sequence[Heard], *, by_github: bool = False) -> Message:
    """The server could not be asked at the gate.

    heard: the sources that say what then happens; one that blocks is the last. by_github: it was GitHub that gave no identity.
    """
    happened = f"Tabstop at {server} could not be asked whether this session may start: {why}."
    cause = "Likely cause: the server is down or restarting, or this runner's network does not reach it."
    who = "the server is away"
    if by_github:
        cause = "Likely cause: GitHub's token service has a problem (githubstatus.com), or this runner's network does not reach it."
        who = "GitHub gave no identity"
    if blocked(heard):
        title = f"Tabstop: not started, {who}"
        parts = [happened, cause, f"The job ends here, because {heard[-1].said}. Running it again can help."]
        sources = []
    else:
        title = f"Tabstop: not asked, {who}"
        goes_on = "The job goes on. The default limits of a session bind it, and settle reports it after the fact."
        parts = [happened, cause, goes_on, "What could be heard does not say `block`:"]
        sources = [source.said for source in heard]
    return Message(
        title,
        "\n".join([*map(plain, parts), *(f"- {plain(said)}" for said in sources)]),
        "\n\n".join([*map(prose, parts), "\n".join(f"- {prose(said)}" for said in sources)]).rstrip(),
        "the-server-is-away",
    )


def not_governed(why: str) -> Message:
    """Admitted, and nothing but flags will stop it."""
    fault = f"Hooks could not be set up: {why.rstrip('.')}."
    matters = "The agent runs all the same. Its flags and the step's time limit alone bind it (enforcement: none)."
    remedy = "Correct the cause, or set `govern: off` in this step if flags are enough."
    return Message(
        "Tabstop: this session is bound by flags alone",
        "\n".join(plain(part) for part in (fault, matters, remedy)),
        "\n\n".join(prose(part) for part in (fault, matters, remedy)),
        "bound-from-inside",
    )


def looser_than_policy() -> Message:
    """Admitted; but were the server away, this workflow would start what the policy in force would not."""
    differs = "The policy in force says `server_unreachable: block`, and this step's input `if-unreachable` is `allow`."
    matters = (
        "While Tabstop's server is away nobody can look the policy up. This step then starts agents anyway, unless it can "
        "read a policy file that says `block`."
    )
    remedy = (
        "Set `if-unreachable: block` in this step; runs without an identity (forks) then end here too. "
        "Or check out before it, where this repository's own file says `block`."
    )
    return Message(
        "Tabstop: this workflow is looser than the policy",
        "\n".join(plain(part) for part in (differs, matters, remedy)),
        "\n\n".join(prose(part) for part in (differs, matters, remedy)),
        "the-server-is-away",
    )


def not_accepted(status: int, problem: Problem, doing: str) -> Message:
    """The server refused the request itself, with its own explanation."""
    parts = [part for part in (problem.title, problem.detail, problem.remedy, f"(HTTP {status})") if part]
    return Message(
        f"Tabstop: {doing} was not accepted",
        "\n".join(plain(part) for part in parts),
        "\n\n".join(prose(part) for part in parts),
        "not-accepted",
    )


def refused(verdict: Verdict, page: str, now: datetime, waited: str = "") -> Message:
    """The verdict is stop: which budget, its arithmetic, until when, who can do what."""
    lines = [*(plain(line) for line in refusal(verdict, now)), plain(waited), f"Page: {page}" if linkable(page) else ""]
    heading, _, listed = refusal_markdown(verdict, now).partition("\n")
    more = [prose(waited), f"[Read on]({page})" if linkable(page) else ""]
    return Message(
        f"Not started: {_lower(headline(verdict))}",
        "\n".join(line for line in lines if line),
        "\n\n".join(part for part in [listed.strip(), *more] if part),
        "refused",
        heading=heading,
    )


def waited(time: str) -> str:
    """What waiting came to, for the end of a refusal; `time` is empty when the step was not told to wait."""
    if not time:
        return "This step did not wait; with the input `wait: 10m` it asks again for that long, while asking again can help."
    return f"This step waited {time} and asked again."


def waiting(verdict: Verdict, until: datetime, deadline: datetime, now: datetime) -> str:
    """One log line while the gate waits."""
    expected = f"; the server expects room {moment(verdict.retry_at, now)}" if verdict.retry_at else ""
    return f"{headline(verdict)}{expected}. Asking again at {until:%H:%M:%S} UTC, giving up at {deadline:%H:%M:%S} UTC."


def warned(verdict: Verdict, now: datetime) -> Message:
    """Admitted, with something to know: each reason with its arithmetic."""
    said = [plain(explain(finding, now)) for finding in verdict.findings if finding.outcome is Outcome.WARN]
    return Message("Tabstop: admitted, with a warning", "\n".join(said) or headline(verdict))


def linkable(page: str) -> bool:
    """Whether an address from the server can stand in Markdown as it is."""
    return page.startswith(("https://", "http://")) and page.isprintable() and not set(page) & set("<>() \\")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]

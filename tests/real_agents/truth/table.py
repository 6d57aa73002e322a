"""docs/truth-table.md: what came of each scene: the ledger beside the invoice, and what nobody could know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tabstop.money import show_exact
from tests.real_agents.truth.scene import Played

_ABOUT = """\
# The ledger and the invoice

`make agents` leads {clients} from npm through the scenes below, against a fake model API on loopback that bills every call, and writes this page. All sources of a row
listen to the same runs at once and report to one server: `hooks` (`tabstop install`), `logs` (`tabstop sync` afterwards), `telemetry` (the client's own OTLP), `proxy` (`tabstop proxy`), `job` (the action's
gate and settle, with what the client printed).

- **Error**: by how many nano-dollars the ledger's total differs from the invoice, priced from the same list.
- **Misplaced**: calls that the ledger has not on the tab of the branch they were made on, or that it has and nobody made. A call is told from others by its counts, which no other has.
- **Known to nobody**: calls that were broken off and that no source of the row tells; they are left out of the error. A vendor bills them all the same. Of Anthropic's, the proxy tells what the
  vendor had counted by then; OpenAI's say nothing before their end.
- **Sent again**: requests that were sent to the server once more, all of it two times, each in a random order. Nothing may change by it. A new server that gets all of it twice in random order has to come to
  the same.

In sum: {calls} calls, error {error}, misplaced {misplaced}.

| scene | what happens | sources | calls | invoice | ledger | error | misplaced | known to nobody | sent again |
|---|---|---|---:|---:|---:|---:|---:|---|---|
"""


def document(played: Iterable[Played]) -> str:
    """The whole page."""
    found = list(played)
    agents = [one.scene.client.agent for one in found]
    names = list(dict.fromkeys(f"{agent.name} {agent.package.version}" for agent in agents))
    clients = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
    sums = sums_of(found)
    about = _ABOUT.format(clients=clients, calls=sums.calls, error=sums.error, misplaced=sums.misplaced)
    return about + "\n".join(map(_row, found)) + "\n"


@dataclass(frozen=True)
class Sums:
    """Of several scenes. error: nano-dollars."""

    calls: int
    error: int
    misplaced: int


def sums_of(played: Iterable[Played]) -> Sums:
    """Add up."""
    verdicts = [one.verdict for one in played if one.verdict is not None]
    return Sums(
        sum(one.calls for one in verdicts),
        sum(one.error for one in verdicts),
        sum(one.misplaced for one in verdicts),
    )


def _row(played: Played) -> str:
    scene, verdict = played.scene, played.verdict
    head = f"| {scene.name} | {scene.about} | {', '.join(sorted(played.sources))} |"
    if verdict is None:
        return f"{head} | | | | | | **{played.problem.splitlines()[0]}** |"
    unseen = f"{verdict.unseen} for {show_exact(verdict.unseen_cost)}: {verdict.unseen_why}" if verdict.unseen else ""
    again = f"**{played.again}**" if played.again else f"{played.requests}, nothing changed"
    return (
        f"{head} {verdict.calls} | {show_exact(verdict.invoice)} | {show_exact(verdict.ledger)} | {verdict.error} "
        f"| {verdict.misplaced} | {unseen} | {again} |"
    )

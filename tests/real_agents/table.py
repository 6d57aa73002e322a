"""docs/agents-table.md: what came of each agent, attach point and limit, and what cannot be done."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from tests.real_agents.cell import Cell

_ABOUT = """\
# Every limit, every attach point, the real agents

`make agents` runs {agents} from npm against a fake model API on loopback and writes this page. The model asks for
one more tool after every answer and never heeds a refusal. Each limit lies at its fifth answer; a wall clock at {option} s, under hooks at the {policy} s a policy may set at least.

- **Calls after**: model calls that began after the limit was reached, by the API's own invoice. At most 1 may under hooks (one more for each agent that runs
  at once) and the wrapper, 0 through the proxy.
- **Used**: by the same invoice; of tool calls, those the model asked for; of a wall clock, until its last answer: one that is under way is cut off.
  The proxy sends no call whose worst case no longer fits, so it stops below the limit. That worst case is the longest answer the model may give, which real answers seldom are: the smaller the limit, the more of it is left.
- **Exit code**: of `tabstop run`, or of the agent itself under hooks; what ours mean stands in [running.md](running.md). An agent that hooks stop ends with 0.

| agent | attach point | limit | calls after | exit code | outcome | used |
|---|---|---|---:|---:|---|---|
"""


def document(cells: Iterable[Cell], option_seconds: int, policy_seconds: int) -> str:
    """The whole page."""
    found = list(cells)
    names = list(dict.fromkeys(f"{cell.agent.name} {cell.agent.package.version}" for cell in found))
    agents = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
    rows: list[str] = []
    notes = {cell.agent.name: cell.agent.never_ends for cell in found if cell.agent.never_ends}
    for (agent, attach, cannot), some in groupby(found, key=lambda cell: (cell.agent.name, cell.attach, cell.cannot)):
        if cannot:
            limits = ", ".join(cell.limit.words for cell in some)
            rows.append(f"| {agent} | {attach} | {limits} | | | cannot be done: {cannot} | |")
        else:
            rows += [_row(cell) for cell in some]
    said = "".join(f"\n{name} under hooks: {why}.\n" for name, why in notes.items())
    return _ABOUT.format(agents=agents, option=option_seconds, policy=policy_seconds) + "\n".join(rows) + "\n" + said


def _row(cell: Cell) -> str:
    after = str(cell.after) if cell.most is not None else f"{cell.after}, no bound"
    outcome = cell.outcome + (f" (**wrong**: {cell.wrong.partition('; see ')[0]})" if cell.wrong else "")
    return (
        f"| {cell.agent.name} | {cell.attach} | {cell.limit.words} | {after} | {cell.code} | {outcome} "
        f"| {cell.used} of {cell.text} |"
    )

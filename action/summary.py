"""What settle puts on the job's page: what the session cost, what it used, what was not counted and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from action.amounts import amount
from action.governed import MOST_TOLD, Governed
from action.messages import linkable
from action.placement import on_no_tab, where_it_lies
from action.runner import Message
from action.session_file import Admission, Session
from action.traces import Traces
from tabstop.explain import explain
from tabstop.markdown import code, prose, table
from tabstop.money import show
from tabstop.quantity import plural, span, tokens
from tabstop.session import SessionOutcome
from tabstop.true_up import true_up
from tabstop.usage import Billing, Tokens
from tabstop.verdict import Outcome
from tabstop.wire import Doubted, EndAnswer

_BILLED = {
    Billing.API: "billed per token",
    Billing.SUBSCRIPTION: "on a plan",
    Billing.CREDITS: "paid with credits",
}


@dataclass(frozen=True, slots=True)
class Settled:
    """One settled session. answer: the server's totals, None when the report did not arrive; `undelivered` says why."""

    session: Session
    traces: Traces
    now: datetime
    answer: EndAnswer | None = None
    undelivered: str = ""
    kept_as: str = ""
    """The artifact that holds what was not delivered."""
    final: bool = False
    """Nothing will be delivered later either."""
    governed: Governed | None = None
    """What its governor saw; None where none was set up."""
    doubted: tuple[Doubted, ...] = ()
    """Calls that the server does not count as they were told."""

    @property
    def calls_for_attention(self) -> bool:
        """Whether people should look: anything but a session that finished, and whose cost is known and reported."""
        answer = self.answer
        if answer is None or answer.unpriced or answer.verdict.outcome is not Outcome.ALLOW or not self.traces.readable:
            return True
        return self.traces.outcome not in {SessionOutcome.FINISHED, SessionOutcome.NOT_STARTED}


def headline(settled: Settled) -> str:
    """One line: what it cost and how it ended."""
    agent, outcome = settled.session.start.agent, settled.traces.outcome
    if outcome is SessionOutcome.NOT_STARTED and settled.answer is not None and not settled.answer.tokens:
        return f"{agent} did not start; nothing was spent"
    return f"{agent} {_ended(outcome)}, {cost(settled)}"


def cost(settled: Settled) -> str:
    """What it cost, as far as that is known; what is unknown is never a zero."""
    if not settled.traces.readable:
        return "cost unknown"
    answer = settled.answer
    if answer is None:
        return "cost not known" if settled.final else "cost not known yet"
    return amount(answer)


def annotation(settled: Settled) -> Message:
    """The same in one line beside the job."""
    said = [f"{headline(settled)}."]
    if answer := settled.answer:
        said += [on_no_tab([answer]), f"The tab stands at {show(answer.tab_cost)}." if answer.tab_cost else ""]
    title = "Tabstop" if not settled.undelivered else "Tabstop: not reported" + ("" if settled.final else " yet")
    return Message(title, " ".join(filter(None, [*said, settled.undelivered])))


def summary(settled: Settled) -> str:
    """Markdown for the job's page."""
    rows: list[tuple[str, ...]] = [(label, text) for label, text in _facts(settled) if text]
    parts = [
        f"### Tabstop: {prose(headline(settled))}",
        "\n".join(table(("", ""), rows)),
        "\n".join(where_it_lies(settled.session.start, settled.answer)) if settled.answer else "",
        "\n".join(_models(settled.traces, settled.now)),
        "\n".join(_noticed(settled.governed)),
        "\n".join(_findings(settled)),
        _undelivered(settled),
        "\n".join(_skipped(settled.traces.skipped)),
        "\n".join(_doubted(settled.doubted)),
        f"[Read on]({_page(settled)})" if _page(settled) else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _facts(settled: Settled) -> Iterable[tuple[str, str]]:
    session, traces, answer = settled.session, settled.traces, settled.answer
    yield "Outcome", prose(f"{traces.outcome.value} ({traces.detail})", in_table=True)
    unasked = "nobody could be asked at the gate"
    known = code(session.session, in_table=True)
    late = f", recorded after the fact: {unasked}" if session.admission is Admission.UNASKED else ""
    yield "Session", f"{known}{late}" if known else f"not admitted: {unasked}"
    if settled.governed is not None and traces.outcome is not SessionOutcome.NOT_STARTED:
        yield "Governor", prose(settled.governed.sentence, in_table=True)
    yield "Purpose", prose(session.start.purpose, in_table=True)
    yield "Cost", prose(_cost_row(settled), in_table=True)
    if traces.usages or traces.totals:
        counted = answer.tokens if answer else sum(usage.tokens.total for usage in traces.usages)
        yield "Tokens", f"{tokens(counted)}, {plural(len(traces.usages), 'call')} seen"
        used = [call for usage in traces.usages for call in usage.tool_calls]
        failed = sum(call.failed for call in used)
        yield "Tool calls", f"{len(used):,}" + (f", {failed:,} failed" if failed else "")
    yield "Since the gate", span(max(0, round((settled.now - session.begun_at).total_seconds())))
    if answer and answer.tab_cost:
        yield "Tab", f"{show(answer.tab_cost)} so far"


def _cost_row(settled: Settled) -> str:
    traces, answer = settled.traces, settled.answer
    if not traces.readable:
        return f"unknown: {settled.session.start.agent} left no log here that tells its usage"
    if answer is None:
        return "not known: nothing is reported" if settled.final else "not known yet: the server prices the report"
    if not answer.tokens:
        return cost(settled)
    unpriced = f"; {plural(answer.unpriced, 'response')} without a known price" if answer.unpriced else ""
    return f"{cost(settled)}{unpriced}; {_how_paid(traces)}"


def _how_paid(traces: Traces) -> str:
    if traces.billing is Billing.UNKNOWN:
        return "nothing tells how it is paid, so it counts as billed"
    return traces.billing_evidence or _BILLED[traces.billing]


def _models(traces: Traces, now: datetime) -> list[str]:
    """Tokens by model: the calls, and what only the client's own total knows of."""
    counts: dict[str, int] = {}
    sums: dict[str, Tokens] = {}
    for usage in traces.usages:
        counts[usage.model] = counts.get(usage.model, 0) + 1
        sums[usage.model] = sums.get(usage.model, Tokens()) + usage.tokens
    rows = [_row(code(model, in_table=True), f"{counts[model]:,}", sums[model]) for model in sorted(sums)]
    rest = true_up(traces.usages, traces.totals, session="", at=now)
    rows += [_row(f"{code(one.model, in_table=True)}, only in the client's total", "", one.tokens) for one in rest]
    if not rows:
        return []
    return table(("Model", "Calls", "Input", "Cache read", "Cache written", "Output"), rows, right=(1, 2, 3, 4, 5))


def _row(name: str, calls: str, used: Tokens) -> tuple[str, ...]:
    written = used.cache_write_5m + used.cache_write_1h
    return (name, calls, *(f"{count:,}" for count in (used.input, used.cache_read, written, used.output)))


def _noticed(governed: Governed | None) -> list[str]:
    """What the governor noticed on the way."""
    told = [event.finding.sentence for event in governed.noticed if event.finding] if governed else []
    more = [f"- and {len(told) - MOST_TOLD:,} more"] if len(told) > MOST_TOLD else []
    return [*(f"- {prose(sentence)}" for sentence in told[:MOST_TOLD]), *more]


def _findings(settled: Settled) -> list[str]:
    if settled.answer is None:
        return []
    told = [one for one in settled.answer.verdict.findings if one.outcome is not Outcome.ALLOW]
    return [f"- {prose(explain(finding, settled.now))}" for finding in told]


def _undelivered(settled: Settled) -> str:
    if not settled.undelivered:
        return ""
    kept = f" It is kept as the artifact {code(settled.kept_as, 120)}." if settled.kept_as else ""
    return f"**Not reported{'' if settled.final else ' yet'}.** {prose(settled.undelivered)}{kept}"


def _skipped(skipped: Mapping[str, int]) -> list[str]:
    if not skipped:
        return []
    return ["Not counted:", "", *(f"- {prose(reason)}: {count:,}" for reason, count in sorted(skipped.items()))]


def _doubted(doubted: Sequence[Doubted]) -> list[str]:
    if not doubted:
        return []
    reasons = Counter(one.why for one in doubted)
    return [
        "Not counted as told:",
        "",
        *(f"- {plural(count, 'call')}: {prose(why)}" for why, count in sorted(reasons.items())),
    ]


def _page(settled: Settled) -> str:
    page = settled.answer.page if settled.answer and settled.answer.page else settled.session.page
    return page if linkable(page) else ""


def _ended(outcome: SessionOutcome) -> str:
    return outcome.value.replace("stopped: ", "was stopped (") + (")" if outcome.value.startswith("stopped") else "")

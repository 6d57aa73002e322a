"""The breaker's definition, written down a second time: everything is kept, and every number is counted anew from it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from tabstop.governor.facts import Answer, Fact, Probed, Released, SubagentEnded, ToolFinished, ToolStarted
from tabstop.governor.settings import Breaker
from tabstop.governor.tool_kinds import changes, does_work, runs_commands, waits


class NaiveBreaker:
    """Takes facts and says (state, metric, value). Slow on purpose; nothing is bounded or forgotten but by the definition."""

    def __init__(self, settings: Breaker) -> None:
        self.rules = settings
        self.state, self.metric, self.subject, self.value = "closed", "", "", 0
        self.call: tuple[str, str] = ("", "")
        self.since = self.now = datetime.min.replace(tzinfo=UTC)
        self.ever_worked: set[str] = set()
        self.history: list[tuple[datetime, Fact]] = []
        self.epoch = 0

    def told(self, fact: Fact) -> tuple[str, str, int]:
        self.now = max(self.now, fact.at)
        over = self.now >= self.since + timedelta(seconds=self.rules.cooldown)
        if self.state == "open" and (over or isinstance(fact, Released)):
            self.state, self.since = "half-open", self.now
        if isinstance(fact, Released):
            self.epoch = len(self.history)
        if self.state == "open":
            return self._seen()
        self.history.append((self.now, fact))
        if isinstance(fact, ToolFinished) and not fact.failed:
            self.ever_worked.add(fact.name)
        again, well = self._tried(fact) if self.state == "half-open" else (None, False)
        trip = again or self._failing(fact) or self._repeating(fact) or self._spending(fact)
        if trip:
            self.metric, self.subject, self.value = trip
            if self.metric == "repeated calls" and isinstance(fact, ToolStarted | ToolFinished):
                self.call = (fact.name, fact.arguments)
            self.state, self.since, self.epoch = "open", self.now, len(self.history)
        elif well:
            self.state, self.metric, self.subject, self.value = "closed", "", "", 0
        return self._seen()

    def _seen(self) -> tuple[str, str, int]:
        return (self.state, self.metric, self.value)

    def _since_forgotten(self) -> list[tuple[datetime, Fact]]:
        return self.history[self.epoch :]

    def _tried(self, fact: Fact) -> tuple[tuple[str, str, int] | None, bool]:
        if self.metric == "cost rate":
            spent = sum(
                f.cost or 0 for at, f in self._since_forgotten() if isinstance(f, Answer) and self._this_minute(at)
            )
            over = spent > (self.rules.cost_per_minute or 0)
            past = self.now >= self.since + timedelta(minutes=1)
            return (("cost rate", "", spent) if over and not past else None), past
        worked = isinstance(fact, ToolFinished) and not fact.failed
        if self.metric == "repeated calls":
            if not isinstance(fact, ToolStarted | ToolFinished):
                return None, False
            same = (fact.name, fact.arguments) == self.call
            again = same and _counts(fact)
            return (("repeated calls", fact.name, self.value + 1) if again else None), worked and not same
        if isinstance(fact, ToolFinished) and fact.name == self.subject:
            return (None if worked else ("tool failures", fact.name, 100)), worked
        return None, False

    def _further(self, position: int) -> bool:
        """Whether the fact at this position brought something new, judged from all before it."""
        before = [f for _, f in self.history[self.epoch : position + 1]]
        fact = before[-1]
        if isinstance(fact, Probed):
            trees: list[str] = []
            for f in before[:-1]:
                if isinstance(f, Probed) and f.tree not in trees:
                    trees.append(f.tree)
            return bool(trees) and fact.tree not in trees[-8:]
        if not isinstance(fact, ToolFinished) or fact.failed or not does_work(fact.name):
            return False
        made = [c for _, c in self._calls(fact.thread, before)][-self.rules.window :]
        return not fact.arguments or made.count((fact.name, fact.arguments)) <= 1

    def _calls(self, thread: str, facts: list[Fact]) -> list[tuple[int, tuple[str, str]]]:
        calls: list[tuple[int, tuple[str, str]]] = []
        for index, f in enumerate(facts):
            if isinstance(f, SubagentEnded) and f.child == thread:
                calls = []
            if isinstance(f, ToolStarted | ToolFinished) and f.thread == thread and f.arguments:
                calls += [(index, (f.name, f.arguments))] if _counts(f) and not waits(f.name) else []
        return calls

    def _failing(self, fact: Fact) -> tuple[str, str, int] | None:
        rules = self.rules
        if not isinstance(fact, ToolFinished) or not fact.failed or rules.failures_percent is None:
            return None
        command = runs_commands(fact.name)
        mine = [
            (self.epoch + index, f)
            for index, (_, f) in enumerate(self._since_forgotten())
            if isinstance(f, ToolFinished) and f.name == fact.name and (not command or f.thread == fact.thread)
        ][-rules.window :]
        worked = sum(not f.failed for _, f in mine)
        failed = sum(f.failed and not (command and self._answered(position, f)) for position, f in mine)
        if failed >= min(rules.only_failed, rules.window) and fact.name not in self.ever_worked:
            return ("tool failures", fact.name, 100)
        if command and fact.name not in self.ever_worked and self._in_vain(fact) >= rules.only_failed * 2:
            return ("tool failures", fact.name, 100)
        seen = worked + failed
        if seen < min(rules.sample, rules.window) or failed / seen * 100 < rules.failures_percent:
            return None
        return ("tool failures", fact.name, failed * 100 // seen)

    def _in_vain(self, fact: ToolFinished) -> int:
        """Failures of a command in its thread, but for the same one as before when something had changed since."""
        positions = [
            position
            for position in range(self.epoch, len(self.history))
            if isinstance(one := self.history[position][1], ToolFinished)
            and (one.name, one.thread) == (fact.name, fact.thread)
        ]
        counted = 0
        for position in positions:
            call = _key(self.history[position][1])
            before = [one for one in positions if one < position and _key(self.history[one][1]) == call]
            counted += not before or not any(self._changed(p, fact) for p in range(before[-1] + 1, position))
        return counted

    def _changed(self, position: int, failure: ToolFinished) -> bool:
        fact = self.history[position][1]
        if isinstance(fact, ToolFinished) and (fact.thread != failure.thread or fact.name == failure.name):
            return False
        return self._further(position) and (isinstance(fact, Probed) or changes(getattr(fact, "name", "")))

    def _answered(self, position: int, failure: ToolFinished) -> bool:
        """Whether new work by another tool of its thread, or a new tree, came after it and before it next worked."""
        for later in range(position + 1, len(self.history)):
            fact = self.history[later][1]
            if isinstance(fact, Probed) and self._further(later):
                return True
            if isinstance(fact, ToolFinished) and fact.thread == failure.thread:
                if fact.name == failure.name and not fact.failed:
                    return False
                if fact.name != failure.name and self._further(later):
                    return True
        return False

    def _repeating(self, fact: Fact) -> tuple[str, str, int] | None:
        rules = self.rules
        if (
            not isinstance(fact, ToolStarted | ToolFinished)
            or not _counts(fact)
            or not fact.arguments
            or rules.repeats is None
        ):
            return None
        facts = [f for _, f in self._since_forgotten()]
        calls = self._calls(fact.thread, facts)
        begin = 0
        for index, f in enumerate(facts):
            if not self._further(self.epoch + index) or not isinstance(f, Probed | ToolFinished):
                continue
            if isinstance(f, Probed):
                begin = max(begin, index + 1)
            elif f.thread == fact.thread:
                made = [i for i, _ in self._calls(f.thread, facts[: index + 1])][-rules.window :]
                own = [i for i in made if (facts[i].name, facts[i].arguments) == (f.name, f.arguments)]  # type: ignore[union-attr]
                begin = max(begin, own[-1] if own else index + 1)
        counted = [(index, call) for index, call in calls if index >= begin]
        recent = [one for one in calls[-rules.window :] if one in counted]
        mine = [index for index, call in recent if call == (fact.name, fact.arguments)]
        eighths = sum(self._weight(facts, index) for index in mine[1:])
        times = 1 + math.ceil(eighths / 8) if mine and not waits(fact.name) else 0
        return ("repeated calls", fact.name, times) if times >= min(rules.repeats, rules.window) else None

    def _weight(self, facts: list[Fact], index: int) -> int:
        """Eighths of a repeat: a whole one, a quarter for a call that took ten seconds, an eighth as long as it may be a wait."""
        call = facts[index]
        assert isinstance(call, ToolStarted | ToolFinished)
        if isinstance(call, ToolFinished):
            heard = [f.at for f in facts[:index] if _heard(f, call.thread)]
            since = self._since(facts, index, call)
            return _eighths(call.at - (since or heard[-1])) if since or heard else 1
        over: datetime | None = None
        for f in facts[index + 1 :]:
            if isinstance(f, SubagentEnded) and f.child == call.thread:
                return 1
            if _same(f, call):
                known = isinstance(f, ToolStarted) and over is not None and over > call.at
                return _eighths((over if known and over else f.at) - call.at)
            over = f.at if _heard(f, call.thread) else over
        return 1

    def _since(self, facts: list[Fact], index: int, call: ToolFinished) -> datetime | None:
        """When the latest start of this call was that has not ended before."""
        for f in reversed(facts[:index]):
            if _same(f, call):
                return f.at if isinstance(f, ToolStarted) else None
        return None

    def _this_minute(self, at: datetime) -> bool:
        return at.replace(microsecond=0) > self.now.replace(microsecond=0) - timedelta(minutes=1)

    def _spending(self, fact: Fact) -> tuple[str, str, int] | None:
        if not isinstance(fact, Answer) or self.rules.cost_per_minute is None:
            return None
        priced = [f for at, f in self._since_forgotten() if isinstance(f, Answer) and f.cost and self._this_minute(at)]
        spent = sum(f.cost or 0 for f in priced)
        answers = sum(not f.more for f in priced)
        if spent > self.rules.cost_per_minute and answers >= self.rules.cost_sample:
            return ("cost rate", "", spent)
        return None


def _key(fact: Fact) -> str:
    return fact.arguments if isinstance(fact, ToolFinished) else ""


def _heard(fact: Fact, thread: str) -> bool:
    return isinstance(fact, Answer | ToolFinished) and fact.thread == thread


def _same(fact: Fact, call: ToolStarted | ToolFinished) -> bool:
    if not isinstance(fact, ToolStarted | ToolFinished):
        return False
    return (fact.thread, fact.name, fact.arguments) == (call.thread, call.name, call.arguments)


def _eighths(took: timedelta) -> int:
    return 2 if took >= timedelta(seconds=10) else 8


def _counts(fact: ToolStarted | ToolFinished) -> bool:
    return isinstance(fact, ToolStarted) or fact.unseen

"""The vendor of a scene: the fake API, where every call it bills differs in its counts and is billed to the branch it was made on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tabstop.price_book import card
from tabstop.price_card import price
from tabstop.usage import Tokens, Usage
from tests.support.fake_llm import Billed, FakeLlm, Seen
from tests.support.llm_answers import Step, Used

OVERLOADED = {"anthropic": (529, "overloaded_error")}
"""By API, what it answers while it is overloaded; others 503."""


@dataclass(frozen=True)
class Line:
    """One call on the invoice. branch: checked out when it was made. broken: cut off; then only what was told by then is billed."""

    number: int
    api: str
    model: str
    tokens: Tokens
    at: datetime
    branch: str
    script: str = ""
    broken: bool = False

    @property
    def cost(self) -> int:
        """In nano-dollars, at the list of its date. Raises `ValueError` for a model that stands in no list."""
        found = price(Usage(("x:x:x",), self.model, self.tokens, self.at), card([self.model], at=self.at))
        if found.nano is None:
            raise ValueError(f"no price for {self.model}")
        return found.nano


def _nowhere() -> str:
    return ""


@dataclass
class Vendor(FakeLlm):
    """where: the branch that is checked out now. lines: the invoice."""

    where: Callable[[], str] = _nowhere
    lines: list[Line] = field(default_factory=list)
    _refusals: int = 0

    def overload(self, times: int) -> None:
        """Refuse the next calls."""
        self._refusals = times

    @property
    def is_refusing(self) -> bool:
        """Whether some of the refusals are still to come."""
        return self._refusals > 0

    @property
    def hanging(self) -> bool:
        """Whether its newest answer is one that never ends."""
        return bool(self.lines) and self.lines[-1].broken

    def answer(self, seen: Seen) -> Step:
        """The script's answer, its counts made its own; on the invoice, unless it is an error."""
        if self._refusals:
            self._refusals -= 1
            status, word = OVERLOADED.get(seen.api, (503, "server_error"))
            return Step(status=status, error=word)
        step, script, place = self._scripted(seen)
        if step.status != 200:
            return step
        number = len(self.lines) + 1
        step = replace(step, used=_used(seen, number))
        model = str(seen.body.get("model"))
        self.billed.append(Billed(seen.api, model, step.used, script, place))
        broken = step.hangs is not None
        tokens = _tokens(seen.api, replace(step.used, output=1, reasoning=0) if broken else step.used)
        at = datetime.fromtimestamp(seen.at, UTC)
        self.lines.append(Line(number, seen.api, model, tokens, at, self.where(), script, broken))
        return step


def _used(seen: Seen, number: int) -> Used:
    """Counts that no other call has, nor the sum of any two others as long as there are fewer than a thousand."""
    most = seen.body.get("max_tokens") or seen.body.get("max_output_tokens") or 100_000
    output = min(150 + 10 * number, most)
    if seen.api == "anthropic":
        return Used(10 + number, 600 + 7 * number, 30 + 3 * number, 8_000 + 90 * number, output)
    return Used(900 + 7 * number, read=8_000 + 90 * number, output=output, reasoning=min(64 + number, output))


def _tokens(api: str, used: Used) -> Tokens:
    """What a vendor bills, by kind. Only Google counts reasoning beside the output."""
    output = used.output + used.reasoning if api == "gemini" else used.output
    return Tokens(used.input, used.read, used.write_5m, used.write_1h, output)

"""A captured case laid out as a job would find it after its gate, and read."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from tabstop.agents.claude_code.execution_file import ExecutionResult, read_execution_file
from tabstop.agents.claude_code.folder import SessionsFound, read_folder
from tabstop.price_book import card
from tabstop.price_card import price
from tabstop.usage import Tokens, Usage
from tests.support.samples import ClaudeCase, InvoiceLine

KEY = b"a key of this session"


class Job:
    """The runs of a case from `first_run` to `after_run` (default: the last), seen by a job whose gate opened just before them."""

    def __init__(self, case: ClaudeCase, home: Path, first_run: int = 1, after_run: int | None = None) -> None:
        """Lay the transcripts out below `home`, with a workspace of its own."""
        self.case = case
        self.gate: datetime = case.runs[first_run - 1].began
        self.workspace = home / "workspace"
        self.workspace.mkdir(exist_ok=True)
        self.projects = case.lay_out(home / ".claude", workspace=self.workspace, after_run=after_run).parent
        self.invoice: tuple[InvoiceLine, ...] = tuple(line for line in case.invoice if line.run >= first_run)

    def read(self) -> SessionsFound:
        """The folder, as settle reads it."""
        return read_folder(self.projects, begun_after=self.gate, workspace=self.workspace, hmac_key=KEY)

    def execution(self) -> ExecutionResult | None:
        """The last run's output."""
        path = self.case.execution_file
        return read_execution_file(path) if path else None


def invoiced(line: InvoiceLine) -> tuple[tuple[str, ...], str, Tokens]:
    """An invoice line as keys, model and tokens."""
    keys = (f"anthropic:msg:{line.message_id}", f"anthropic:req:{line.request_id}")
    tokens = Tokens(line.input, line.cache_read, line.cache_write_5m, line.cache_write_1h, line.output)
    return keys, line.model, tokens


def cost_by_model(usages: Iterable[Usage], at: datetime) -> dict[str, int]:
    """List prices, nano-dollars."""
    every = list(usages)
    prices = card({one.model for one in every}, at=at)
    costs: dict[str, int] = {}
    for one in every:
        cost = price(one, prices)
        assert cost.nano is not None
        costs[one.model] = costs.get(one.model, 0) + cost.nano
    return costs


def tokens_by_model(usages: Iterable[Usage]) -> dict[str, Tokens]:
    """Kinds added up per model."""
    sums: dict[str, Tokens] = {}
    for one in usages:
        sums[one.model] = sums.get(one.model, Tokens()) + one.tokens
    return sums

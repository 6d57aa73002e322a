"""The classic lesson's agent loop, bounded: the import, the budget and one line are all that Tabstop adds.

The client is a stand-in that answers for ever, so that this runs without a key: `python examples/library/classic_loop.py`.
"""

from dataclasses import dataclass, field

from tabstop.library import BudgetExceeded, BudgetManager


@dataclass
class Usage:
    """As the vendors' SDKs tell it."""

    input_tokens: int = 20_000
    output_tokens: int = 500


@dataclass
class Response:
    """One answer."""

    model: str = "claude-opus-5-5"
    usage: Usage = field(default_factory=Usage)


class Messages:
    """Where a real client would ask a model."""

    def create(self, *, model: str, messages: list[dict[str, str]]) -> Response:
        """Answer, whatever is asked."""
        return Response(model, Usage(input_tokens=20_000 * len(messages)))


class Client:
    """Stands for `anthropic.Anthropic()`."""

    messages = Messages()


def main() -> int:
    """Run the agent until its budget is spent. Returns how many answers it got."""
    client = Client()
    messages = [{"role": "user", "content": "Fix the failing test."}]
    answers = 0

    budget = BudgetManager(session_limit=0.50, model="claude-opus-5-5")
    try:
        while True:
            response = client.messages.create(model="claude-opus-5-5", messages=messages)
            budget.check_and_add(response.usage)
            answers += 1
            messages.append({"role": "assistant", "content": "Trying again."})
    except BudgetExceeded as stop:
        print(stop)
    return answers


if __name__ == "__main__":
    main()

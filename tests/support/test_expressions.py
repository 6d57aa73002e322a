"""GitHub's expressions, by their documented rules."""

from typing import Any

import pytest

from tests.support.expressions import ExpressionError, condition, evaluate, fill

CONTEXTS: dict[str, Any] = {
    "inputs": {"command": "gate", "empty": "", "no": "false", "dash-ed": "d"},
    "steps": {"a": {"outputs": {"n": "3"}, "outcome": "failure"}},
    "github": {"event": {"labels": [{"name": "x"}], "draft": False}},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("inputs.command == 'GATE'", True),
        ("inputs.command != 'gate'", False),
        ("inputs.dash-ed", "d"),
        ("inputs.missing == ''", True),
        ("steps.nowhere.outputs.x", None),
        ("steps.a.outputs.n > 2", True),
        ("inputs.no && 'yes'", "yes"),
        ("inputs.empty || 'default'", "default"),
        ("inputs.command == 'gate' && 'left' || 'right'", "left"),
        ("!(inputs.command == 'gate') || steps.a.outcome == 'failure'", True),
        ("!inputs.empty", True),
        ("github.event.labels[0].name", "x"),
        ("github.event.draft == false", True),
        ("contains(inputs.command, 'AT')", True),
        ("contains(fromJSON('[\"gate\"]'), inputs.command)", True),
        ("startsWith(inputs.command, 'ga')", True),
        ("format('{0}-{1}', inputs.command, 1)", "gate-1"),
        ("'it''s'", "it's"),
        ("null == 0", True),
        ("'x' == 0", False),
    ],
)
def test_values(expression: str, value: object) -> None:
    """Each line is one rule: case-insensitive strings, loose numbers, missing is null, operands are returned."""
    assert evaluate(expression, CONTEXTS) == value


@pytest.mark.parametrize(
    "expression", ["secrets.KEY", "hashFiles('x')", "1 +", "inputs.command inputs.command", "('a'"]
)
def test_what_it_cannot_evaluate_is_an_error(expression: str) -> None:
    """An unknown context, function or sign never becomes a silent empty string."""
    with pytest.raises(ExpressionError):
        evaluate(expression, CONTEXTS)


def test_text_is_filled_as_github_prints_values() -> None:
    """A null prints as nothing, booleans in lower case, whole numbers without a point."""
    assert fill("${{ inputs.missing }}|${{ true }}|${{ 3 }}|${{inputs.command}}", CONTEXTS) == "|true|3|gate"


@pytest.mark.parametrize(
    ("text", "failed", "holds"),
    [
        ("inputs.command == 'gate'", False, True),
        ("inputs.command == 'gate'", True, False),
        ("${{ always() && inputs.command == 'gate' }}", True, True),
        ("failure()", True, True),
        ("!cancelled()", True, True),
    ],
)
def test_a_condition_without_a_status_function_needs_success(text: str, failed: bool, holds: bool) -> None:
    """`if:` means success() && (…) unless it asks for the status itself."""
    functions = {
        "success": lambda: not failed,
        "failure": lambda: failed,
        "always": lambda: True,
        "cancelled": lambda: False,
    }
    assert condition(text, CONTEXTS, functions) is holds

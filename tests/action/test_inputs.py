"""Inputs: what is allowed is read, what is not is a problem that names its input; nothing crashes."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action.inputs import PREFIX, Inputs, InputsError
from tabstop.usage import Billing

NEEDED = {"COMMAND": "gate", "SERVER": "https://tabstop.acme.example"}


def read(**given: str) -> Inputs:
    return Inputs.from_environ({PREFIX + name: value for name, value in {**NEEDED, **given}.items()})


def test_the_defaults_are_action_ymls() -> None:
    """With the two needed inputs alone everything has its usual value; empty is as good as missing."""
    usual = read()
    assert usual == read(AGENT="", WAIT="0", IF_UNREACHABLE="", FAIL_ON_REFUSAL="", BILLING="", PULL_REQUEST=" ")
    assert usual.agent == "claude-code"
    assert usual.wait == timedelta()
    assert usual.if_unreachable == "allow"
    assert usual.fail_on_refusal
    assert usual.audience == "https://tabstop.acme.example"


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("SERVER", "https://tabstop.acme.example/base/", "server", "https://tabstop.acme.example/base"),
        ("SERVER", "http://127.0.0.1:8000", "server", "http://127.0.0.1:8000"),
        ("SERVER", "http://localhost:8000/", "server", "http://localhost:8000"),
        ("WAIT", "90s", "wait", timedelta(seconds=90)),
        ("WAIT", "10m", "wait", timedelta(minutes=10)),
        ("WAIT", "6h", "wait", timedelta(hours=6)),
        ("PULL_REQUEST", "#42", "pull_request", 42),
        ("PULL_REQUEST", "42", "pull_request", 42),
        ("BILLING", "credits", "billing", Billing.CREDITS),
        ("FAIL_ON_REFUSAL", "false", "fail_on_refusal", False),
        ("MODEL", "anthropic/claude-sonnet-4-5[1m]", "model", "anthropic/claude-sonnet-4-5[1m]"),
    ],
)
def test_what_is_allowed(name: str, text: str, field: str, value: object) -> None:
    """Each form people may write."""
    assert getattr(read(**{name: text}), field) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("COMMAND", "Gate"),
        ("SERVER", ""),
        ("SERVER", "tabstop.acme.example"),
        ("SERVER", "http://tabstop.acme.example"),
        ("SERVER", "https://user:secret@tabstop.acme.example"),
        ("SERVER", "https://tabstop.acme.example?x=1"),
        ("SERVER", "https://tabstop.acme.example:port"),
        ("SERVER", "https://[::1"),
        ("AGENT", "claude"),
        ("WAIT", "7h"),
        ("WAIT", "10"),
        ("WAIT", "-1m"),
        ("WAIT", "99999h"),
        ("PULL_REQUEST", "0"),
        ("PULL_REQUEST", "4²"),
        ("PULL_REQUEST", "https://github.com/acme/widget/pull/42"),
        ("MODEL", "opus; rm -rf /"),
        ("MODEL", "--dangerously-skip-permissions"),
        ("PURPOSE", "a\nb"),
        ("BRANCH", "x" * 256),
        ("BILLING", "free"),
        ("AGENT_OUTCOME", "ok"),
    ],
)
def test_what_is_not_allowed(name: str, text: str) -> None:
    """Each is one problem that begins with the input's name."""
    with pytest.raises(InputsError) as caught:
        read(**{name: text})
    [problem] = caught.value.problems
    assert problem.startswith(name.lower().replace("_", "-") + ":")


@given(st.dictionaries(st.sampled_from([f.upper() for f in Inputs.__slots__]), st.text(max_size=40)))
def test_anything_else_is_read_or_refused(given_inputs: dict[str, str]) -> None:
    """No text an input may hold makes the action crash, or gives an argument a flag of its own."""
    with contextlib.suppress(InputsError):
        inputs = read(**given_inputs)
        assert not inputs.model.startswith("-")
        assert " " not in inputs.model

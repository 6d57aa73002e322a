"""What binds a session that begins at a hook: the policy of its repository where that can be read, else the defaults."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tabstop.beside.hook_records import name_of, new_record, policy_of, pricer_of
from tabstop.governor.settings import Settings
from tabstop.policy.model import Policy
from tabstop.price_card import ModelPrice, PriceCard, Rates, Tier
from tabstop.usage import Tokens, Usage
from tests.governor.builders import BEGUN


def repository(folder: Path, policy: str | bytes | None) -> Path:
    (folder / ".git").mkdir()
    (folder / "a" / "b").mkdir(parents=True)
    if policy is not None:
        (folder / ".github").mkdir()
        data = policy if isinstance(policy, bytes) else policy.encode()
        (folder / ".github" / "tabstop.yml").write_bytes(data)
    return folder / "a" / "b"


def test_the_policy_of_the_repository_binds(tmp_path: Path) -> None:
    """From any folder below its root; limits and all other rules."""
    cwd = repository(tmp_path, "session: {cost: $3, tool_calls: unlimited}\nthrottle: {calls_per_minute: 7}\n")
    record, said = new_record("claude-code", "claude-code", "s-1", str(cwd), BEGUN, {"CI": "true"})
    assert said == ""
    assert (record.settings.limits.cost, record.settings.limits.tool_calls) == (3 * 10**9, None)
    assert record.settings.throttle.calls_per_minute == 7
    assert record.settings.ci
    assert record.settings.session == record.id == name_of("claude-code", "s-1")
    assert len(bytes.fromhex(record.hmac_key)) == 32


@pytest.mark.parametrize("policy", [None, ""])
def test_without_a_policy_the_defaults_bind(tmp_path: Path, policy: str | None) -> None:
    """No repository, no file: the same limits as the server would give."""
    record, said = new_record(
        "codex", "codex", "s", "" if policy is None else str(repository(tmp_path, None)), BEGUN, {}
    )
    usual = Policy().session
    assert said == ""
    assert (record.settings.limits.cost, record.settings.limits.tokens) == (usual.cost, usual.tokens)
    assert not record.settings.ci


def test_a_policy_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With problems, unreadable, or without the library that reads it: the defaults bind, and the sentence says why."""
    cwd = repository(tmp_path, "session: {cost: cheap}")
    bound = policy_of(cwd)
    assert bound.policy == Policy()
    assert "the first is in line 1: " in bound.said
    assert "tabstop policy check" in bound.said
    path = tmp_path / ".github" / "tabstop.yml"
    path.chmod(0o000)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", _denied)
        assert "cannot be read (Permission denied)" in policy_of(cwd).said
    for name in [one for one in sys.modules if one.startswith("tabstop.policy.") and one != "tabstop.policy.model"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert "PyYAML is not installed" in policy_of(cwd).said


def _denied(_path: Path) -> bytes:
    raise PermissionError(13, "Permission denied")


def test_prices_come_from_the_card_then_from_the_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card that was sent counts; what the policy negotiated overrides the list; without a book only the card is known."""
    rates = (Tier(0, Rates()),)
    card = PriceCard(BEGUN, {"m": ModelPrice("m", "m", exact=True, tiers=rates)})
    cwd = repository(tmp_path, "prices: [{model: 'claude-opus-5-5', discount: 50}]\n")
    record, said = new_record("claude-code", "claude-code", "s", str(cwd), BEGUN, {})
    assert said == ""
    ours = pricer_of(record, BEGUN).price_of("claude-opus-5-5")
    listed = pricer_of(replace(record, cwd=""), BEGUN).price_of("claude-opus-5-5")
    assert ours is not None
    assert listed is not None
    assert ours.tiers[0].rates.input != listed.tiers[0].rates.input
    sent = pricer_of(replace(record, price_card=card.to_json()), BEGUN)
    assert sent.price_of("m") == card.prices["m"]
    assert sent.price_of("claude-opus-5-5") is not None
    monkeypatch.setitem(sys.modules, "tabstop.price_book", None)
    assert pricer_of(record, BEGUN).price_of("claude-opus-5-5") is None
    assert pricer_of(replace(record, price_card=card.to_json()), BEGUN).price_of("claude-opus-5-5") is None


def test_without_a_card_an_unknown_model_costs_as_much_as_the_dearest_of_the_ladders() -> None:
    """Never nothing."""
    record, _ = new_record("claude-code", "claude-code", "s", "", BEGUN, {})
    cost, assumed = pricer_of(record, BEGUN).cost(Usage(("k",), "unheard-of", Tokens(input=1_000), BEGUN))
    assert assumed
    assert cost


def test_a_policy_outside_of_any_repository_is_not_ignored_silently(tmp_path: Path) -> None:
    """It is said which file is not read, and why; where one is read, which."""
    (tmp_path / ".github").mkdir()
    file = tmp_path / ".github" / "tabstop.yml"
    file.write_text("session: {cost: $3}")
    bound = policy_of(tmp_path)
    assert bound.said.startswith(
        f"{file} is not read, because {tmp_path} is in no git repository; the default limits apply."
    )
    assert (bound.policy, bound.source) == (Policy(), "the defaults (no policy)")
    assert policy_of(tmp_path / "elsewhere").said == ""
    (tmp_path / ".git").mkdir()
    assert policy_of(tmp_path).source == f"the policy {file}"


def test_names_are_the_same_for_the_same_session() -> None:
    """Short enough to type; a resumed session has the one it had."""
    assert name_of("claude-code", "s") == name_of("claude-code", "s") != name_of("claude-code", "t")
    assert name_of("gemini", "s").startswith("gemini-")
    assert Settings().session != name_of("codex", "s")

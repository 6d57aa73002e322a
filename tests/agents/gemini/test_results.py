"""What a run of Gemini CLI printed at its end, in all its forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tabstop.agents.gemini.results import RunResult, read_result
from tabstop.usage import Tokens
from tests.support.samples import SAMPLES

FIVE_CALLS = Tokens(input=11_660, cache_read=37_400, output=1_170)


def sample(name: str) -> RunResult:
    result = read_result(SAMPLES / "gemini" / name)
    assert result is not None
    return result


@pytest.mark.parametrize("name", ["result.json", "stdout.log", "stream.jsonl"])
def test_the_same_counts_in_every_form(name: str) -> None:
    """A stream does not tell thoughts, and they are paid all the same."""
    result = sample(name)
    assert dict(result.counts) == {"gemini-2.5-pro": FIVE_CALLS}
    assert (result.complete, result.failed) == (True, False)
    assert [(total.model, total.tokens) for total in result.totals] == [("gemini-2.5-pro", FIVE_CALLS)]
    assert result.session


def test_the_router_counts_too() -> None:
    """It stands in no chat, only here."""
    assert {model: tokens.total for model, tokens in sample("result-auto.json").counts.items()} == {
        "gemini-3.1-pro-preview": 42_130,
        "gemini-3.5-flash-lite": 8_224,
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", None),
        (b"Error: no key\n", None),
        (b"[1]\n", None),
        (b'{"session_id": "s", "stats": {"models": {"m": {"tokens": {"prompt": "many"}}}}}', RunResult("s")),
        (b'{"type": "init", "session_id": "s"}\n{"type": "resu', RunResult("s")),
        (b'{"session_id": "s", "error": {"message": "x"}}', RunResult("s", {}, failed=True, complete=True)),
        (
            b'Loaded cached credentials.\n{cut\n{"type":"init","session_id":"s"}\n{"type":"result","status":"error","stats":{}}\n',
            RunResult("s", {}, failed=True, complete=True),
        ),
    ],
)
def test_what_is_cut_off_or_mixed_with_other_lines(content: bytes, expected: RunResult | None, tmp_path: Path) -> None:
    """Nothing that can be read is nothing, never zero."""
    path = tmp_path / "stdout.log"
    path.write_bytes(content)
    assert read_result(path) == expected


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A run that never began leaves none."""
    assert read_result(tmp_path / "stdout.log") is None


def test_a_file_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be read at once."""
    monkeypatch.setattr("tabstop.agents.gemini.results.LONGEST_FILE", 10)
    assert read_result(SAMPLES / "gemini" / "result.json") is None

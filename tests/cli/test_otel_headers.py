"""`tabstop otel-headers`: one line of JSON for an agent's client, or why there is none."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tabstop.cli.otel_headers import otel_headers


def test_the_token_as_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's, else a login's; without either a sentence and no header."""
    monkeypatch.setenv("TABSTOP_SERVER", "https://tabstop.example.com")
    monkeypatch.setenv("TABSTOP_TOKEN", "tabstop_eng_1")
    done = CliRunner().invoke(otel_headers, [])
    assert json.loads(done.stdout) == {"Authorization": "Bearer tabstop_eng_1"}
    monkeypatch.setenv("TABSTOP_SERVER", "off")
    done = CliRunner().invoke(otel_headers, ["--repository", "acme/widget"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "tabstop login" in done.stderr

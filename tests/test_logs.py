"""Logs: one line per event in either format, and no secret in any part of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from app.logs import configure

SECRETS = ("ghs_4242_eyJhbGciOi.J9.sig", "tabstop_eng_0123abcd", "xoxb-1-2-abc", "github_pat_11AA", "Bearer abc.def")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Other tests log as they did."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_in_a_value_or_a_traceback(log_format: str, secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception's own text may quote what it was given."""
    configure(log_format)
    structlog.get_logger().error("job failed", reason=f"sent {secret}", exc_info=ValueError(f"refused: {secret}"))
    said = capsys.readouterr().err
    assert "job failed" in said
    assert "refused: [secret]" in said
    assert secret not in said


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is in it."""
    configure("json")
    structlog.get_logger().info("request", route="/x", note="two\nlines")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["note"] == "two\nlines"

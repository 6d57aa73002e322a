"""Structured logs: one line per event, JSON or text, without secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRETS = re.compile(
    r"(?i)bearer\s+\S+|gh[a-z]_[A-Za-z0-9_]+|ghs_\S+|github_pat_\w+|xox[a-z]-[\w-]+|tabstop_eng_\w+"
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]+|-----BEGIN[^-]+-----.*?-----END[^-]+-----",
    re.DOTALL,
)


def redacted(text: str) -> str:
    """The text with everything that looks like a token or key replaced."""
    return _SECRETS.sub("[secret]", text)


def configure(log_format: str) -> None:
    """Send structlog and the standard library's warnings to stderr in one shape."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,  # a traceback becomes text before secrets are taken out of it
            _redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)


def _redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redacted(value) if isinstance(value, str) else value for key, value in event.items()}

"""Extras: what to install where an adapter's package is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtraError(ImportError):
    """An adapter was imported whose package is not installed."""


@contextmanager
def needed(extra: str) -> Iterator[None]:
    """Import inside what this extra installs. Raises `MissingExtraError`."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"tabstop.library.{extra.replace('-', '_')} needs a package that is not installed ({error}). "
            f'Install it with: pip install "tabstop[{extra}]"'
        ) from error

"""`python -m app` serves: the same as `python -m app.cli serve`."""

from __future__ import annotations

from app.cli.main import operator

if __name__ == "__main__":
    operator(["serve"])

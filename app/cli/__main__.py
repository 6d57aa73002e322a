"""`python -m app.cli`: the operator's command line."""

from __future__ import annotations

from app.cli.main import operator

if __name__ == "__main__":
    operator(prog_name="python -m app.cli")

"""Starts the status line the short way: `python -I …/status_start.py`, without a command line to take apart."""

import sys
from pathlib import Path

if __name__ == "__main__":
    root = str(Path(__file__).resolve().parents[2])
    if root not in sys.path:
        sys.path.insert(0, root)
    from tabstop.beside.status import run

    run()

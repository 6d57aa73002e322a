"""What starts the governor as `python3 -I governor_start.py`: finds the package it lies in, installed or not, and runs it."""

import sys
from pathlib import Path

if __name__ == "__main__":
    root = str(Path(__file__).resolve().parents[2])
    if root not in sys.path:
        sys.path.insert(0, root)
    from tabstop.beside.governor_process import main

    sys.exit(main())

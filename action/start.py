"""What action.yml starts: finds the action's own modules, and says so plainly where Python is too old for them.

Written for any Python 3, so that an old one reaches the message. `python3 -I -S` keeps the job's own packages and
settings out of the way; nothing is installed.
"""

import sys
from pathlib import Path

OLDEST = (3, 11)

TOO_OLD = (
    "::error title=Tabstop needs Python {0}.{1} or newer::This runner's python3 is {2}.{3}. Likely cause: an older runner "
    "image (ubuntu-24.04 and newer have it).%0AAdd this step before Tabstop's:%0A%0A"
    "- uses: actions/setup-python@v6%0A  with:%0A    python-version: '3.13'"
)

if __name__ == "__main__":
    if sys.version_info < OLDEST:
        print(TOO_OLD.format(*OLDEST, *sys.version_info[:2]))
        sys.exit(2)
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from action.main import main

    sys.exit(main())

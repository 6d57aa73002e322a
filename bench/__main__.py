"""`python -m bench`: measurements as JSON lines on stdout, what is being done on stderr. ONLY=prefix for some of them."""

from __future__ import annotations

import argparse
import os
import sys
import time

from bench import (
    admission,
    cost,
    gate,
    github_writes,
    governor,
    growth,
    hooks,
    ingest,
    over_http,
    proxy,
    runaway,
    statusline,
    truth,
)
from bench.databases import Machine, machine
from bench.figures import NotHereError, Part, say


def parts(here: Machine) -> list[Part]:
    """Everything that can be measured, in the order it is."""
    return [
        *gate.parts(here),
        *over_http.parts(here),
        *growth.parts(here),
        *ingest.parts(here),
        *admission.parts(here),
        *github_writes.parts(here),
        *hooks.parts(),
        *governor.parts(),
        *proxy.parts(),
        *runaway.parts(),
        *cost.parts(),
        *truth.parts(),
        *statusline.parts(),
    ]


def main() -> int:
    """Measure; 2 when ONLY names nothing there is, or for any argument but --help."""
    argparse.ArgumentParser("python -m bench", description=__doc__).parse_args()
    only = os.environ.get("ONLY", "")
    with machine() as here:
        chosen = [(part, [name for name in part.names if name.startswith(only)]) for part in parts(here)]
        chosen = [(part, names) for part, names in chosen if names]
        if not chosen:
            known = ", ".join(name for part in parts(here) for name in part.names)
            say(f"ONLY={only} names none of: {known}")
            return 2
        for part, names in chosen:
            begun = time.monotonic()
            try:
                for figure in part.measure(names):
                    print(figure.line(), flush=True)
            except NotHereError as error:
                say(f"{', '.join(names)}: not measured. {error}")
            say(f"({', '.join(names)} took {time.monotonic() - begun:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

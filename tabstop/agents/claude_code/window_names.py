"""Window names: what Claude Code calls its plan's windows, and what the headers of Anthropic's answers, and so we, call them. Pure.

Claude Code 2.1.330 knows `five_hour`, `seven_day`, and of single models and products `seven_day_opus`, `_sonnet`, `_oauth_apps`,
`_cowork`, `_omelette`, `_overage_included`. New ones come with new models: the prefix says how long they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tabstop.gauge import FIVE_HOURS, WEEKLY

_PREFIXES = {"five_hour": (FIVE_HOURS, "5h", 5 * 60), "seven_day": (WEEKLY, "7d", 7 * 24 * 60)}
_SHORT = {"overage_included": "oi"}
"""Where the headers have a shorter word than the client."""

_NAME = re.compile(r"(five_hour|seven_day)(?:_([a-z0-9_]{1,40}))?")
_MOST = 10


def windows_named(names: Iterable[object]) -> Iterator[tuple[str, str, int]]:
    """Of these names those of windows: the client's name, ours, minutes. The shorter windows first, and ten at most."""
    found = filter(None, (_NAME.fullmatch(name) for name in names if isinstance(name, str)))
    for one in sorted(found, key=lambda one: one[0])[:_MOST]:
        window, short, minutes = _PREFIXES[one[1]]
        scope = one[2]
        yield one[0], f"{short}_{_SHORT.get(scope, scope)}" if scope else window, minutes

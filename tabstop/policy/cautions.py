"""Cautions: what a file says that does less, or more, than its author may think. Each counts all the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tabstop.governor.settings import OnLimit
from tabstop.policy import notation as n
from tabstop.policy.document import PolicyDocument, Written
from tabstop.policy.grammar import KEYS
from tabstop.policy.limits import LIMITS
from tabstop.policy.model import Policy, SessionLimits
from tabstop.policy.problem import Note, Severity

_SESSION = tuple(limit for limit in LIMITS if limit.attribute[0] == "session")
_HAVE_USUAL = {key.path for key in KEYS if key.usual}
_AT_LIMIT = ("session.on_limit", "session.on_tokens")
_SUMMARY = "Only the wrapper (`tabstop run`) and the proxy can make a last answer; with hooks alone the session halts there, and says so."


def cautions(document: PolicyDocument, policy: Policy) -> tuple[Note, ...]:
    """Notes on what this file says, in file order. policy: what it makes, with what it lies over."""
    found = [*_at_limits(document.values), *_unlimited(document.values), *_nothing_left(document.values, policy)]
    found += _never_reached(document.values, policy)
    return tuple(sorted(found, key=lambda note: (note.line, note.column)))


def _at_limits(values: Mapping[str, Written]) -> Iterator[Note]:
    for path in _AT_LIMIT:
        written = values.get(path)
        if written is not None and written.value is OnLimit.ASK:
            said = f"`{path}` is ask. In CI nobody can answer, so there it becomes summary. {_SUMMARY}"
            yield replace(_note(path, written, said), severity=Severity.WARNING)
        elif written is not None and written.value is OnLimit.SUMMARY:
            yield _note(path, written, f"`{path}` is summary. {_SUMMARY}")


def _unlimited(values: Mapping[str, Written]) -> Iterator[Note]:
    """Every bound of a session that is taken away; those with a usual range are noted with it."""
    for path, written in values.items():
        if written.value is None and written.text == n.UNLIMITED and path not in _HAVE_USUAL:
            yield _note(path, written, f"`{path}` is unlimited.")


def _nothing_left(values: Mapping[str, Written], policy: Policy) -> Iterator[Note]:
    written = [values[limit.path] for limit in _SESSION if limit.path in values]
    if written and all(limit.of(policy) is None for limit in _SESSION):
        usual = Policy(session=SessionLimits())
        defaults = ", ".join(f"`{limit.path.partition('.')[2]}: {limit.shown(limit.of(usual))}`" for limit in _SESSION)
        said = f"No limit of a session is left. A session that no budget bounds gets the defaults, and says so: {defaults}."
        yield _note("session", written[0], said)


def _never_reached(values: Mapping[str, Written], policy: Policy) -> Iterator[Note]:
    """So many near-identical answers as are never compared."""
    signal, path = policy.runaway.likeness, "runaway.likeness"
    written = values.get(f"{path}.threshold") or values.get(f"{path}.sample")
    if written is not None and signal.threshold > signal.sample:
        said = f"`{path}.threshold` is {signal.threshold}, but only the last {signal.sample} answers are compared (`{path}.sample`): it is never reached."
        yield _note(f"{path}.threshold", written, said)


def _note(path: str, written: Written, sentence: str) -> Note:
    return Note(written.line, written.column, path, sentence)

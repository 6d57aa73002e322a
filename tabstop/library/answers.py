"""Answers: what a program says its model answered, made into a usage that counts once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from tabstop.governor.likeness import likeness_of
from tabstop.library.vendor_usage import read_told
from tabstop.usage import Tokens, Usage


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer. likeness: of its text; None for no text worth comparing."""

    usage: Usage
    likeness: int | None = None


def read_answer(answer: object, model: str, at: datetime) -> Answered:
    """Read what `tabstop.library.vendor_usage.SHAPES` names. Raises `UnknownUsageError`.

    model: stands in where the answer names none. An answer with an id counts once however often it is told; a usage alone
    has none, so each telling counts.
    """
    if isinstance(answer, Usage):
        return Answered(answer)
    if isinstance(answer, Tokens):
        return Answered(Usage((_new_key(),), model, answer, at))
    told = read_told(answer)
    usage = Usage(
        keys=(told.id or _new_key(),),
        model=told.model or model,
        tokens=told.tokens,
        occurred_at=at,
        web_searches=told.web_searches,
        cache_split_known=told.cache_split_known,
    )
    return Answered(usage, likeness_of(told.text) if told.text else None)


def _new_key() -> str:
    return f"library:answer:{uuid.uuid4()}"

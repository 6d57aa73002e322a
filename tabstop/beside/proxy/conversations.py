"""Conversations: how many tokens the next prompt can be at most, from what earlier ones of the same thread were and what is new."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tabstop.beside.proxy.call import Call, Part
from tabstop.model_id import bare

THREADS = 256
"""Threads that are remembered, the ones used last."""

PROMPTS = 6
"""Prompts of one thread that are remembered: side questions come between those of the conversation itself."""

ANSWERS = 1_024
"""Answers that are remembered by their id, for APIs that let a request go on from one."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    model: str
    basis: int
    parts: Counter[int]
    tokens: int


class Conversations:
    """What prompts of one session were. Holds digests and counts, no text.

    A prompt is a list of parts (instructions, tools, messages). One that has parts in common with an earlier prompt has at
    most that one's tokens and the bytes of what is new in it: a token is at least a byte.
    """

    def __init__(self, taken_up: int = 0) -> None:
        """Nothing is known but, where another process had the main thread's conversation, its most tokens up to the model's last word."""
        self._taken_up = taken_up
        self._threads: dict[str, list[_Prompt]] = {}
        self._answers: dict[str, int] = {}

    def bound(self, thread: str, call: Call) -> int | None:
        """The most tokens this call's prompt can have. None when it goes on from an answer that was not seen."""
        if call.after:
            before = self._answers.get(call.after)
            return None if before is None else before + _size(call.parts)
        model = bare(call.model)
        for one in reversed(self._threads.get(thread, ())):
            if (one.model, one.basis) == (model, call.basis):
                new = _new(call.parts, one.parts)
                # Where most is new, as after compaction or for a side question, an earlier prompt says little.
                if 2 * len(new) <= len(call.parts):
                    return one.tokens + _size(new)
        if self._taken_up and not thread and call.fresh is not None:
            return self._taken_up + _size(call.parts[len(call.parts) - call.fresh :])
        return _size(call.parts)

    def answered(self, thread: str, call: Call, prompt: int, output: int, answers: tuple[str, ...]) -> None:
        """Remember what a prompt really was, and what its answer adds to the next."""
        for answer in answers:
            self._answers[answer] = prompt + output
        while len(self._answers) > ANSWERS:
            del self._answers[next(iter(self._answers))]
        if call.after or not prompt:
            return
        prompts = self._threads.pop(thread, [])
        prompts.append(_Prompt(bare(call.model), call.basis, Counter(one.key for one in call.parts), prompt))
        self._threads[thread] = prompts[-PROMPTS:]
        if len(self._threads) > THREADS:
            del self._threads[next(iter(self._threads))]


def _new(parts: tuple[Part, ...], known: Counter[int]) -> tuple[Part, ...]:
    """The parts that were not in the earlier prompt; what was in it twice may be here twice."""
    left = dict(known)
    new = []
    for one in parts:
        if left.get(one.key, 0):
            left[one.key] -= 1
        else:
            new.append(one)
    return tuple(new)


def _size(parts: tuple[Part, ...]) -> int:
    return sum(one.size for one in parts)

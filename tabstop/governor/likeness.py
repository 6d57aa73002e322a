"""Likeness: a fingerprint of an answer's text that stays nearly the same while its wording nearly does.

A 63-bit simhash (Charikar, "Similarity estimation techniques from rounding algorithms", 2002) over the words of the text, with
everything taken out that changes by itself: times, ids, numbers, temporary paths. The text cannot be read back from it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

BITS = 63
"""So that it fits a signed 64-bit integer everywhere it is stored."""

SHORTEST = 8
"""Words below which a text says too little to be compared: 'Now let me run the tests.' is said by every agent."""

ALIKE = 16
"""Bits that may differ. Unrelated texts differ in about 31, the same text with other numbers in none; in long real sessions one
pair in a hundred comes this near, and never more than three of eight answers.
"""

LONGEST = 4_000
"""Characters that are looked at. An answer that repeats itself does so from its first words on."""

_LANE = 16
_LANE_MASK = (1 << _LANE) - 1

_CHANGES_BY_ITSELF = re.compile(
    r"""
    (?=[\d/a-f]|\b[a-z])  # where none of the below can begin, one look tells so
    (?:
      (?P<time>\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:z|[+-]\d\d:?\d\d)?)? | \d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?)
    | (?P<temporary>(?:/private)?(?:/tmp|/var/folders|/var/tmp)/[^\s'"`)]+)
    | (?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12} | 0x[0-9a-f]+ | \b(?=[a-z]*\d)(?=\d*[a-f])[0-9a-f]{7,64}\b
       | \b[a-z]{2,6}_(?=[a-z]*\d)[0-9a-z]{6,}\b)
    | (?P<number>\d+(?:[.,]\d+)*)
    )
    """,
    re.VERBOSE,
)
_WORD = re.compile(r"[^\W_]+(?:['._/-][^\W_]+)*")
_SAY_LITTLE = re.compile(
    r"an?|and|are|as|at|be|been|but|by|can|do|for|from|had|ha(?:s|ve)|i(?:'ll|'m)?|i[fnst]|into|it(?:'?s)|let(?:'s)?|me|my|needs?|"
    r"not|now|o[fnr]|our|s|so|that|the(?:ir|m|n|re|se|y)?|this|to|up|us|was|we|were|what|which|while|will|with|your?"
)


def likeness_of(text: str) -> int | None:
    """The fingerprint of a text; None for one too short to be compared."""
    words = _words(text)
    if len(words) < SHORTEST:
        return None
    different = set(words)
    telling = {word for word in different if not _SAY_LITTLE.fullmatch(word)} or different
    votes = sum(_votes(word) for word in telling)
    half = len(telling) // 2
    return sum(1 << bit for bit in range(BITS) if (votes >> bit * _LANE) & _LANE_MASK > half)


def alike(one: int, other: int) -> bool:
    """Whether two texts with these fingerprints say nearly the same."""
    return (one ^ other).bit_count() <= ALIKE


def _words(text: str) -> list[str]:
    plain = _CHANGES_BY_ITSELF.sub(lambda found: f" {found.lastgroup} ", text[:LONGEST].lower())
    return _WORD.findall(plain)


@lru_cache(maxsize=4096)
def _votes(word: str) -> int:
    """The bits of the word's digest, each in a lane of its own, so that one addition counts all of them."""
    digest = int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    return sum(1 << bit * _LANE for bit in range(BITS) if digest >> bit & 1)

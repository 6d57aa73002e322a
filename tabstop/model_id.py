"""Model ids: the many ways clients and clouds spell one model, read into where to look its price up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_CALLED = {  # what agents call a provider, where the price book has another name for it
    "amazon-bedrock": "aws",
    "bedrock": "aws",
    "gemini": "google",
    "google-vertex": "google",
    "google-vertex-anthropic": "google",
    "models": "google",
    "vertex": "google",
    "vertex_ai": "google",
    "xai": "x-ai",
}
_BRACKETS = re.compile(r"^(.*?)\[([a-z0-9-]+)\]$")
_BEDROCK = re.compile(r"^(?:[a-z-]+\.)?anthropic\.")
_REVISION = re.compile(r"-v\d+(?::\d+)?$")
_DATE = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d|latest|default)$")


@dataclass(frozen=True, slots=True)
class Variant:
    """How a request was served where that changes its price: pairs of the price book's request context."""

    context: tuple[tuple[str, str], ...] = ()


_VARIANTS = {  # a word in brackets behind the id
    "fast": Variant((("speed", "fast"), ("service_tier", "fast"))),
    "batch": Variant((("processing", "batch"),)),
    "flex": Variant((("service_tier", "flex"),)),
    "priority": Variant((("service_tier", "priority"),)),
    "us": Variant((("inference_geo", "us"),)),
    "1m": Variant(),  # Claude Code's mark for the long context window: the prompt's length decides, not the mark
}


@dataclass(frozen=True, slots=True)
class ModelId:
    """An id, read. places: (provider or empty for the vendor, id there) to try in this order.

    served_by: the provider named or evident; a price found elsewhere is not exactly its price. None when not evident.
    """

    places: tuple[tuple[str, str], ...]
    served_by: str | None
    variant: Variant = Variant()


def with_variant(model: str, word: str) -> str:
    """The id of a model served in a way that is priced differently: `claude-opus-5-5[fast]`."""
    return f"{without_variant(model)}[{word}]" if word in _VARIANTS else model


def without_variant(model: str) -> str:
    """The id without its bracket: `claude-sonnet-4-5[1m]` is `claude-sonnet-4-5`."""
    found = _BRACKETS.match(model)
    return found[1] if found else model


def same_model(one: str, other: str) -> bool:
    """Whether two ids name one model: equal but for a date, a revision, `latest`, or Bedrock's region."""
    return bare(one) == bare(other)


@lru_cache(maxsize=1_024)
def bare(model: str) -> str:
    """What all spellings of one model have in common: no variant, region, revision or date; lower case."""
    ref = without_variant(model.lower())
    ref = _REVISION.sub("", _BEDROCK.sub("", ref))
    return _DATE.sub("", ref)


def read_model_id(model: str, provider: str, providers: frozenset[str]) -> ModelId:
    """Read an id as usage spells it.

    Forms: `claude-…`, with a date `-20250929` or Vertex's `@20250929`; `anthropic/claude-…` and
    `openrouter/anthropic/claude-…`; Bedrock's `us.anthropic.claude-…-v1:0`, alone or at the end of an ARN; and a
    variant in brackets behind any of them (`[1m]`, `[fast]`).
    providers: the ids the price book knows.
    """
    ref = model.strip().lower()
    variant = Variant()
    if (found := _BRACKETS.match(ref)) is not None and found[2] in _VARIANTS:
        ref, variant = found[1], _VARIANTS[found[2]]
    if ref.startswith("arn:aws:"):
        provider, ref = "aws", ref.rsplit("/", 1)[-1]
    served_by = _CALLED.get(provider, provider)
    first, slash, rest = ref.partition("/")
    named = _CALLED.get(first, first)
    if slash and named in providers and served_by in {"", named}:
        served_by, ref = named, rest
    elif not served_by and _BEDROCK.match(ref):
        served_by = "aws"
    elif not served_by and "@" in ref and ref.startswith("claude"):
        served_by = "google"
    return ModelId(_places(served_by, ref), served_by or None, variant)


def _places(served_by: str, ref: str) -> tuple[tuple[str, str], ...]:
    spelled = [ref]
    if "@" in ref:  # the book knows most dated ids with a hyphen only
        spelled += [ref.replace("@", "-", 1), ref.partition("@")[0]]
    places = [(served_by, one) for one in spelled]
    if _BEDROCK.match(ref):
        places.append(("anthropic", _REVISION.sub("", _BEDROCK.sub("", ref))))
    return tuple(places)

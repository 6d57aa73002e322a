"""Forms: each kind of value a policy may hold, how it is read, and how JSON Schema says the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from typing import Any
from zoneinfo import available_timezones

from tabstop.policy import notation as n
from tabstop.policy.problem import nearest
from tabstop.quantity import listed


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of scalar. The pattern decides what may be written; `read` turns it into the model's value.

    what: "a number of tokens". allowed: for people, with examples. pattern: ECMA-262 without anchors.
    number: the JSON Schema of the same value written as a plain number; None where only text will do.
    choices: words that may stand here. slips: what people write for them. plain_only: quotes change the meaning.
    guess: for a text that cannot be read, one that was probably meant; checked before anybody sees it.
    read raises `ValueError` with a clause.
    """

    what: str
    allowed: str
    pattern: str
    read: Callable[[str], Any]
    number: Mapping[str, Any] | None = None
    choices: tuple[str, ...] = ()
    slips: tuple[tuple[str, str], ...] = ()
    plain_only: bool = False
    guess: Callable[[str], str] | None = None

    def value(self, text: str, *, plain: bool = True) -> Any:
        """The model's value. `plain` is False for text in quotes. Raises `ValueError` with what is wrong, a clause."""
        if self.plain_only and not plain:
            raise ValueError("quotes make it text")
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"that is not {self.what}")
        return self.read(text)

    def nearest(self, text: str) -> str:
        """What was probably meant by a text that cannot be read."""
        guessed = self.guess(text) if self.guess else ""
        if guessed and guessed != text and re.fullmatch(self.pattern, guessed):
            return guessed
        return dict(self.slips).get(text.strip().lower(), "") or nearest(text, self.choices)

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of this value."""
        if self.plain_only:
            return {"type": "boolean"}
        if self.choices and self.pattern == _words(self.choices):
            return {"enum": list(self.choices)}
        text: dict[str, Any] = {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        return {"anyOf": [dict(self.number), text]} if self.number else text


@dataclass(frozen=True, slots=True)
class ListForm:
    """A list of scalars or of such lists, each once.

    ascending: each greater than the one before. word: may stand in the list's place, for None.
    """

    item: Form | ListForm
    at_most: int
    ascending: bool = False
    at_least: int = 0
    word: str = ""

    @property
    def allowed(self) -> str:
        """For people."""
        order = ", each greater than the one before" if self.ascending else ""
        instead = f"; or `{self.word}`" if self.word else ""
        return f"a list; each item: {self.item.allowed}{order}{instead}"

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of this list; it cannot say that items ascend."""
        sizes = {"minItems": self.at_least} if self.at_least else {}
        items = {"maxItems": self.at_most, "uniqueItems": True, "items": self.item.schema()}
        body: dict[str, Any] = {"type": "array", **sizes, **items}
        return {"anyOf": [{"enum": [self.word]}, body]} if self.word else body


def _words(words: Iterable[str]) -> str:
    return "|".join(words)


def choice(kind: type[StrEnum], words: tuple[str, ...] = (), slips: tuple[tuple[str, str], ...] = ()) -> Form:
    """One of an enum's words."""
    words = words or tuple(kind)
    allowed = listed([f"`{word}`" for word in words], "or")
    return Form("a word that may stand here", allowed, _words(words), kind, choices=words, slips=slips)


def or_word(form: Form, word: str, value: Any, slips: tuple[str, ...] = ()) -> Form:
    """The same form, with one word allowed beside it that stands for `value`."""

    def read(text: str) -> Any:
        return value if text == word else form.read(text)

    return Form(
        form.what,
        f"{form.allowed}, or `{word}`",
        f"{word}|{form.pattern}",
        read,
        form.number,
        (*form.choices, word),
        (*form.slips, *((slip, word) for slip in slips)),
        guess=form.guess,
    )


def or_unlimited(form: Form) -> Form:
    """The same form, with `unlimited` written out for no limit (None)."""
    return or_word(
        form, n.UNLIMITED, None, ("none", "infinite", "infinity", "inf", ".inf", "no limit", "-1", "off", "max", "∞")
    )


def whole(at_least: int, at_most: int = n.MOST_COUNT, such_as: str = "`20`") -> Form:
    """A whole number."""
    return Form(
        "a whole number",
        f"a whole number such as {such_as}",
        n.WHOLE,
        partial(n.read_whole, at_least=at_least, at_most=at_most),
        {"type": "integer", "minimum": at_least, "maximum": at_most},
    )


def percent(at_least: int, at_most: int) -> Form:
    """A percentage; the model's value is whole percent."""
    return Form(
        "a percentage",
        f"a percentage from {at_least} to {at_most:,}",
        rf"{n.WHOLE} ?%?",
        partial(n.read_percent, at_least=at_least, at_most=at_most),
        {"type": "integer", "minimum": at_least, "maximum": at_most},
    )


def span(at_least: int, at_most: int, such_as: str) -> Form:
    """A length of time; the bounds and the model's value are seconds."""
    read = partial(n.read_seconds, at_least=at_least, at_most=at_most)
    return Form("a length of time", f"a length of time with its unit such as {such_as}", n.DURATION, read)


def _text(
    what: str, allowed: str, pattern: str, read: Callable[[str], Any] = str, guess: Callable[[str], str] | None = None
) -> Form:
    # A login or a model may be all digits, which YAML hands an editor as a number.
    return Form(what, allowed, pattern, read, {"type": "integer", "minimum": 0}, guess=guess)


def _sentence(text: str) -> str:
    joined = " ".join(text.split())
    if len(joined) > 200:
        raise ValueError(f"that is {len(joined)} characters long, more than 200")
    return joined


@cache
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})


def _timezone(text: str) -> str:
    if text not in _timezones():
        raise ValueError("there is no such timezone")
    return text


def _channel(text: str) -> str:
    name = text.removeprefix("#")
    if re.fullmatch(r"[CG][A-Z0-9]{8,20}", name):
        return name
    if name != name.lower():
        raise ValueError("names of Slack channels are lower case")
    return f"#{name}"


def _count_in_words(text: str) -> str:
    short = re.sub(r" *(thousand|million|billion)s?", lambda found: found[1][0], text.lower())
    return short.replace("t", "k").upper() if short != text.lower() else ""


def _without_at(text: str) -> str:
    return text.strip().lstrip("@")


MEMBER_ID = r"[UW][A-Z0-9]{8,20}"
"""A person's id in Slack, for `re.fullmatch`; names of channels are lower case, and their ids begin with C, D or G."""

_LOGIN = r"[A-Za-z0-9][A-Za-z0-9-]{0,38}(?:_[A-Za-z0-9]{1,20})?"

SOME_TOKENS = Form(
    "a number of tokens",
    "a number such as `500k` or `10M`",
    n.TOKENS,
    n.read_tokens,
    {"type": "integer", "minimum": 1, "maximum": n.MOST_TOKENS},
    guess=_count_in_words,
)
TOKENS = or_unlimited(SOME_TOKENS)
COUNT = or_unlimited(whole(1, such_as="`200`"))
SPAN = span(60, n.MOST_SECONDS, "`30m`, `2h` or `1h30m`")
DURATION = or_unlimited(SPAN)
DOLLARS = Form(
    "an amount of dollars",
    "an amount such as `$10` or `2.50`",
    n.DOLLARS,
    partial(n.read_dollars, at_least=1),
    {"type": "number", "exclusiveMinimum": 0, "maximum": n.MOST_DOLLARS},
)
COST = or_unlimited(DOLLARS)
HOLD = or_word(DOLLARS, "auto", None)
CAP = or_unlimited(
    Form(
        "a cap",
        "dollars such as `$50`, tokens such as `1M tokens`, both as `$50 and 1M tokens`",
        n.CAP,
        n.read_cap,
        {"type": "number", "minimum": 0, "maximum": n.MOST_DOLLARS},
    )
)
# `unlimited` of a cap is a cap without bounds, not None.
CAP = Form(
    CAP.what,
    CAP.allowed,
    CAP.pattern,
    n.read_cap,
    CAP.number,
    CAP.choices,
    CAP.slips,
    guess=lambda text: f"{text} tokens",
)
PERCENT = Form(
    "a percentage",
    "a percentage from 1 to 99",
    n.PERCENT,
    lambda text: int(text.rstrip(" %")),
    {"type": "integer", "minimum": 1, "maximum": 99},
)
DISCOUNT = Form(
    "a discount",
    "a percentage such as `15%`",
    n.DISCOUNT,
    n.read_discount,
    {"type": "number", "minimum": 0, "maximum": 100},
)
RATE = Form(
    "a price",
    "dollars per million tokens such as `3` or `$0.30`",
    n.DOLLARS,
    n.read_rate,
    {"type": "number", "minimum": 0, "maximum": n.MOST_RATE},
)
DATE = Form("a day", "a day such as `2026-01-31`", n.DATE, n.read_date)
YES_NO = Form(
    "`true` or `false`",
    "`true` or `false`, without quotes",
    "true|false",
    lambda text: text == "true",
    choices=("true", "false"),
    slips=tuple((w, "true") for w in ("yes", "on", "y", "1")) + tuple((w, "false") for w in ("no", "off", "n", "0")),
    plain_only=True,
)
WHY = Form("a sentence", "a sentence of up to 200 characters", r"\s*\S[\s\S]*", _sentence, {"type": "number"})
LOGIN = _text("a GitHub login", "a GitHub login such as `octocat`, without `@`", _LOGIN, str.lower, _without_at)
APPROVER = _text(
    "a GitHub login or a team",
    "a GitHub login such as `octocat`, or `team:` and a team's slug",
    rf"team:[A-Za-z0-9_.-]{{1,100}}|{_LOGIN}",
    str.lower,
    _without_at,
)
PURPOSE = _text("a purpose", "lower-case letters, digits, `-` and `_`, such as `review`", r"[a-z0-9][a-z0-9_-]{0,39}")
MODEL = _text("a model", "a model id; `*` stands for any characters: `claude-haiku-*`", r"[A-Za-z0-9._:/@*?-]{1,128}")
MODEL_ID = _text("a model id", "a model id such as `claude-haiku-5-5`", r"[A-Za-z0-9._:/@-]{1,128}")
KIND = _text(
    "a kind of subagent",
    'a kind as the agent names it; `*` stands for any characters: `"*research*"`',
    r"[A-Za-z0-9._:/ *?-]{1,100}",
    str.lower,
)
ACCOUNT = _text(
    "an account's id",
    "the id that the vendor gives the account: letters, digits and any of _ . : -",
    r"[A-Za-z0-9_.:-]{1,100}",
)
REPOSITORY_NAME = _text(
    "a pattern of repository names",
    "a name without its owner; `*` stands for any characters: `payments-*`",
    r"[A-Za-z0-9._*?-]{1,100}",
)
TOPIC = _text("a topic", "a repository topic such as `machine-learning`", r"[a-z0-9][a-z0-9-]{0,49}")
CHANNEL = _text(
    "a Slack channel", 'a channel such as `"#agents"` in quotes, or its id', r"#?[^\s#@<>,`]{1,80}", _channel, str.lower
)
CHANNEL_OR_OFF = or_word(CHANNEL, "off", "")
_ADDRESS = r"[^\s@<>,;`]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"
PERSON = Form(
    "a person in Slack",
    "a member id such as `U012AB3CD`, or the e-mail address the person has in Slack",
    rf"{MEMBER_ID}|{_ADDRESS}",
    lambda text: text.lower() if "@" in text else text,
)
ALIAS = _text(
    "another name of a person",
    "an e-mail address, the name in git, a bot such as `renovate[bot]`, or another or a former login",
    rf"{_ADDRESS}|[^\s@<>,;`]{{1,100}}(?: [^\s@<>,;`]{{1,100}}){{0,9}}",
    str.lower,
    _without_at,
)
TIMEZONE = Form(
    "a timezone",
    "an IANA name such as `Europe/Berlin`",
    r"[A-Za-z][A-Za-z0-9_+/-]{1,63}",
    _timezone,
    guess=lambda text: nearest(text, _timezones()),
)

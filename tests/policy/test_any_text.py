"""Any text for a policy file: none crashes, none takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabstop.policy.document import PolicyKind
from tabstop.policy.grammar import KEYS
from tabstop.policy.read import parse
from tests.policy.builders import in_force, problems, repository

NAMES = sorted({part for key in KEYS for part in key.path.replace("[]", "").split(".")})

VALUES = ("unlimited", "$10", "10M", "2h", "75", "é")

SIGNS = (
    "[",
    "]",
    "{",
    "}",
    ":",
    "- ",
    "\n",
    "  ",
    "#",
    "*",
    "&",
    "!",
    '"',
    "'",
    "|",
    ">",
    "?",
    ",",
    "%",
    "\t",
    "---",
    "\\",
)

words = st.sampled_from([*NAMES, *VALUES, *SIGNS, "\u2028", "\x85"])


@given(st.lists(words, max_size=40).map(" ".join), st.sampled_from(PolicyKind))
def test_no_policy_like_text_crashes(text: str, kind: PolicyKind) -> None:
    """Any arrangement of words that occur in policies gives a document or problems inside the file, and never both."""
    parsed = parse(text, kind)
    assert (parsed.document is None) == bool(parsed.problems)
    assert all(1 <= p.line <= text.count("\n") + 2 and p.column >= 1 and p.sentence for p in parsed.problems)
    assert all(p.sentence.isprintable() for p in parsed.problems)


@given(st.one_of(st.text(), st.binary()), st.sampled_from(PolicyKind))
def test_no_text_crashes(data: str | bytes, kind: PolicyKind) -> None:
    """Neither does anything else."""
    parsed = parse(data, kind)
    assert (parsed.document is None) == bool(parsed.problems)


tree = st.recursive(
    st.sampled_from(["unlimited", "'$10'", "10M", "1h", "5", "true", "''", "~", "auto", "off"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(
            st.sampled_from(["cap", "why", "model", "match", "topic", "input", "a"]), inner, max_size=3
        ).map(lambda entries: "{" + ", ".join(f"{key}: {value}" for key, value in entries.items()) + "}"),
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(sorted({key.path.split(".")[0].removesuffix("[]") for key in KEYS})), tree, max_size=6
    )
)
def test_no_shape_crashes(entries: dict[str, str]) -> None:
    """A value of any shape under any key is read or explained, and what was read can be put in force."""
    text = "\n".join(f"{key}: {value}" for key, value in entries.items())
    parsed = parse(text, PolicyKind.ORGANIZATION)
    assert (parsed.document is None) == bool(parsed.problems)
    if parsed.document is not None:
        in_force(text, None)


@pytest.mark.parametrize(
    "text", ["[" * 65_000, "{" * 65_000, "- " * 32_000, "a: " * 21_000, "? " * 32_000, "&a " * 21_000, "'" * 65_000, "a\n" * 32_000,
             "tab:\n" * 13_000, "steps: [" + "75," * 20_000 + "]"],
    ids=lambda text: text[:4].strip(),
)  # fmt: skip
def test_hostile_files_take_a_moment_only(text: str) -> None:
    """The largest file of the worst shape does not keep a worker busy."""
    begin = time.process_time()
    assert problems(text)
    assert time.process_time() - begin < 10


def test_an_alias_as_the_whole_file() -> None:
    """One problem, said once."""
    assert len(problems("*everything")) == 1


def test_any_words_of_a_reason_are_kept() -> None:
    """A reason that YAML takes for a number is still a reason."""
    assert repository("tab: {cap: 5, why: 2026}").get("tab.why") == "2026"

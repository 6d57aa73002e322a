"""Text from outside stays text: no markup, no mention, no link, no cell that breaks its table."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tabstop.markdown import bar, code, plain, prose, table

HOSTILE = (
    "<script>alert(1)</script>",
    "![x](https://evil.example/track.png)",
    "[click](javascript:alert(1))",
    "@acme/everyone @alice",
    "fixes #1, GH-2, acme/web#3",
    "https://evil.example www.evil.example",
    "a | b || c",
    "`` ` ```",
    "`<b>` and `@alice`",
    "**bold** _em_ ~~gone~~ $x$ &lt;b&gt; &copy;",
    "# heading",
    "1. list",
    "- list",
    "> quote",
    "two\nlines\r\n\n## and a heading",
    "\u202emirrored\u202c \x1b[31mred\x00",
    "\\`x\\` \\[x](y)",
)
ENGINE = MarkdownIt("gfm-like", {"linkify": False})


def rendered(markdown: str) -> str:
    """What a reader's browser gets."""
    return str(ENGINE.render(markdown))


@pytest.mark.parametrize("text", HOSTILE)
def test_prose_and_names_render_as_text(text: str) -> None:
    """Whatever a branch, title or reason says, the finished page has one paragraph of text and code in it."""
    for made in (prose(text), code(text)):
        html = rendered(f"Branch: {made} end")
        assert set(re.findall(r"</?(\w+)", html)) <= {"p", "code"}, html
        outside = re.sub(r"<code>.*?</code>", "", html)
        assert not re.search(r"@\w|#\d|GH-\d|://|www\.\w", outside), outside


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_first_word_starts_no_block(text: str) -> None:
    """A sentence at the start of a line is a paragraph, not a heading, a list or a quote."""
    assert rendered(prose(text)).startswith("<p>")


@given(st.lists(st.text(max_size=40), min_size=2, max_size=2))
def test_a_cell_never_breaks_its_table(texts: list[str]) -> None:
    """Two cells stay two cells, whatever they hold."""
    first, second = texts
    html = rendered("\n".join(table(("A", "B"), [(code(first, in_table=True) or "x", prose(second, in_table=True))])))
    assert html.count("<tr>") == 2, html
    assert html.count("<td>") == 2, html
    assert set(re.findall(r"</?(\w+)", html)) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}, html


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("claude/fix_login-2", "`claude/fix_login-2`"),
        ("a`b", "`a'b`"),
        ("", ""),
        ("  ", ""),
        ("x" * 70, "`" + "x" * 59 + "…`"),
    ],
)
def test_names_stay_readable(text: str, made: str) -> None:
    """A usual name is shown as it is; a very long one is cut."""
    assert code(text) == made


@pytest.mark.parametrize(
    "text",
    [
        "The tab's budget is spent: $50.10 spent + $2.00 held of $50.00, $2.00 asked.",
        "75 % of it (fix_login) by 1 December 2026 00:00 UTC - and more: see docs/configuration.md.",
    ],
)
def test_usual_sentences_read_well_as_plain_text(text: str) -> None:
    """Mail shows the source of a comment: a sentence without anything active in it is not touched."""
    assert prose(text) == text


def test_a_pipe_in_a_cell_and_outside() -> None:
    """Only a table needs its pipes escaped inside code."""
    assert (code("a|b"), code("a|b", in_table=True)) == ("`a|b`", "`a\\|b`")


def test_plain_is_one_line_without_markup() -> None:
    """Titles show backquotes as they are, so they go."""
    assert plain("The tab's budget (`x`)\n is spent") == "The tab's budget (x) is spent"


@pytest.mark.parametrize(
    ("percent", "shown"),
    [(-3, "[----]"), (0, "[----]"), (24, "[----]"), (25, "[#---]"), (99, "[###-]"), (100, "[####]"), (250, "[####]")],
)
def test_a_bar_is_full_only_at_the_cap(percent: int, shown: str) -> None:
    """99.9 % never looks like the end."""
    assert bar(percent, 4) == shown


def test_a_table_aligns_its_numbers() -> None:
    """Columns of numbers are set to the right."""
    assert table(("Who", "Cost"), [("x", "$1.00")], right=(1,)) == ["| Who | Cost |", "| --- | ---: |", "| x | $1.00 |"]

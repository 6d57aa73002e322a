"""The one comment on a pull request: when it is made, what it says, and that it stays one short, harmless text."""

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from app.jobs.tab_facts import TabFacts
from app.render.comment import COMMENT_LIMIT, render_comment
from tabstop.policy.model import CommentMode
from tests.render.cases import CASES
from tests.support.golden import expect

ENGINE = MarkdownIt("gfm-like", {"linkify": False})


def with_mode(facts: TabFacts, mode: CommentMode) -> TabFacts:
    """The same tab under a policy with this comment mode."""
    return replace(facts, policy=replace(facts.policy, policy=replace(facts.policy.policy, comment=mode)))


@pytest.mark.parametrize("case", CASES)
def test_what_the_comment_says(case: str) -> None:
    """Every text people see is kept as a file."""
    body = render_comment(with_mode(CASES[case], CommentMode.ALWAYS))
    assert body is not None
    expect(f"comment/{case}.md", body)
    assert body.count(CASES[case].marker) == 1
    assert len(body) <= COMMENT_LIMIT
    assert len(body.splitlines()) < 40, "a comment is read between two others"


# case: whether it is made in the modes always, on_spend, on_warning.
WANTED = {
    "no-agent": (True, False, False),
    "green": (True, True, False),
    "subscription": (True, True, False),
    "unknown-price": (True, True, True),
    "amber": (True, True, True),
    "red-advise": (True, True, True),
    "policy-problems": (True, True, True),
    "policy-edit": (True, False, False),
}


@pytest.mark.parametrize("case", WANTED)
def test_when_there_is_something_to_say(case: str) -> None:
    """`always`, `on_spend`, `on_warning`, `off`: exactly then."""
    modes = (CommentMode.ALWAYS, CommentMode.ON_SPEND, CommentMode.ON_WARNING)
    made = tuple(render_comment(with_mode(CASES[case], mode)) is not None for mode in modes)
    assert made == WANTED[case]
    assert render_comment(with_mode(CASES[case], CommentMode.OFF)) is None


def test_a_comment_once_made_is_kept_right() -> None:
    """After an overdrive a comment that said red says green, even where green alone would not have made one."""
    facts = with_mode(CASES["green"], CommentMode.ON_WARNING)
    posted = replace(facts, pull_request=replace(facts.pull_request, comment_id=5))
    assert "New agent sessions may start" in (render_comment(posted) or "")


def test_nothing_from_outside_becomes_markup() -> None:
    """A purpose or model with markup in it stays text."""
    html = str(ENGINE.render(render_comment(CASES["hostile"]) or ""))
    assert not re.search(r"<(img|script) ", html)
    assert re.findall(r'href="([^"]*)"', html) == ["https://github.com/acme/web/pull/7/checks"]
    outside = re.sub(r"<code[^>]*>.*?</code>", "", html, flags=re.DOTALL)
    assert not re.search(r"@\w|#\d", outside), outside

"""What was posted is shown as GitHub and Slack show it, and never as HTML of its own."""

from __future__ import annotations

import pytest

from app.demo import github_markdown, slack_blocks
from app.demo.page import brief


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("**a** `b`", "<p><strong>a</strong> <code>b</code></p>\n"),
        ("~~a~~", "<p><s>a</s></p>\n"),
        ("<!-- tabstop:budget -->\n", ""),
        ("a <!-- hidden --> b", "<p>a  b</p>\n"),
        ("`<!-- shown -->`", "<p><code>&lt;!-- shown --&gt;</code></p>\n"),
        ("a <script>b</script>", "<p>a &lt;script&gt;b&lt;/script&gt;</p>\n"),
        ("<div onclick=x>", "&lt;div onclick=x&gt;"),
        ("[a](javascript:b)", "<p>[a](javascript:b)</p>\n"),
    ],
)
def test_markdown_becomes_what_github_shows(markdown: str, html: str) -> None:
    """Markup is markup, a comment is hidden, everything else is text."""
    assert github_markdown.to_html(markdown) == html


def test_numbers_stand_right_without_a_style_of_their_own() -> None:
    """The page's policy forbids style attributes."""
    html = github_markdown.to_html("| a | b |\n| --- | ---: |\n| c | 1 |\n")
    assert '<td class="right">1</td>' in html
    assert "style=" not in html


@pytest.mark.parametrize(
    ("mrkdwn", "html"),
    [
        ("*a* _b_ ~c~ `d`", "<strong>a</strong> <em>b</em> <s>c</s> <code>d</code>"),
        ("<https://a.example/b|the page>", '<a href="https://a.example/b">the page</a>'),
        ("<javascript:a|b>", '<span class="mention">b</span>'),
        ("a &lt;b&gt; &amp; c", "a &lt;b&gt; &amp; c"),
        ("snake_case_name 2*3*4", "snake_case_name 2*3*4"),
        (":red_circle: :unheard_of:", "🔴 :unheard_of:"),
        ("a\nb", "a<br>b"),
        ("```a *b*```", "<pre>a *b*</pre>"),
        ('<script>alert("a")</script>', '<span class="mention">script</span>alert(&#34;a&#34;)<span class="mention">/script</span>'),
    ],
)  # fmt: skip
def test_mrkdwn_becomes_what_slack_shows(mrkdwn: str, html: str) -> None:
    """Slack's own markup; nothing else becomes a tag."""
    assert slack_blocks.mrkdwn(mrkdwn) == html


def test_blocks_become_what_slack_shows() -> None:
    """Header, section with fields, context, divider and buttons."""
    html = slack_blocks.to_html(
        [
            {"type": "header", "text": {"type": "plain_text", "text": "<b>"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "*a*"}, "fields": [{"type": "mrkdwn", "text": "f"}]},
            {"type": "divider"},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": "c"}]},
            {"type": "actions", "elements": [{"type": "button", "text": {"text": "Go"}, "url": "https://a.example"}]},
            {"type": "rich_text"},
        ],
        "plain",
    )
    assert html.splitlines() == [
        '<p class="slack-header">&lt;b&gt;</p>',
        '<p class="slack-section"><strong>a</strong></p><ul class="slack-fields"><li>f</li></ul>',
        '<hr class="slack-divider">',
        '<p class="slack-context">c</p>',
        '<p class="slack-actions"><a class="slack-button" href="https://a.example">Go</a></p>',
    ]


def test_a_message_without_blocks_is_its_text() -> None:
    """As old clients show it."""
    assert slack_blocks.to_html([], "*a*") == '<p class="slack-section"><strong>a</strong></p>'


def test_an_audit_row_is_brief() -> None:
    """Money as money, commits short, what is empty left out, what is nested deep only counted."""
    body = {"spent": {"nano": 86_320_000, "tokens": 5}, "old": None, "findings": [1, 2], "commit": "a" * 40, "ok": True}
    assert brief(body) == "commit: aaaaaaaaaa · findings: 2 · ok: true · spent.nano: $0.08632 · spent.tokens: 5"

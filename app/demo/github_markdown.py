"""Markdown as GitHub shows it: tables and struck-out text; HTML is shown as text, except for comments, which are hidden."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup


def to_html(text: str) -> Markup:
    """Safe HTML: nothing in `text` becomes a tag that Markdown does not know, and links lead to http(s) or a page's anchor."""
    return Markup(_MARKDOWN.render(text))  # noqa: S704 (raw HTML is escaped by `_html`, links are validated by markdown-it)


def _html(_self: RendererHTML, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType) -> str:
    raw = tokens[at].content.strip()
    return "" if raw.startswith("<!--") and raw.endswith("-->") else escape(tokens[at].content)


def _table_open(_self: RendererHTML, _tokens: Sequence[Token], _at: int, _options: OptionsDict, _env: EnvType) -> str:
    return '<div class="scrolls" tabindex="0" role="region" aria-label="Table"><table>\n'


def _table_close(_self: RendererHTML, _tokens: Sequence[Token], _at: int, _options: OptionsDict, _env: EnvType) -> str:
    return "</table></div>\n"


def _cell_open(self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    # The page's policy forbids style attributes, which markdown-it aligns with.
    if tokens[at].attrs.pop("style", "") == "text-align:right":
        tokens[at].attrs["class"] = "right"
    return self.renderToken(tokens, at, options, env)


def _markdown() -> MarkdownIt:
    # `html` has raw HTML recognized as such, so that hidden markers can be told from text; `_html` never lets it through.
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    markdown.add_render_rule("html_block", _html)
    markdown.add_render_rule("html_inline", _html)
    markdown.add_render_rule("table_open", _table_open)
    markdown.add_render_rule("table_close", _table_close)
    markdown.add_render_rule("th_open", _cell_open)
    markdown.add_render_rule("td_open", _cell_open)
    return markdown


_MARKDOWN = _markdown()

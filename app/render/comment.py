"""render_comment: the one comment on a pull request, kept up to date in place; None when there is nothing to say."""

from __future__ import annotations

from app.jobs.tab_facts import CHECK_NAME, TabFacts
from app.render.budget_bars import bars
from app.render.session_table import short_table
from app.render.tab_words import has_spend, next_steps, notional, plan_windows, state
from tabstop.policy.model import CommentMode
from tabstop.verdict import Outcome

COMMENT_LIMIT = 65_536
"""What GitHub takes as a comment's body, else `422 Body is too long (maximum is 65536 characters)`."""


def render_comment(facts: TabFacts) -> str | None:
    """The comment's Markdown, which reads well as plain text too, since mail shows it; it ends with the hidden marker."""
    if not _wanted(facts):
        return None
    blocks = [
        state(facts),
        "\n".join(bars(facts)),
        "\n".join(short_table(facts)) if facts.sessions else "",
        notional(facts),
        plan_windows(facts),
        "\n".join(f"- {step}" for step in next_steps(facts)),
        _ending(facts),
        facts.marker,
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _wanted(facts: TabFacts) -> bool:
    """A comment once made is kept right, whatever has become of the reason for it."""
    mode = facts.policy.policy.comment
    if mode is CommentMode.OFF:
        return False
    if mode is CommentMode.ALWAYS or facts.pull_request.comment_id is not None:
        return True
    warns = facts.verdict.outcome is not Outcome.ALLOW
    return warns or (mode is CommentMode.ON_SPEND and has_spend(facts))


def _ending(facts: TabFacts) -> str:
    checks = f"[check]({facts.links.pull_request}/checks)" if facts.links.pull_request else "check"
    return f"Kept up to date by Tabstop; the {checks} `{CHECK_NAME}` has the details."

"""HTML pages: rendered from a template, with a policy that lets the browser load and run nothing else."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from flask import Response, make_response, render_template
from markupsafe import Markup, escape


def page(
    template: str, values: Mapping[str, object] | None = None, *, status: int = 200, forms_go_to: str = ""
) -> Response:
    """A page. `forms_go_to`: one more origin its forms may be sent to, besides ours.

    The one style sheet is inline under a nonce of this answer; there is no script, image or font.
    """
    nonce = secrets.token_urlsafe(16)
    response = make_response(render_template(template, nonce=nonce, code_words=code_words, **(values or {})), status)
    response.headers["Content-Security-Policy"] = "; ".join(
        (
            "default-src 'none'",
            f"style-src 'nonce-{nonce}'",
            f"form-action 'self' {forms_go_to}".rstrip(),
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
    # With `no-referrer`, browsers send `Origin: null` along with the form, which the receiving side may refuse.
    response.headers["Referrer-Policy"] = "strict-origin"
    response.headers["X-Frame-Options"] = "DENY"
    return response


def code_words(text: str) -> Markup:
    """A sentence with its `code words` marked up, everything else escaped."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first

"""Session tokens: good for one session, until late usage is no longer accepted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.identity.engineer_token import PREFIX, digest_of, written
from app.identity.oidc import IdentityError
from app.identity.session_token import SessionClaim, read, sign

SECRET = "s" * 32
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLAIM = SessionClaim(5, "ses_1")


def test_a_token_reads_back_as_what_was_signed() -> None:
    """Organization and session survive the round trip."""
    assert read(SECRET, sign(SECRET, CLAIM, NOW), NOW) == CLAIM


@pytest.mark.parametrize(("days", "accepted"), [(0, True), (35, True), (36, False)])
def test_a_token_outlives_its_lease_by_as_long_as_late_usage_is_accepted(days: int, accepted: bool) -> None:
    """A spooled batch sent weeks later still finds its session; after 35 days it does not."""
    token = sign(SECRET, CLAIM, NOW)
    later = NOW + timedelta(days=days)
    if accepted:
        assert read(SECRET, token, later) == CLAIM
    else:
        with pytest.raises(IdentityError, match="35 days"):
            read(SECRET, token, later)


def test_another_server_s_token_is_refused() -> None:
    """A token signed with another secret is not ours."""
    with pytest.raises(IdentityError):
        read(SECRET, sign("x" * 32, CLAIM, NOW), NOW)


def test_an_engineer_token_is_stored_as_a_digest_only() -> None:
    """The digest does not contain the token, and equal tokens have equal digests."""
    token = written("ab" * 32)
    assert token.startswith(PREFIX)
    assert token not in digest_of(token)
    assert digest_of(token) == digest_of(written("ab" * 32))

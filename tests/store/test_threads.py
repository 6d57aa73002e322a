"""Which session a vendor's own thread is, in every kind of store."""

from __future__ import annotations

from app.registry import Store
from tests.ledger.builders import ENGINEER, an_organization


def test_a_thread_is_its_newest_session(store: Store) -> None:
    """Of one engineer and one agent of one organization; nobody else's thread of that name is the same."""
    organization, other = an_organization(store).id, an_organization(store, "other").id
    with store.open(organization) as books:
        assert books.session_of_thread(ENGINEER, "claude-code", "t") is None
        for session in ("ses_1", "ses_2"):
            books.keep_thread(ENGINEER, "claude-code", "t", session)
        books.keep_thread(ENGINEER, "gemini-cli", "t", "ses_3")
    with store.look(organization) as books:
        assert books.session_of_thread(ENGINEER, "claude-code", "t") == "ses_2"
        assert books.session_of_thread(ENGINEER, "gemini-cli", "t") == "ses_3"
        assert books.session_of_thread(ENGINEER + 1, "claude-code", "t") is None
    with store.look(other) as books:
        assert books.session_of_thread(ENGINEER, "claude-code", "t") is None

"""Which session a vendor's own thread is, in memory."""

from __future__ import annotations

from app.store.memory_tables import MemoryPart


class MemoryThreads(MemoryPart):
    """The part of `app.ledger.books.Books` about vendors' threads."""

    def session_of_thread(self, engineer_id: int, agent: str, thread: str) -> str | None:
        """See `Books`."""
        return self._t.threads.get((engineer_id, agent, thread))

    def keep_thread(self, engineer_id: int, agent: str, thread: str, session_id: str) -> None:
        """See `Books`."""
        self._put(self._t.threads, (engineer_id, agent, thread), session_id)

"""Adoption: how pull requests and tabs belong together over a pull request's life.

A pull request adopts the open tab of its branch. Merge or close ends the tab's generation, unless another open pull
request (of the same branch, into another base) still runs on it; so a reused branch starts with a new tab. A pull
request that is opened again goes on with its branch's newest tab, which is then open again: closing and reopening is
no way to a fresh budget.

When it was opened and ended is GitHub's word, not when we heard of it: one that we hear of late goes to the tab of another that
was open when it was. One that had ended before another of its branch was opened, and of whose end we hear later, leaves the
tab to the other and gets one that has ended. Whoever had a tab keeps it, whatever is heard of others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from app.events.arrival import Account
from app.events.seen import engineer_of
from app.github_api.protocol import RemotePullRequest
from app.jobs.digest import is_answered, to_be_sent_again
from app.ledger.books import Job
from app.ledger.rows import Tab
from app.registry import FORK, PullRequest, Repository, Transaction


@dataclass(frozen=True, slots=True)
class Sighting:
    """A pull request as somebody saw it. certain: read from GitHub's API just now, not from an event.

    run_at: when its check and comment are to be brought up to date; None for at once.
    """

    remote: RemotePullRequest
    now: datetime
    certain: bool = False
    run_at: datetime | None = None


def record(db: Transaction, repository: Repository, sighting: Sighting) -> PullRequest | None:
    """Store a pull request as seen, with its tab; ask for its check. Answers what is stored then.

    An older sighting than what is stored changes nothing, but a fork's name is learned of it. Two different ones of the same
    second cannot be told apart, so GitHub is asked.
    """
    remote = sighting.remote
    known = db.pull_request(repository.id, remote.number)
    if _learn_fork(db, repository, remote) and known is not None:
        _ask_about_sessions(db, repository, None, known)
    if known is not None and remote.updated_at < known.updated_at:
        return known
    author = Account(remote.author_id, remote.author_login, remote.author_is_bot) if remote.author_id else None
    seen = _as_seen(repository, remote, known, engineer_of(db, author))
    if known is not None and seen == known:
        if sighting.certain and known.state == "open" and not is_answered(known):
            _ask_for_check(db, known, sighting.run_at)
        return known
    if known is not None and remote.updated_at == known.updated_at and not sighting.certain:
        payload = {"repository": repository.id, "number": remote.number}
        db.enqueue(Job("read_pull_request", f"{repository.id}#{remote.number}", payload))
        return known
    seen = replace(seen, tab_id=_tab_of(db, known, seen, sighting.now))
    stored = db.save_pull_request(seen)
    if known is not None and known.state != "open" and stored.state == "open":
        # While it was closed nobody answered for its head: Re-run may have left the check waiting.
        stored = replace(stored, check_digest=to_be_sent_again(stored.check_digest))
        db.note_posted(stored)
    for tab_id in {stored.tab_id, known.tab_id} if known is not None else {stored.tab_id}:
        _end_tab_without_work(db, tab_id, sighting.now)
    _ask_about_sessions(db, repository, known, stored)
    if _needs_check(known, stored):
        _ask_for_check(db, stored, sighting.run_at)
    return stored


def _learn_fork(db: Transaction, repository: Repository, remote: RemotePullRequest) -> bool:
    """Keep the name of a fork that is called otherwise than the repository; answers whether it is new.

    No event tells of a fork's renaming, since the App is not installed there: what its next pull request says has to do.
    """
    name = remote.head_repository_name
    own = remote.head_repository_id in {None, repository.github_id}
    if own or name.partition("/")[2].lower() in {"", repository.full_name.partition("/")[2].lower()}:
        return False
    base = db.repository_by_name(f"{FORK}{name}")
    if base is not None and base.id == repository.id:
        return False
    db.keep_former_name(repository.id, f"{FORK}{name}")
    return True


def _as_seen(
    repository: Repository, remote: RemotePullRequest, known: PullRequest | None, author_id: int | None
) -> PullRequest:
    seen = PullRequest(
        id=known.id if known else 0,
        repository_id=repository.id,
        number=remote.number,
        tab_id=known.tab_id if known else 0,
        head_sha=remote.head_sha,
        # A pull request keeps its branch for life (renaming a head branch closes it); a deleted fork must not change it.
        head_branch=known.head_branch if known else remote.tab_branch(repository.github_id),
        base_branch=remote.base_branch,
        author_id=author_id,
        title=remote.title,
        state=remote.state,
        draft=remote.draft,
        updated_at=remote.updated_at,
        opened_at=remote.opened_at,
        ended_at=remote.ended_at,
    )
    if known is None:
        return seen
    return replace(
        seen,
        check_run_id=known.check_run_id,
        check_sha=known.check_sha,
        check_digest=known.check_digest,
        comment_id=known.comment_id,
        comment_digest=known.comment_digest,
        edits_policy=known.edits_policy,
    )


def _tab_of(db: Transaction, known: PullRequest | None, seen: PullRequest, now: datetime) -> int:
    branch = seen.repository_id, seen.head_branch
    if known is None or _was_opened_again(known, seen):
        newest_first = db.generations(*branch)[::-1]
        if seen.state == "open":
            goes_on = known is not None or any(_is_shared(db, tab, seen) for tab in newest_first[:1])
            return (db.reopen_tab if goes_on else db.open_tab)(*branch, now).id
        if shared := next((tab for tab in newest_first if _is_shared(db, tab, seen)), None):
            return shared.id
    if seen.ended_at is not None and (known is None or known.state == "open"):
        tab = db.tab(known.tab_id) if known is not None else db.tab_of_branch(*branch)
        if tab is not None and _is_a_later_ones(db, tab.id, seen.ended_at) and not _is_shared(db, tab, seen):
            return db.past_tab(*branch, seen.ended_at).id
    return known.tab_id if known is not None else db.open_tab(*branch, now).id


def _was_opened_again(known: PullRequest, seen: PullRequest) -> bool:
    """Whether it was closed and is open; or ended later than it had, and we did not hear of what was in between."""
    if known.state == "open" or seen.state == "open":
        return known.state != seen.state == "open"
    return known.ended_at is not None and seen.ended_at is not None and known.ended_at < seen.ended_at


def _is_shared(db: Transaction, tab: Tab, seen: PullRequest) -> bool:
    """Whether another pull request has this tab that was open at the same time."""
    return any(one.number != seen.number and _at_once(one, seen) for one in db.pull_requests_of_tab(tab.id))


def _at_once(one: PullRequest, other: PullRequest) -> bool:
    """Whether both were open at some moment; not where nobody told when they were opened."""
    if one.opened_at is None or other.opened_at is None:
        return False
    return (one.ended_at is None or other.opened_at < one.ended_at) and (
        other.ended_at is None or one.opened_at < other.ended_at
    )


def _is_a_later_ones(db: Transaction, tab_id: int, ended_at: datetime) -> bool:
    """Whether a pull request has this tab that was opened after another had ended then."""
    return any(one.opened_at is not None and ended_at <= one.opened_at for one in db.pull_requests_of_tab(tab_id))


def _end_tab_without_work(db: Transaction, tab_id: int, now: datetime) -> None:
    pulls = db.pull_requests_of_tab(tab_id)
    if not pulls or any(one.state == "open" for one in pulls):
        return
    tab, ended = db.tab(tab_id), [one.ended_at for one in pulls]
    # A tab that has ended must not end anew whenever something is heard of one whose end nobody told.
    if None not in ended or (tab is not None and tab.ended_at is None):
        db.end_tab(tab_id, min(max(at or now for at in ended), now))


def _ask_about_sessions(
    db: Transaction, repository: Repository, known: PullRequest | None, stored: PullRequest
) -> None:
    """Sessions that saw this pull request, its branch or its newest commit may have worked on it; or on what came after it."""
    turned = known is None or (known.state, known.tab_id) != (stored.state, stored.tab_id)
    if known is not None and not turned and known.head_sha == stored.head_sha:
        return
    branch = stored.head_branch.rpartition(":")[2] if turned else ""
    names = [repository.full_name, *db.former_names(repository.id)]
    found = {one for name in names for one in db.sessions_that_saw(name, stored.number, branch, stored.head_sha)}
    for session_id in sorted(found):
        db.enqueue(Job("attribute_session", session_id, {"session": session_id}))


def _needs_check(known: PullRequest | None, stored: PullRequest) -> bool:
    if stored.state != "open" or known is None:
        return stored.state == "open"
    before, after = (
        (known.state, known.head_sha, known.base_branch),
        (stored.state, stored.head_sha, stored.base_branch),
    )
    return before != after


def _ask_for_check(db: Transaction, stored: PullRequest, run_at: datetime | None) -> None:
    db.enqueue(Job("refresh_tab", str(stored.tab_id), {"tab": stored.tab_id}, run_at))
    payload = {"repository": stored.repository_id, "number": stored.number}
    db.enqueue(Job("check_policy_edit", f"{stored.repository_id}#{stored.number}", payload, run_at))

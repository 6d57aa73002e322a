"""What binds a session that begins at a hook: what the gate left for it, else the policy of the repository it works in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tabstop.beside.pricing import LookUp, Pricer, from_price_book, local_pricer
from tabstop.beside.session_folder import Record
from tabstop.governor.settings import settings_of
from tabstop.policy.model import Policy
from tabstop.price_card import PriceCard
from tabstop.session import Limits
from tabstop.wire import StartRequest

POLICY_FILE = Path(".github") / "tabstop.yml"

_SHORT = {"claude-code": "claude"}


@dataclass(frozen=True, slots=True)
class Bound:
    """The policy in force for a working directory. said: what went wrong on the way; the defaults hold then.

    path: the file it was read from; empty for none.
    """

    policy: Policy
    said: str = ""
    path: str = ""

    @property
    def source(self) -> str:
        """Where what nobody else says comes from, in words that follow `from`."""
        return f"the policy {self.path}" if self.path else "the defaults (no policy)"


def name_of(agent: str, session: str) -> str:
    """The id people type for an agent's own session: always the same, so that a resumed session goes on where it stood."""
    return f"{_SHORT.get(agent, agent)}-{hashlib.sha256(session.encode()).hexdigest()[:8]}"


def new_record(
    hook_agent: str, agent: str, session: str, cwd: str, at: datetime, environ: Mapping[str, str]
) -> tuple[Record, str]:
    """The record of a session nobody prepared, and what is to be said of how its policy was found."""
    bound = policy_of(Path(cwd)) if cwd else Bound(Policy())
    usual = bound.policy.session
    limits = Limits(usual.tokens, usual.tool_calls, usual.iterations, usual.wall_clock_seconds, usual.cost)
    name = name_of(hook_agent, session)
    ci = environ.get("CI", "").lower() in {"1", "true"}
    record = Record(
        id=name,
        began_at=at,
        start=StartRequest(agent=agent),
        settings=settings_of(bound.policy.rules, limits, name, ci=ci, can_summarize=False),
        cwd=cwd,
        hmac_key=os.urandom(32).hex(),
        agent_session=session,
    )
    return record, bound.said


def policy_of(folder: Path) -> Bound:
    """The policy file at the root of the repository around `folder`, over the defaults."""
    root = next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)
    if root is None:
        return Bound(Policy(), _not_in_a_repository(folder))
    path = root / POLICY_FILE
    if not path.is_file():
        return Bound(Policy())
    try:
        from tabstop.policy.document import PolicyKind  # noqa: PLC0415 - needs PyYAML, which a runner has not
        from tabstop.policy.effective import effective  # noqa: PLC0415
        from tabstop.policy.read import parse  # noqa: PLC0415
    except ImportError:
        return Bound(Policy(), f"{path} is not read, because PyYAML is not installed here; the default limits apply.")
    try:
        parsed = parse(path.read_bytes(), PolicyKind.REPOSITORY)
    except OSError as error:
        return Bound(Policy(), f"{path} cannot be read ({error.strerror}); the default limits apply.")
    if parsed.document is None:
        first = parsed.problems[0]
        return Bound(
            Policy(),
            f"{path} has problems, so the default limits apply; the first is in line {first.line}: {first.what}. "
            f"`tabstop policy check {path}` shows all of them.",
        )
    return Bound(effective(None, parsed.document, name=root.name).policy, path=str(path))


def _not_in_a_repository(folder: Path) -> str:
    path = folder / POLICY_FILE
    if not path.is_file():
        return ""
    return f"{path} is not read, because {folder} is in no git repository; the default limits apply. `git init` makes it one."


def pricer_of(record: Record, at: datetime) -> Pricer:
    """Prices by the card the session was sent; without one, and for what is not on it, by the price book, where one is installed."""
    try:
        card = PriceCard.from_json(record.price_card)
    except ValueError:
        overrides = policy_of(Path(record.cwd)).policy.prices if record.cwd else ()
        try:
            return local_pricer(at, overrides, record.settings.degradation)
        except ImportError:
            return Pricer(PriceCard(at))
    return Pricer(card, _look_up())


def _look_up() -> LookUp | None:
    try:
        import tabstop.price_book  # noqa: F401, PLC0415 - 1.5 MB, and not installed on a runner
    except ImportError:
        return None
    return from_price_book

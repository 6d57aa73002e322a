"""Budgets in a database: one select for all an admission touches, with the raises in force; additions, never overwrites."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, insert, or_, select, update

from app.ledger.books import AuditRow, BudgetChange, OverbookedError, Overdrive
from app.store.budget_rows import budget_of, budget_values, instant_in, line_of, new_budget
from app.store.cap_change import cap_changed
from app.store.columns import to_micros
from app.store.sql_part import AnyRow, SqlPart, per_database
from app.store.tables import BUDGET, LATCH, OVERDRIVE
from tabstop.budget import Amount, Budget, BudgetKey, Scope
from tabstop.policy.model import Cap

_B, _O = BUDGET.c, OVERDRIVE.c

_IN_FORCE = and_(
    _O.organization_id == _B.organization_id,
    _O.budget_id == _B.id,
    _O.revoked_at.is_(None),
    _O.granted_at <= bindparam("now", type_=_O.granted_at.type),
    or_(_O.expires_at.is_(None), _O.expires_at > bindparam("now", type_=_O.granted_at.type)),
)
_EVERYBODYS: Select[Any] = select(BUDGET, _O.nano.label("raised_nano"), _O.tokens.label("raised_tokens")).select_from(
    BUDGET.outerjoin(OVERDRIVE, _IN_FORCE)
)
"""One row per budget and raise in force; those without a raise come once."""

_WITH_RAISES = _EVERYBODYS.where(_B.organization_id == bindparam("org"))

_ALL = _WITH_RAISES.order_by(_B.id)
_OF_SUBJECT = _WITH_RAISES.where(
    _B.scope == bindparam("scope"),
    _B.subject_id == bindparam("subject"),
    _B.window_start <= bindparam("at"),
    _B.window_end > bindparam("at"),
)
_INSERT = insert(BUDGET).values(organization_id=bindparam("org"))
_SET_CAP = (
    update(BUDGET)
    .where(_B.organization_id == bindparam("org"), _B.id == bindparam("budget"))
    .values(cap_nano=bindparam("new_nano"), cap_tokens=bindparam("new_tokens"), why=bindparam("new_why"))
)
_ENDS = (
    select(_B.line, func.max(_B.window_end))
    .where(_B.organization_id == bindparam("org"), _B.line.in_(bindparam("lines", expanding=True)))
    .group_by(_B.line)
)
_CHANGE = (
    update(BUDGET)
    .where(_B.organization_id == bindparam("org"), _B.id == bindparam("budget"))
    .values(
        spent_nano=_B.spent_nano + bindparam("add_spent_nano"),
        spent_tokens=_B.spent_tokens + bindparam("add_spent_tokens"),
        held_nano=_B.held_nano + bindparam("add_held_nano"),
        held_tokens=_B.held_tokens + bindparam("add_held_tokens"),
        notional=_B.notional + bindparam("add_notional"),
        unknown_usages=_B.unknown_usages + bindparam("add_unknown"),
        unplaced_nano=_B.unplaced_nano + bindparam("add_unplaced_nano"),
        unplaced_tokens=_B.unplaced_tokens + bindparam("add_unplaced_tokens"),
    )
)
_HOLD = (
    update(BUDGET)
    .where(
        _B.organization_id == bindparam("org"),
        _B.id == bindparam("budget"),
        or_(
            _B.cap_nano.is_(None),
            _B.spent_nano + _B.held_nano + bindparam("nano") <= _B.cap_nano + bindparam("raised_nano"),
        ),
        or_(
            _B.cap_tokens.is_(None),
            _B.spent_tokens + _B.held_tokens + bindparam("tokens") <= _B.cap_tokens + bindparam("raised_tokens"),
        ),
    )
    .values(held_nano=_B.held_nano + bindparam("nano"), held_tokens=_B.held_tokens + bindparam("tokens"))
)
_LATCH = per_database(
    lambda into: (
        into(LATCH)
        .values(organization_id=bindparam("org"), budget_id=bindparam("budget"), step=bindparam("crossed"))
        .on_conflict_do_nothing()
    )
)
_ADD_OVERDRIVE = insert(OVERDRIVE).values(organization_id=bindparam("org"))
_OVERDRIVE = select(OVERDRIVE).where(_O.organization_id == bindparam("org"), _O.id == bindparam("overdrive"))
_OVERDRIVES = select(OVERDRIVE).where(_O.organization_id == bindparam("org")).order_by(_O.id.desc())
_REVOKE = (
    update(OVERDRIVE)
    .where(_O.organization_id == bindparam("org"), _O.id == bindparam("overdrive"), _O.revoked_at.is_(None))
    .values(revoked_at=bindparam("at", type_=_O.revoked_at.type))
)


@cache
def _by_lines(count: int) -> Select[Any]:
    """The budgets of `count` lines, each in the window that holds its instant.

    The organization stands in each branch and nowhere else: beside them, SQLite would take it for the best index and read
    every budget of the organization (measured: 0.03 ms with 250 budgets, 0.75 ms with 5,000).
    """
    return _EVERYBODYS.where(
        or_(
            *(
                and_(
                    _B.organization_id == bindparam("org"),
                    _B.line == bindparam(f"line{n}"),
                    _B.window_end > bindparam(f"at{n}"),
                    _B.window_start <= bindparam(f"at{n}"),
                )
                for n in range(count)
            )
        )
    )


@cache
def _by_ids(count: int) -> Select[Any]:
    """A statement per count: quicker than a list that is expanded each time, and there are few counts."""
    return _WITH_RAISES.where(_B.id.in_([bindparam(f"id{n}") for n in range(count)]))


class SqlBudgets(SqlPart):
    """The part of `app.ledger.books.Books` about budgets and their raises."""

    audit: Callable[[AuditRow], None]

    def budgets(self, wanted: Sequence[tuple[BudgetKey, Cap]], now: datetime) -> list[Budget]:
        """See `Books`."""
        if not wanted:
            return []
        params: dict[str, Any] = {"now": now}
        for n, (key, _) in enumerate(wanted):
            params |= {f"line{n}": line_of(key), f"at{n}": instant_in(key.window, now)}
        found = {line_of(b.key): b for b in self._budgets(self._rows(_by_lines(len(wanted)), **params))}
        missing = {line_of(key): (key, cap) for key, cap in wanted if line_of(key) not in found}
        if missing:
            found |= self._opened(missing)
        return [self._capped(found[line_of(key)], cap, now) for key, cap in wanted]

    def budgets_by_id(self, ids: Iterable[int], now: datetime) -> dict[int, Budget]:
        """See `Books`."""
        wanted = sorted(set(ids))
        found: dict[int, Budget] = {}
        for first in range(0, len(wanted), 100):
            some = wanted[first : first + 100]
            params: dict[str, Any] = {f"id{n}": budget_id for n, budget_id in enumerate(some)}
            found.update((b.id, b) for b in self._budgets(self._rows(_by_ids(len(some)), now=now, **params)))
        return found

    def all_budgets(self, now: datetime) -> list[Budget]:
        """See `Books`."""
        return self._budgets(self._rows(_ALL, now=now))

    def budget_in_window(self, scope: Scope, subject_id: int, now: datetime) -> Budget | None:
        """See `Registry`."""
        return next(iter(self._of_subject(scope, subject_id, now)), None)

    def budgets_of_tab(self, tab_id: int, now: datetime) -> list[Budget]:
        """See `Registry`."""
        return self._of_subject(Scope.TAB, tab_id, now)

    def _of_subject(self, scope: Scope, subject_id: int, now: datetime) -> list[Budget]:
        """Newest first; sorted here, since for an ORDER BY its key SQLite would read every budget of the organization."""
        rows = self._rows(_OF_SUBJECT, scope=scope.value, subject=subject_id, now=now, at=to_micros(now))
        return sorted(self._budgets(rows), key=lambda budget: -budget.id)

    def hold(self, budgets: Sequence[Budget], amount: Amount) -> None:
        """See `Books`."""
        asked = [
            {
                "budget": budget.id,
                "nano": amount.nano,
                "tokens": amount.tokens,
                "raised_nano": budget.raised.nano,
                "raised_tokens": budget.raised.tokens,
            }
            for budget in sorted(budgets, key=lambda b: b.id)
        ]
        if self._writes and self._write(_HOLD, asked) != len(asked):
            raise OverbookedError("A budget changed while this start was decided; nothing was stored, ask again.")

    def change_budgets(self, changes: Mapping[int, BudgetChange]) -> None:
        """See `Books`. In the order of their ids, as every transaction takes them."""
        nothing = BudgetChange()
        self._write(
            _CHANGE,
            [
                {
                    "budget": budget_id,
                    "add_spent_nano": change.spent.nano,
                    "add_spent_tokens": change.spent.tokens,
                    "add_held_nano": change.held.nano,
                    "add_held_tokens": change.held.tokens,
                    "add_notional": change.notional,
                    "add_unknown": change.unknown_usages,
                    "add_unplaced_nano": change.unplaced.nano,
                    "add_unplaced_tokens": change.unplaced.tokens,
                }
                for budget_id, change in sorted(changes.items())
                if change != nothing
            ],
        )

    def latch(self, budget_id: int, step: int) -> bool:
        """See `Books`."""
        return self._write(_LATCH, {"budget": budget_id, "crossed": step}) == 1

    def add_overdrive(self, overdrive: Overdrive) -> None:
        """See `Books`."""
        self._write(
            _ADD_OVERDRIVE,
            {
                "id": overdrive.id,
                "budget_id": overdrive.budget_id,
                "nano": overdrive.amount.nano,
                "tokens": overdrive.amount.tokens,
                "granted_at": overdrive.granted_at,
                "expires_at": overdrive.expires_at,
                "revoked_at": overdrive.revoked_at,
                "approver": overdrive.approver,
                "why": overdrive.why,
            },
        )

    def overdrive(self, overdrive_id: int) -> Overdrive | None:
        """See `Books`."""
        row = self._row(_OVERDRIVE, overdrive=overdrive_id)
        return _overdrive(row) if row else None

    def overdrives(self, *, in_force_at: datetime | None = None) -> list[Overdrive]:
        """See `Registry`."""
        found = [_overdrive(row) for row in self._rows(_OVERDRIVES)]
        return found if in_force_at is None else [o for o in found if o.in_force(in_force_at)]

    def revoke_overdrive(self, overdrive_id: int, now: datetime) -> None:
        """See `Books`."""
        self._write(_REVOKE, {"overdrive": overdrive_id, "at": now})

    def _budgets(self, rows: Iterable[AnyRow]) -> list[Budget]:
        """Budgets in the order of the rows, the raises of each added up."""
        first: dict[int, AnyRow] = {}
        raised: dict[int, Amount] = {}
        for row in rows:
            first.setdefault(row.id, row)
            more = Amount(row.raised_nano or 0, row.raised_tokens or 0)
            raised[row.id] = raised[row.id] + more if row.id in raised else more
        return [budget_of(row, raised[budget_id]) for budget_id, row in first.items()]

    def _opened(self, missing: Mapping[str, tuple[BudgetKey, Cap]]) -> dict[str, Budget]:
        ends: dict[str, int] = dict(self._read(_ENDS, lines=list(missing)).all())
        opened = {line: new_budget(self.new_id(), key, cap, ends.get(line)) for line, (key, cap) in missing.items()}
        self._write(_INSERT, [budget_values(budget) for budget in opened.values()])
        return opened

    def _capped(self, budget: Budget, cap: Cap, now: datetime) -> Budget:
        """The budget with the cap the policy gives now; a change is stored and leaves an audit row."""
        if (budget.cap_nano, budget.cap_tokens, budget.why) == (cap.nano, cap.tokens, cap.why):
            return budget
        self._write(
            _SET_CAP,
            {"budget": budget.id, "new_nano": cap.nano, "new_tokens": cap.tokens, "new_why": cap.why},
        )
        if (budget.cap_nano, budget.cap_tokens) != (cap.nano, cap.tokens):
            self.audit(cap_changed(budget, cap, now))
        return replace(budget, cap_nano=cap.nano, cap_tokens=cap.tokens, why=cap.why)


def _overdrive(row: Any) -> Overdrive:
    return Overdrive(
        id=row.id,
        budget_id=row.budget_id,
        amount=Amount(row.nano, row.tokens),
        granted_at=row.granted_at,
        expires_at=row.expires_at,
        approver=row.approver,
        why=row.why,
        revoked_at=row.revoked_at,
    )

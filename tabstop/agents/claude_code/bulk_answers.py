"""Answers of one transcript in columns, each once: what `tabstop.agents.claude_code.responses` does with usages, on plain numbers."""

from __future__ import annotations

from tabstop.agents.call_table import CallTable, Names, Row, call_table


class Answers:
    """Rows by the ids they are known under. Adding one twice, or in another order, changes nothing."""

    def __init__(self) -> None:
        """Start empty."""
        self.who = Names()
        self.where = Names()
        self._requests: dict[str, int] = {}
        self._messages: dict[str, int] = {}
        self._rows: list[Row | None] = []
        self._keys: list[list[str]] = []

    def add(self, request: str, message: str, row: Row) -> None:
        """Take in one row. request, message: its ids; one of them may be empty."""
        by_request = self._requests.get(request) if request else None
        by_message = self._messages.get(message) if message else None
        place = by_request if by_request is not None else by_message
        if place is None:
            self._new(request, message, row)
            return
        if by_request is not None and by_message is not None and by_request != by_message:
            row = self._take_out(by_message, place, row)
        held = self._rows[place]
        self._rows[place] = row if held is None else self._joined(held, row)
        if request and by_request is None:
            self._requests[request] = place
            self._keys[place].append(f"anthropic:req:{request}")
        if message and by_message is None:
            self._messages[message] = place
            self._keys[place].append(f"anthropic:msg:{message}")

    def table(self) -> CallTable:
        """Every answer once."""
        held = [(row, keys) for row, keys in zip(self._rows, self._keys, strict=True) if row is not None]
        return call_table(self.who, self.where, held)

    def _new(self, request: str, message: str, row: Row) -> None:
        place = len(self._rows)
        keys = []
        if request:
            self._requests[request] = place
            keys.append(f"anthropic:req:{request}")
        if message:
            self._messages[message] = place
            keys.append(f"anthropic:msg:{message}")
        self._rows.append(row)
        self._keys.append(keys)

    def _take_out(self, other: int, place: int, row: Row) -> Row:
        """What was thought to be another answer is the same as the one at `place`: its ids go there."""
        for ids in (self._requests, self._messages):
            for name in [name for name, at in ids.items() if at == other]:
                ids[name] = place
        self._keys[place] += self._keys[other]
        self._keys[other] = []
        held, self._rows[other] = self._rows[other], None
        return row if held is None else self._joined(held, row)

    def _joined(self, one: Row, other: Row) -> Row:
        if one[1:] == other[1:]:
            return one if one[0] >= other[0] else other
        whos, wheres = list(self.who.given), list(self.where.given)
        best = max(one, other, key=lambda row: _weight(row, whos[row[1]]))
        where = max(one[2], other[2], key=lambda number: (sum(map(bool, wheres[number])), wheres[number]))
        return (max(one[0], other[0]), best[1], where, *best[3:8], max(one[8], other[8]), best[9])


def _weight(row: Row, who: tuple[str, ...]) -> tuple[object, ...]:
    """See `responses`: more output is later; the rest makes the choice the same in any order."""
    _, _, _, fresh, read, five_minutes, an_hour, output, _, split = row
    return (output, fresh + read + five_minutes + an_hour + output, split, (fresh, read, an_hour), who)

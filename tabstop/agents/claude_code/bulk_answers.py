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

    def add(self, request: str, message: str, row: Row) -> None:
        """Take in one row. request, message: its ids; one of them may be empty."""
        new = len(self._rows)  # the place of an answer whose ids nobody has told yet
        by_request = self._requests.setdefault(request, new) if request else new
        by_message = self._messages.setdefault(message, new) if message else new
        if by_request == new == by_message:
            self._rows.append(row)
            return
        if by_request == new:
            place = by_message
            if request:
                self._requests[request] = place
        else:
            place = by_request
            if by_message == new:
                if message:
                    self._messages[message] = place
            elif by_message != place:
                row = self._take_out(by_message, place, row)
        held = self._rows[place]
        self._rows[place] = row if held is None else self._joined(held, row)

    def table(self) -> CallTable:
        """Every answer once."""
        rows = [row for row in self._rows if row is not None]
        if len(rows) < len(self._rows):
            held = (place for place, row in enumerate(self._rows) if row is not None)
            new = {place: number for number, place in enumerate(held)}
            for ids in (self._requests, self._messages):
                ids.update({name: new[place] for name, place in ids.items()})
        keys = [f"anthropic:req:{name}" for name in self._requests] + [
            f"anthropic:msg:{name}" for name in self._messages
        ]
        return call_table(self.who, self.where, rows, keys, [*self._requests.values(), *self._messages.values()])

    def _take_out(self, other: int, place: int, row: Row) -> Row:
        """What was thought to be another answer is the same as the one at `place`: its ids go there."""
        for ids in (self._requests, self._messages):
            for name in [name for name, at in ids.items() if at == other]:
                ids[name] = place
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

"""The subtask lab: a purely proportional share starves the late ones."""

from tabstop.governor.settings import Sharing, Subtasks
from tabstop.lab.subtasks import COUNT, Shared, as_json, shared


def by(sharing: Sharing, row: int) -> Shared:
    return [one for one in shared(Subtasks(), 1_000_000) if one.sharing is sharing][row]


def test_a_proportional_share_starves_the_late_ones() -> None:
    """Nine subtasks that fit together: the last two get less than they need while more than one need lies unused."""
    equal = by(Sharing.PROPORTIONAL, 0)
    assert [one.starved for one in equal.portions] == [False] * 7 + [True] * 2
    assert equal.unused > 100_000
    assert by(Sharing.STATIC, 0).starved == 0


def test_what_bounds_a_greedy_one() -> None:
    """The budget of its kind, where it has one; else the share; the hybrid is never worse than the share alone."""
    assert [by(sharing, 1).starved for sharing in Sharing] == [0, 4, 2]
    assert [by(sharing, 2).starved for sharing in Sharing] == [COUNT - 1, 4, 4]


def test_as_json() -> None:
    """Every number of it."""
    first = as_json(Subtasks(), 1_000_000)[0]
    assert (first["sharing"], first["starved"], first["unused"]) == ("proportional", 2, 168_750)
    assert first["subtasks"][8] == {"kind": "research", "needs": 100_000, "given": 56_250, "used": 56_250}

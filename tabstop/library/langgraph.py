"""LangGraph: a router for conditional edges that sends a stopped session's graph to its suspend node.

    graph.add_conditional_edges("tools", route(g, proceed="agent", suspend="suspend"))

It needs nothing of langgraph itself: a graph takes any function from its state to the name of a node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tabstop.library.governor import Governor
from tabstop.library.stops import SessionStopped

Router = Callable[[Any], str]


def route(governor: Governor, *, proceed: str, suspend: str) -> Router:
    """From the graph's state to the node that comes next: `suspend` once the session has to stop, else `proceed`.

    Never waits: a router runs between nodes. What has to go slower waits where it is called, in a tool or a transport.
    """

    def governed(_state: Any) -> str:
        order = governor.governed.order(governor.thread)
        try:
            governor.obey(order)
        except SessionStopped:
            return suspend
        return proceed

    return governed

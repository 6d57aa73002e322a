"""The router in a real LangGraph graph: it goes round until the session has to stop, then to the suspend node."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from tabstop.library import SessionStopped, limits
from tabstop.library.langgraph import route
from tests.library.builders import governor


class Work(TypedDict):
    """The graph's state."""

    rounds: int
    said: str


def test_a_graph_goes_to_its_suspend_node_when_the_session_stops() -> None:
    """After three answers of a dime each the limit of 0.30 is reached; the graph ends by its own node, with the reason."""
    g = governor(limits(cost=0.30))

    def agent(state: Work) -> Work:
        try:
            g.charged(0.10)
        except SessionStopped as stop:
            return {"rounds": state["rounds"] + 1, "said": str(stop)}
        return {"rounds": state["rounds"] + 1, "said": ""}

    def suspend(state: Work) -> Work:
        return {**state, "said": f"suspended. {state['said']}"}

    graph: Any = StateGraph(Work)
    graph.add_node("agent", agent)
    graph.add_node("suspend", suspend)
    graph.add_edge(START, "agent")
    graph.add_conditional_edges("agent", route(g, proceed="agent", suspend="suspend"), ["agent", "suspend"])
    graph.add_edge("suspend", END)
    with g:
        ended = graph.compile().invoke({"rounds": 0, "said": ""})
    assert ended["rounds"] == 3
    assert ended["said"].startswith("suspended. BUDGET_EXCEEDED: The session reached its cost limit")

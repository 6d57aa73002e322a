"""What the action says when it met something it was not made for: whose fault it is, what it means for the job, what to do."""

from __future__ import annotations

from action.runner import Message

_UNFORESEEN = "This step met something it was not made for"

_MEANS = {
    "gate": (
        f"{_UNFORESEEN}, so the agent is not started. This is no refusal: no budget is known to be full.",
        "Running the job again may help; so may an older version of the action.",
    ),
    "settle": (f"{_UNFORESEEN}, and did not report this session.", ""),
    "bring-in": (
        f"{_UNFORESEEN}. Nothing is lost: an artifact is deleted only after its reports arrived.",
        "The next run tries again.",
    ),
}


def broke(command: str) -> Message:
    """The message for one of the commands."""
    happened, remedy = _MEANS[command]
    whose = "It is a fault in Tabstop; the log has the details. Please open an issue with them."
    text = " ".join(part for part in (happened, whose, remedy) if part)
    anchor = "settle" if command == "settle" else "a-fault-in-tabstop"
    return Message(f"Tabstop: {command} broke", text.replace("`", ""), text, anchor)

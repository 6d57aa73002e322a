"""A stand-in for `claude`: writes a transcript as the real client does, runs the hooks it was given, obeys what they say.

FAKE_ANSWERS answers of 10,000 input tokens ($0.04 of claude-opus-5-5) each, or of FAKE_INPUTS, FAKE_SECONDS apart, each followed by a tool;
the first FAKE_FAILURES of them the same one, which fails; FAKE_IGNORES names signals it ignores; FAKE_SPAWNS starts a process in a session of its own that would outlive it;
FAKE_AFTER is a file without which it says its process id and waits.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ANSWERS = int(os.environ.get("FAKE_ANSWERS", "3"))
FAILURES = int(os.environ.get("FAKE_FAILURES", "0"))
INPUTS = [int(one) for one in os.environ.get("FAKE_INPUTS", "10000").split()]
SECONDS = float(os.environ.get("FAKE_SECONDS", "0.3"))


def value(option: str) -> str:
    return sys.argv[sys.argv.index(option) + 1] if option in sys.argv else ""


SESSION = value("--session-id") or value("--resume")
FOLDER = (
    Path(os.environ["CLAUDE_CONFIG_DIR"]) / "projects" / "".join(c if c.isalnum() else "-" for c in str(Path.cwd()))
)
PATH = FOLDER / f"{SESSION}.jsonl"


def write(row: dict[str, Any]) -> None:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    with PATH.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"sessionId": SESSION, "timestamp": now, "cwd": str(Path.cwd()), **row}) + "\n")


def answer(content: list[dict[str, Any]], output: int = 0) -> None:
    name = f"{os.getpid()}-{time.monotonic_ns()}"
    usage = {"input_tokens": INPUTS.pop(0) if len(INPUTS) > 1 else INPUTS[0], "output_tokens": output}
    message = {"id": f"msg_{name}", "role": "assistant", "model": "claude-opus-5-5", "usage": usage, "content": content}
    write({"type": "assistant", "requestId": f"req_{name}", "message": message})


def hook(event: str, **more: Any) -> dict[str, Any]:
    """The reply of the hook for this event; empty for none."""
    settings = json.loads(value("--settings") or "{}")
    payload = {
        "session_id": SESSION,
        "transcript_path": str(PATH),
        "cwd": str(Path.cwd()),
        "hook_event_name": event,
        **more,
    }
    for group in settings.get("hooks", {}).get(event, []):
        for one in group["hooks"]:
            command = ["/bin/sh", "-c", one["command"]]
            done = subprocess.run(command, input=json.dumps(payload), capture_output=True, text=True, check=False)
            if done.stdout.strip():
                reply: dict[str, Any] = json.loads(done.stdout)
                return reply
    return {}


def last_answer() -> int:
    """One turn, as the real client takes it: a tool ends it, and an answer that was cut off is asked to go on three times."""
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "step"}]
    for prompt in (sys.argv[-1], *["Resume directly."] * 3):
        messages.append({"role": "user", "content": prompt})
        body = {"model": "claude-opus-5-5", "max_tokens": 32_000, "tools": [{"name": "Bash"}], "messages": messages}
        url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
        try:
            with urllib.request.urlopen(url, json.dumps(body).encode()) as response:  # noqa: S310 - on loopback
                said = json.load(response)
        except urllib.error.HTTPError as error:
            print(f"API Error: {error.code} {json.load(error)['error']['message']}")
            return 1
        write({"type": "assistant", "message": said})
        if said["stop_reason"] == "tool_use":
            print("Error: Reached max turns (1)")
            return 1
        if said["stop_reason"] == "end_turn":
            print(said["content"][0]["text"])
            return 0
        messages.append({"role": "assistant", "content": said["content"]})
    return 1


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in os.environ.get("FAKE_IGNORES", "").split():
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    if os.environ.get("FAKE_SPAWNS"):
        subprocess.Popen(["sleep", "300"], start_new_session=True)
    hook("SessionStart", source="startup")
    if "--max-turns" in sys.argv:
        return last_answer()
    if hook("UserPromptSubmit", prompt="x").get("decision") == "block":
        return 0
    if after := os.environ.get("FAKE_AFTER"):
        print(f"process {os.getpid()} waits", flush=True)
        while not Path(after).exists():
            time.sleep(0.02)
    for number in range(ANSWERS):
        call = f"toolu_{os.getpid()}_{number}"
        fails = number < FAILURES
        name, step = ("Edit", "the same") if fails else ("Bash", f"step {number}")
        tool = {"tool_name": name, "tool_input": {"command": step}, "tool_use_id": call}
        answer([{"type": "tool_use", "id": call, "name": name, "input": tool["tool_input"]}])
        print(f"answer {number}", flush=True)
        time.sleep(SECONDS)
        if hook("PreToolUse", **tool).get("continue") is False:
            return 0
        result = {"type": "tool_result", "tool_use_id": call, "content": "ok", "is_error": fails}
        write({"type": "user", "message": {"role": "user", "content": [result]}})
        if hook("PostToolUse", tool_response={"is_error": fails}, **tool).get("continue") is False:
            return 0
    print("finished")
    return 4 if os.environ.get("FAKE_FAILS") else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)

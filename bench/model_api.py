"""A model API that costs no money: Anthropic's Messages, 20 ms of thinking, answers as long as they may be. A process of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys

from aiohttp import web

THINK = 0.020
"""Seconds before the first byte: a vendor takes longer, which would only hide what is measured."""

PIECES = 20
"""Events of text in an answer."""


class Model:
    """Bills what it answers: a token for each byte it was sent, and half or all of the answer that was allowed."""

    def __init__(self) -> None:
        """Nothing is billed yet."""
        self._numbers = itertools.count(1)
        self.billed = {"input": 0, "output": 0, "calls": 0}

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """One streamed answer."""
        raw = await request.read()
        asked = json.loads(raw)
        await asyncio.sleep(THINK)
        number = next(self._numbers)
        output = asked["max_tokens"] if number % 2 else asked["max_tokens"] // 2
        prompt = len(raw) if asked.get("metadata") else 100
        self.billed["input"] += prompt
        self.billed["output"] += output
        self.billed["calls"] += 1
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "request-id": f"req_{number}"})
        await response.prepare(request)
        for event in _events(number, asked["model"], prompt, output):
            await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        await response.write_eof()
        return response

    async def bill(self, _request: web.Request) -> web.Response:
        """What was used, truly."""
        return web.json_response(self.billed)


def _events(number: int, model: str, prompt: int, output: int) -> list[dict[str, object]]:
    usage = {"input_tokens": prompt, "output_tokens": 1}
    text = {"type": "text_delta", "text": "Some words of an answer, as they come. "}
    return [
        {"type": "message_start", "message": {"id": f"msg_{number}", "model": model, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": text} for _ in range(PIECES)),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {**usage, "output_tokens": output}},
        {"type": "message_stop"},
    ]


async def _serve() -> None:
    model = Model()
    application = web.Application(client_max_size=1 << 26)
    application.router.add_post("/v1/messages", model.messages)
    application.router.add_get("/bill", model.bill)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())

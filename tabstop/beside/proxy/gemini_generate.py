"""Gemini's generateContent and streamGenerateContent: https://ai.google.dev/api/generate-content. What Gemini CLI speaks."""

from __future__ import annotations

import json
import re

from tabstop.agents.claude_code.rows import RowError, count, ident
from tabstop.beside.proxy.call import (
    Body,
    Call,
    Change,
    Heard,
    NotReadError,
    Part,
    ToolResult,
    longest,
    newer,
    objects,
    positive,
    written,
)
from tabstop.beside.proxy.thinking import least_budget, little_thinking
from tabstop.usage import Tokens

IMAGE = 50_000
"""Tokens of the largest image: it is cut into tiles of 258 tokens each, and a small file may hold many."""

HIDDEN = 1_000

MODEL = re.compile(r"/(?:models|tunedModels)/([^/:]+):(stream)?generateContent$", re.IGNORECASE)
_EXIT_CODE = re.compile(r"^Exit Code: (?!0$)\d+$", re.MULTILINE)

_AT_THE_VENDOR = (
    "google_search", "googleSearch", "google_search_retrieval", "googleSearchRetrieval", "code_execution", "codeExecution",
    "url_context", "urlContext", "file_search", "fileSearch", "google_maps", "googleMaps", "retrieval", "mcp_servers", "mcpServers",
)  # fmt: skip


class GeminiGenerate:
    """See `tabstop.beside.proxy.call.Api`. Names may be in either spelling, `maxOutputTokens` or `max_output_tokens`."""

    provider = "google"

    def read(self, path: str, body: Body) -> Call:
        """See `Api.read`."""
        named = MODEL.search(path)
        if named is None:
            raise NotReadError("its path names no model")
        contents, tools = objects(body.get("contents")), objects(body.get("tools"))
        config = _inner(body, "generationConfig", "generation_config")
        thinking = _inner(config, "thinkingConfig", "thinking_config")
        rest = {name: value for name, value in body.items() if name not in {"contents", "tools"}}
        unbounded = [f"{name}, which the vendor runs" for tool in tools for name in _AT_THE_VENDOR if name in tool]
        if body.get("cachedContent") or body.get("cached_content"):
            unbounded.append("a prompt kept by the vendor")
        wanted = _either(config, "responseModalities", "response_modalities")
        if isinstance(wanted, list):
            unbounded += (f"an answer that is {str(one).lower()}" for one in wanted if str(one).upper() != "TEXT")
        system = _inner(body, "systemInstruction", "system_instruction")
        parts = [Part(rest, HIDDEN + _extra(system, unbounded)), *(Part(tool) for tool in tools)]
        parts += (Part(content, _extra(content, unbounded)) for content in contents)
        model, budget = ident(named[1]), positive(_either(thinking, "thinkingBudget", "thinking_budget"))
        least = least_budget(model)
        return Call(
            model=model,
            stream=named[2] is not None,
            output=longest(_either(config, "maxOutputTokens", "max_output_tokens"), "maxOutputTokens"),
            thinking=budget,
            least_thinking=budget if least is None else least,
            copies=max(1, longest(_either(config, "candidateCount", "candidate_count"), "candidateCount") or 1),
            parts=tuple(parts),
            basis=hash(written(thinking)),
            fresh=newer(contents, lambda content: content.get("role") == "model"),
            unbounded=tuple(dict.fromkeys(unbounded)),
            results=_results(contents),
            has_tools=bool(tools),
        )

    def change(self, path: str, body: Body, change: Change) -> tuple[str, Body]:
        """See `Api.change`."""
        body = dict(body)
        if change.output is not None:
            name = "generation_config" if "generation_config" in body else "generationConfig"
            config = dict(_inner(body, name))
            config["max_output_tokens" if "max_output_tokens" in config else "maxOutputTokens"] = change.output
            body[name] = config
        if change.little_thinking:
            named = MODEL.search(path)
            body = _with_little_thinking(body, change.model or (named[1] if named else ""))
        if change.model:
            path = MODEL.sub(lambda found: f"/models/{change.model}{found[0][found[0].rindex(':') :]}", path)
        if change.no_tools and body.get("tools"):
            name = "tool_config" if "tool_config" in body else "toolConfig"
            body[name] = {"functionCallingConfig": {"mode": "NONE"}}
        if change.say:
            body["contents"] = [*(body.get("contents") or []), {"role": "user", "parts": [{"text": change.say}]}]
        return path, body

    def reader(self) -> ContentReader:
        """See `Api.reader`."""
        return ContentReader()

    def error(self, status: int, sentence: str) -> Body:
        """See `Api.error`. Gemini CLI shows the sentence of a 400 and ends; it tries 429 and 5xx again."""
        word = "FAILED_PRECONDITION" if status < 500 else "UNAVAILABLE"
        return {"error": {"code": status, "message": sentence, "status": word}}

    def error_event(self, sentence: str) -> bytes:
        """See `Api.error_event`."""
        return f"data: {json.dumps(self.error(503, sentence))}\r\n\r\n".encode()


class ContentReader:
    """See `tabstop.beside.proxy.call.Reader`. Each chunk tells the usage so far; the one that says why it ended is the last."""

    def __init__(self) -> None:
        """Nothing is heard yet."""
        self.heard = Heard()
        self._told: Tokens | None = None

    def event(self, event: Body) -> None:
        """See `Reader.event`."""
        heard = self.heard
        heard.model = ident(event.get("modelVersion")) or heard.model
        if one := ident(event.get("responseId")):
            heard.known_as(f"google:resp:{one}")
        used = event.get("usageMetadata")
        if isinstance(used, dict):
            self._told = _tokens(used)
        ended = bool(_inner(event, "promptFeedback").get("blockReason"))
        for candidate in objects(event.get("candidates")):
            ended = ended or bool(candidate.get("finishReason"))
            for one_part in objects(_inner(candidate, "content").get("parts")):
                if not one_part.get("thought"):
                    heard.say(one_part.get("text"))
                heard.wants_tools = heard.wants_tools or "functionCall" in one_part
        if "error" in event:
            heard.error = "error"
        heard.complete = heard.complete or ended
        if self._told is not None and self._told.prompt:
            heard.began = self._told
            heard.tokens = self._told if heard.complete else None

    def whole(self, answer: Body) -> None:
        """See `Reader.whole`."""
        self.event(answer)
        if "candidates" in answer or "promptFeedback" in answer:
            self.heard.complete = True
            self.heard.tokens = self.heard.began


def _tokens(used: Body) -> Tokens | None:
    """The prompt holds what was read from the cache; thoughts are billed as output, and so is all the total has besides.

    None for counts that are none.
    """
    try:
        prompt = count(used, "promptTokenCount") + count(used, "toolUsePromptTokenCount")
        cached = min(prompt, count(used, "cachedContentTokenCount"))
        output = count(used, "candidatesTokenCount") + count(used, "thoughtsTokenCount")
        output = max(output, count(used, "totalTokenCount") - prompt)
    except RowError:
        return None
    return Tokens(input=prompt - cached, cache_read=cached, output=output)


def _either(config: Body, name: str, other: str) -> object:
    return config.get(name) if config.get(name) is not None else config.get(other)


def _inner(body: Body, *names: str) -> Body:
    return next((one for name in names if isinstance(one := body.get(name), dict)), {})


def _extra(content: Body, unbounded: list[str]) -> int:
    extra = 0
    for one in objects(content.get("parts")):
        data = _inner(one, "inlineData", "inline_data")
        if data:
            kind = str(_either(data, "mimeType", "mime_type"))
            if kind.startswith("image/"):
                extra += IMAGE
            elif not kind.startswith("text/"):
                unbounded.append(f"{kind.partition('/')[0]} data")
        if _inner(one, "fileData", "file_data"):
            unbounded.append("a file by its address")
        extra += _extra(_inner(one, "functionResponse", "function_response"), unbounded)
    return extra


def _with_little_thinking(body: Body, model: str) -> Body:
    config = _inner(body, "generationConfig", "generation_config")
    thinking = _inner(config, "thinkingConfig", "thinking_config")
    found = little_thinking(model, thinking)
    if found == thinking:
        return body
    name = "generation_config" if "generation_config" in body else "generationConfig"
    inner = "thinking_config" if "thinking_config" in config else "thinkingConfig"
    return {**body, name: {**config, inner: found}}


def _results(contents: list[Body]) -> tuple[ToolResult, ...]:
    """Results at the end of the conversation. They need not have ids: then their place in it is one."""
    last = next((number for number in range(len(contents) - 1, -1, -1) if contents[number].get("role") == "model"), -1)
    if last < 0:
        return ()
    calls = [
        one["functionCall"] for one in objects(contents[last].get("parts")) if isinstance(one.get("functionCall"), dict)
    ]
    found: list[ToolResult] = []
    for content in contents[last + 1 :]:
        for one in objects(content.get("parts")):
            response = one.get("functionResponse")
            if isinstance(response, dict):
                use = _asked(calls, response, len(found))
                name = ident(response.get("name")) or "tool"
                call = ident(response.get("id")) or f"{last}.{len(found)}.{hash(written(use)) & 0xFFFFFFFF:x}"
                found.append(ToolResult(call, name, use.get("args"), _failed(response.get("response"))))
    return tuple(found)


def _asked(calls: list[Body], response: Body, place: int) -> Body:
    by_id = next((one for one in calls if one.get("id") and one.get("id") == response.get("id")), None)
    return by_id or (calls[place] if place < len(calls) else {})


def _failed(response: object) -> bool:
    if not isinstance(response, dict):
        return False
    output = response.get("output")
    return "error" in response or (isinstance(output, str) and _EXIT_CODE.search(output) is not None)

"""Gemini's generateContent and streamGenerateContent: https://ai.google.dev/api/generate-content. What Gemini CLI speaks."""

from __future__ import annotations

import json
import re

from tabstop.agents.claude_code.rows import RowError, count, ident, mapping
from tabstop.beside.proxy.call import (
    Body,
    Call,
    Change,
    Heard,
    NotReadError,
    Part,
    ToolResult,
    listed,
    longest,
    newer,
    objects,
    positive,
    several,
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
        contents, tools = listed(body.get("contents"), "contents"), listed(body.get("tools"), "tools")
        config = _inner(body, "generationConfig", "generation_config")
        thinking = _inner(config, "thinkingConfig", "thinking_config")
        rest = {name: value for name, value in body.items() if name not in {"contents", "tools"}}
        unbounded = [f"{name}, which the vendor runs" for tool in tools for name in _AT_THE_VENDOR if name in tool]
        if body.get("cachedContent") or body.get("cached_content"):
            unbounded.append("a prompt kept by the vendor")
        wanted = _either(config, "responseModalities", "response_modalities")
        unbounded += (f"an answer that is {one.lower()}" for one in _words(wanted) if one.upper() != "TEXT")
        system = listed(_either(body, "systemInstruction", "system_instruction"), "systemInstruction")
        hidden = HIDDEN + sum(_extra(one, unbounded) for one in system)
        parts = [Part(rest, hidden), *(Part(tool) for tool in tools)]
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
            name = _spelling(body, "generationConfig", "generation_config")
            config = dict(mapping(body.get(name)))
            config[_spelling(config, "maxOutputTokens", "max_output_tokens")] = change.output
            body[name] = config
        if change.little_thinking:
            named = MODEL.search(path)
            body = _with_little_thinking(body, change.model or (named[1] if named else ""))
        if change.model:
            path = MODEL.sub(lambda found: f"/models/{change.model}{found[0][found[0].rindex(':') :]}", path)
        if change.no_tools and body.get("tools"):
            name = _spelling(body, "toolConfig", "tool_config")
            body[name] = {"functionCallingConfig": {"mode": "NONE"}}
        if change.say:
            body["contents"] = [*several(body.get("contents")), {"role": "user", "parts": [{"text": change.say}]}]
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
        ended = bool(mapping(event.get("promptFeedback")).get("blockReason"))
        for candidate in objects(event.get("candidates")):
            ended = ended or bool(candidate.get("finishReason"))
            for one_part in objects(mapping(candidate.get("content")).get("parts")):
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
    """What either spelling says. Raises `NotReadError` where both are there: nobody knows which one counts."""
    if config.get(name) is not None and config.get(other) is not None:
        raise NotReadError(f"it has both `{name}` and `{other}`")
    return config.get(name) if config.get(name) is not None else config.get(other)


def _spelling(config: Body, name: str, other: str) -> str:
    return other if config.get(other) is not None else name


def _inner(body: Body, name: str, other: str) -> Body:
    """The object of either spelling; empty where there is none. Raises `NotReadError` for anything else."""
    found = _either(body, name, other)
    if found is not None and not isinstance(found, dict):
        raise NotReadError(f"`{name}` is not an object")
    return found or {}


def _words(value: object) -> list[str]:
    """The kinds of answer a request names. Raises `NotReadError` for what names none."""
    found = several(value)
    if not all(isinstance(one, str | int) for one in found):
        raise NotReadError("`responseModalities` is not a list of words")
    return [str(one) for one in found]


def _extra(content: Body, unbounded: list[str]) -> int:
    extra = 0
    for one in listed(content.get("parts"), "parts"):
        if data := _inner(one, "inlineData", "inline_data"):
            kind = str(_either(data, "mimeType", "mime_type"))
            if kind.startswith("image/"):
                extra += IMAGE
            elif not kind.startswith("text/"):
                unbounded.append(f"{kind.partition('/')[0]} data")
        if "fileData" in one or "file_data" in one:
            unbounded.append("a file by its address")
        extra += _extra(_inner(one, "functionResponse", "function_response"), unbounded)
    return extra


def _with_little_thinking(body: Body, model: str) -> Body:
    config = _inner(body, "generationConfig", "generation_config")
    thinking = _inner(config, "thinkingConfig", "thinking_config")
    found = little_thinking(model, thinking)
    if found == thinking:
        return body
    name = _spelling(body, "generationConfig", "generation_config")
    inner = _spelling(config, "thinkingConfig", "thinking_config")
    return {**body, name: {**config, inner: found}}


def _results(contents: list[Body]) -> tuple[ToolResult, ...]:
    """Results at the end of the conversation. They need not have ids: then their place in it is one."""
    last = next((number for number in range(len(contents) - 1, -1, -1) if contents[number].get("role") == "model"), -1)
    if last < 0:
        return ()
    calls = [
        use for one in objects(contents[last].get("parts")) if (use := _inner(one, "functionCall", "function_call"))
    ]
    found: list[ToolResult] = []
    for content in contents[last + 1 :]:
        for one in objects(content.get("parts")):
            if response := _inner(one, "functionResponse", "function_response"):
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

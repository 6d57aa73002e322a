"""An API call on its way through a transport: refused before it is made, or its answer read and counted. No HTTP library here."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from tabstop.agents.claude_code.rows import ident
from tabstop.beside.proxy.anthropic_messages import AnthropicMessages
from tabstop.beside.proxy.call import Api, Call, Change, NotReadError
from tabstop.beside.proxy.openai_chat import is_usage_only
from tabstop.beside.proxy.openai_responses import OpenAiResponses
from tabstop.beside.proxy.routes import PROVIDERS, api_of, costs_uncounted, read_path
from tabstop.beside.proxy.streams import Passing
from tabstop.governor.facts import CallFailed
from tabstop.governor.likeness import likeness_of
from tabstop.library.governor import REFUSED, Governor
from tabstop.library.stops import SessionStopped
from tabstop.model_id import with_variant
from tabstop.usage import Tokens, Usage

BYTES_A_TOKEN = 3
"""How question and answer are counted where no usage is told, as when a stream is left half-way: rather too high than as nothing.
An English or program text has about four.
"""

_VERTEX = re.compile(r"/anthropic/models/[^/]+:(?:stream)?rawPredict$", re.IGNORECASE)
_POLLED = re.compile(r"/responses/resp_[^/]+$")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer in the vendor's own shape of an error. The vendors' clients do not try again after it."""

    headers: dict[str, str]
    content: bytes
    status: int = 400


class ApiCall:
    """One request, from before it is sent to the end of its answer."""

    def __init__(self, governor: Governor, method: str, path: str, content_type: str) -> None:
        """Nothing is read yet."""
        self._governor = governor
        self._thread = governor.thread
        self._path = path = read_path(path)
        self._api = _api_of(method, path) if "json" in content_type or method == "GET" else None
        self.is_read = self._api is not None
        self.costs = method == "POST" and (self.is_read or all(costs_uncounted(method, one, path) for one in PROVIDERS))
        self._call, self._asked = Call(""), 0
        self._passing: _Passing | None = None
        self._asks_usage = False

    def request(self, content: bytes) -> bytes:
        """Read the request; what to send in its place. Only usage is asked for, where the vendor would tell none."""
        if self._api is None:
            if self.costs:
                self._governor.say_once(
                    f"Calls to {self._path} are not counted: from here the session's totals are too low."
                )
            return content
        self._asked = len(content)
        try:
            body = json.loads(content)
            self._call = self._api.read(self._path, body)
        except (ValueError, RecursionError, AttributeError, NotReadError):
            return content  # the vendor will say what is wrong with it
        if self._call.tells_usage:
            return content
        self._asks_usage = True
        _, changed = self._api.change(self._path, body, Change(ask_usage=True))
        return json.dumps(changed).encode()

    @property
    def comes_plain(self) -> bool:
        """Whether the answer may not be compressed: an event is to be taken out of it."""
        return self._asks_usage

    def refusal(self, stop: SessionStopped) -> Refusal:
        """The refusal that tells this stop."""
        said = str(stop)
        body = self._api.error(400, said) if self._api else {"error": {"message": said, "code": 400}}
        headers = {"content-type": "application/json", "x-should-retry": "false", REFUSED: stop.session}
        return Refusal(headers, json.dumps(body).encode())

    def broke(self, status: int = 0, headers: Mapping[str, str] | None = None) -> None:
        """No answer came, or an error."""
        if self._api is not None:
            after = (headers or {}).get("retry-after", "")
            seconds = int(after) if after.isdecimal() and len(after) < 9 else 0
            self._governor.tell(CallFailed(self._governor.now(), status, seconds, self._thread))

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The answer's head."""
        if status >= 400:
            self.broke(status, headers)
        elif self._api is not None and 200 <= status < 300:
            self._passing = _Passing(self._api, headers, asks_usage=self._asks_usage)

    def feed(self, chunk: bytes) -> bytes:
        """Read a piece of the answer's body; what to give the program of it."""
        return chunk if self._passing is None else self._passing.feed(chunk)

    def end(self) -> bytes:
        """The answer is over, or was left: count it. What to give the program besides. Calling it twice is harmless."""
        passing, self._passing = self._passing, None
        if passing is None:
            return b""
        rest = passing.end()
        heard = passing.heard
        if heard.tokens is None and passing.is_unfinished:
            return (
                rest  # OpenAI answers a background request at once, and tells what it used when it is asked for later
            )
        model = heard.model or self._call.model
        tokens = heard.tokens or self._by_length(passing)
        if heard.tokens is None:
            self._governor.say_once(
                f"An answer of {model or 'a model'} told no usage; such are counted by their length."
            )
        usage = Usage(
            (*heard.keys, *passing.keys) or (f"library:call:{uuid.uuid4()}",),
            with_variant(model, heard.variant) if model else "",
            tokens,
            self._governor.now(),
            web_searches=heard.web_searches,
            cache_split_known=heard.cache_split_known,
        )
        said = " ".join(heard.said)
        likeness = likeness_of(said) if said else None
        self._governor.count(usage, likeness, self._thread, assumed=heard.tokens is None)
        return rest

    def _by_length(self, passing: _Passing) -> Tokens:
        output = passing.size // BYTES_A_TOKEN
        if passing.heard.began is None:
            return Tokens(input=self._asked // BYTES_A_TOKEN, output=output)
        return passing.heard.began + Tokens(output=max(0, output - passing.heard.began.output))


class _Passing:
    """An answer's body as it comes, with what this module needs to know of it besides."""

    def __init__(self, api: Api, headers: Mapping[str, str], *, asks_usage: bool) -> None:
        encoding = headers.get("content-encoding", "").lower()
        drops = is_usage_only if asks_usage else None
        self._passing = Passing(api, headers.get("content-type", ""), encoding, drops=drops)
        self.heard = self._passing.reader.heard
        self.size = 0
        self._is_responses = isinstance(api, OpenAiResponses)
        request = ident(headers.get("request-id")) if api.provider == "anthropic" else ""
        self.keys = (f"anthropic:req:{request}",) if request else ()

    def feed(self, chunk: bytes) -> bytes:
        self.size += len(chunk)
        return self._passing.feed(chunk)

    def end(self) -> bytes:
        return self._passing.end()

    @property
    def is_unfinished(self) -> bool:
        """Whether the answer only says that there will be one."""
        whole = self._is_responses and not self._passing.events
        return whole and bool(self.heard.keys) and not self.heard.complete


def _api_of(method: str, path: str) -> Api | None:
    """By the path alone: a program may ask any gateway."""
    if method == "POST" and _VERTEX.search(path):
        return AnthropicMessages()
    if method == "GET" and _POLLED.search(path):  # a background answer; told again and again, it counts once
        return OpenAiResponses()
    return next((api for name in PROVIDERS if (api := api_of(method, name, path)) is not None), None)

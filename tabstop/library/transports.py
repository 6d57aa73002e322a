"""Transports under the clients of model APIs: one class for threads and one for tasks, for whichever of httpx and httpx2."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from tabstop.library.api_call import ApiCall
from tabstop.library.governor import Governor
from tabstop.library.stops import SessionStopped


def transports(library: Any) -> tuple[Any, Any]:
    """`GovernedTransport` and `AsyncGovernedTransport` for `library`, the module `httpx` or `httpx2`."""

    class Body(library.SyncByteStream):  # type: ignore[misc] # which library it is, is known when it runs
        def __init__(self, stream: Any, call: ApiCall) -> None:
            self._stream, self._call = stream, call

        def __iter__(self) -> Iterator[bytes]:
            for chunk in self._stream:
                yield self._call.feed(chunk)
            yield self._call.end()

        def close(self) -> None:
            self._call.end()
            self._stream.close()

    class AsyncBody(library.AsyncByteStream):  # type: ignore[misc] # see above
        def __init__(self, stream: Any, call: ApiCall) -> None:
            self._stream, self._call = stream, call

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in self._stream:
                yield self._call.feed(chunk)
            yield self._call.end()

        async def aclose(self) -> None:
            self._call.end()
            await self._stream.aclose()

    def call_of(governor: Governor, request: Any) -> ApiCall:
        return ApiCall(governor, request.method, request.url.path, request.headers.get("content-type", ""))

    def changed(request: Any, call: ApiCall, content: bytes) -> Any:
        if not call.is_read:
            call.request(b"")
            return request
        sent = call.request(content)
        headers = request.headers.copy()
        headers["accept-encoding"] = "identity" if call.comes_plain else "gzip, deflate"  # what can be read on the way
        if sent != content:
            headers["content-length"] = str(len(sent))
        return library.Request(
            request.method, request.url, headers=headers, content=sent, extensions=request.extensions
        )

    def refused(call: ApiCall, stop: SessionStopped) -> Any:
        refusal = call.refusal(stop)
        return library.Response(refusal.status, headers=refusal.headers, content=refusal.content)

    class GovernedTransport(library.BaseTransport):  # type: ignore[misc] # see above
        def __init__(self, governor: Governor, inner: Any = None) -> None:
            self._governor = governor
            self._inner = inner or library.HTTPTransport()

        def handle_request(self, request: Any) -> Any:
            call = call_of(self._governor, request)
            try:
                if call.costs:
                    self._governor.check()
            except SessionStopped as stop:
                return refused(call, stop)
            request = changed(request, call, request.read() if call.is_read else b"")
            try:
                response = self._inner.handle_request(request)
            except Exception:
                call.broke()
                raise
            call.begin(response.status_code, response.headers)
            if response.is_closed:  # read already, as a cache or a mock gives it
                call.feed(response.content)
                call.end()
            else:
                response.stream = Body(response.stream, call)
            return response

        def close(self) -> None:
            self._inner.close()

    class AsyncGovernedTransport(library.AsyncBaseTransport):  # type: ignore[misc] # see above
        def __init__(self, governor: Governor, inner: Any = None) -> None:
            self._governor = governor
            self._inner = inner or library.AsyncHTTPTransport()

        async def handle_async_request(self, request: Any) -> Any:
            call = call_of(self._governor, request)
            try:
                if call.costs:
                    await self._governor.acheck()
            except SessionStopped as stop:
                return refused(call, stop)
            request = changed(request, call, await request.aread() if call.is_read else b"")
            try:
                response = await self._inner.handle_async_request(request)
            except Exception:
                call.broke()
                raise
            call.begin(response.status_code, response.headers)
            if response.is_closed:  # read already, as a cache or a mock gives it
                call.feed(response.content)
                call.end()
            else:
                response.stream = AsyncBody(response.stream, call)
            return response

        async def aclose(self) -> None:
            await self._inner.aclose()

    return GovernedTransport, AsyncGovernedTransport

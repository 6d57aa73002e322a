"""Requests: their bodies, unpacked and packed, and the headers that go on to the vendor."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from tabstop.beside.proxy.call import Body, NotReadError
from tabstop.beside.proxy.pointing import TOKEN_HEADER

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LARGEST = 64 * 1024 * 1024
"""Bytes of a request, packed or not. The vendors take 32 MB at most."""

_OF_THE_CONNECTION = frozenset(
    {"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
     "transfer-encoding", "upgrade", "host", "content-length", "expect", "x-http-method-override", TOKEN_HEADER.lower()}
)  # fmt: skip


def body_of(raw: bytes, encoding: str) -> Body:
    """The JSON object of a request. Raises `NotReadError`: what cannot be read cannot be bounded, and is not sent."""
    plain = _unpacked(raw, encoding.strip().lower())
    try:
        value = json.loads(plain, object_pairs_hook=_once)
    except NotReadError:
        raise
    except (ValueError, RecursionError) as error:
        raise NotReadError("its body is not JSON") from error
    if not isinstance(value, dict):
        raise NotReadError("its body is not a JSON object")
    return value


def headers_for(headers: Mapping[str, str], *, metered: bool, plain: bool) -> CIMultiDict[str]:
    """Those that go on. metered: the answer must be readable, so no packing but gzip is accepted; plain: not even that."""
    dropped = _OF_THE_CONNECTION | {one.strip().lower() for one in headers.get("Connection", "").split(",")}
    kept = CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)
    if metered:
        kept["Accept-Encoding"] = "gzip" if "gzip" in kept.get("Accept-Encoding", "") and not plain else "identity"
    return kept


def headers_back(headers: Mapping[str, str], *, same_length: bool) -> CIMultiDict[str]:
    """Those of an answer that go back. same_length: whether every byte of it does."""
    dropped = _OF_THE_CONNECTION | {one.strip().lower() for one in headers.get("Connection", "").split(",")}
    if same_length:
        dropped -= {"content-length"}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


def cut_off(request: web.Request) -> None:
    """Break off the client's connection, as the vendor's was. One that has gone needs none of it."""
    if request.transport is not None:
        request.transport.abort()


def _once(pairs: list[tuple[str, Any]]) -> Body:
    """An object. Of a name that stands in it twice one reader takes the first and another the last."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotReadError("the same name stands twice in one of its objects")
    return found


def _unpacked(raw: bytes, encoding: str) -> bytes:
    try:
        match encoding:
            case "" | "identity":
                return raw
            case "gzip" | "x-gzip" | "deflate":
                unpack = zlib.decompressobj(wbits=47)
                return _whole(unpack.decompress(raw, LARGEST + 1), eof=unpack.eof)
            case "zstd":
                unzstd = zstd.ZstdDecompressor()
                return _whole(unzstd.decompress(raw, LARGEST + 1), eof=unzstd.eof)
    except (zlib.error, zstd.ZstdError) as error:
        raise NotReadError(f"its body is not {encoding}") from error
    raise NotReadError(f"its body is packed as {encoding[:40]}, which the proxy does not unpack")


def _whole(plain: bytes, *, eof: bool) -> bytes:
    if len(plain) > LARGEST or not eof:
        raise NotReadError(f"its body is cut off, or longer than {LARGEST} bytes")
    return plain

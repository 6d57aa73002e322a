"""The zip of an artifact: reports come out, anything else is named and left alone, and nothing leaves its folder."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from action import bring_in_archive
from action.bring_in_archive import ArchiveError, unpack
from tests.support.artifacts_api import zipped

REPORT = "20261121T120000000000-s1.json"


def test_reports_come_out(tmp_path: Path) -> None:
    """Each under its own name, byte for byte, readable by this user only."""
    assert unpack(zipped({REPORT: b'{"a": 1}', "other.json": b""}), tmp_path / "7") == 2
    assert {path.name: path.read_bytes() for path in (tmp_path / "7").iterdir()} == {
        REPORT: b'{"a": 1}',
        "other.json": b"",
    }
    assert (tmp_path / "7").stat().st_mode & 0o777 == 0o700


def encrypted() -> bytes:
    """The flag alone is what a reader looks at."""
    whole = bytearray(zipped({REPORT: "{}"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = whole.index(signature) + offset
        whole[at : at + 2] = struct.pack("<H", 1)
    return bytes(whole)


def packed_otherwise() -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(REPORT, "{}" * 100)
    return raw.getvalue()


def twice() -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("a.json", "{}")
        archive.writestr("A.json", "{}")
    return raw.getvalue()


def damaged() -> bytes:
    """The table of contents is whole, the content is not."""
    whole = bytearray(zipped({REPORT: "{}" * 500}))
    whole[50:60] = b"\xff" * 10
    return bytes(whole)


HOSTILE = {
    "nothing": (b"", "not a whole zip"),
    "no zip": (b"<html>sign in</html>", "not a whole zip"),
    "truncated": (zipped({REPORT: "{}" * 500})[:-30], "not a whole zip"),
    "damaged": (damaged(), "not a whole zip"),
    "empty": (zipped({}), "it is empty"),
    "a path upwards": (zipped({"../../evil.json": "{}"}), r"'../../evil.json', which is no report's name"),
    "an absolute path": (zipped({"/tmp/evil.json": "{}"}), "no report's name"),
    "a path on Windows": (zipped({"..\\evil.json": "{}"}), "no report's name"),
    "a folder": (zipped({"reports/": "", "reports/a.json": "{}"}), "no report's name"),
    "a hidden file": (zipped({".json": "{}"}), "no report's name"),
    "a line break": (zipped({"a\n::error::.json": "{}"}), "no report's name"),
    "another kind": (zipped({REPORT: "{}", "run.sh": "rm -rf /"}), "'run.sh', which is no report's name"),
    "too many": (zipped({f"{number}.json": "{}" for number in range(101)}), "it has 101 files, at most 100"),
    "two of one name": (twice(), "two files of one name"),
    "encrypted": (encrypted(), "encrypted"),
    "packed otherwise": (packed_otherwise(), "packed in a way no runner packs"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_zip_of_reports(tmp_path: Path, name: str) -> None:
    """All of it is refused with its reason, and nothing is written anywhere."""
    archive, reason = HOSTILE[name]
    with pytest.raises(ArchiveError, match=reason):
        unpack(archive, tmp_path / "7")
    assert list(tmp_path.iterdir()) == []


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit counts what comes out, over all files, not what the zip says of itself."""
    monkeypatch.setattr(bring_in_archive, "LONGEST_FILE", 100_000)
    fits = zipped({"a.json": bytes(60_000), "b.json": bytes(40_000)})
    assert len(fits) < 1_000
    assert unpack(fits, tmp_path / "7") == 2
    lying = bytearray(zipped({"a.json": bytes(60_000), "b.json": bytes(40_001)}))
    at = lying.index(b"PK\x01\x02")
    lying[at + 24 : at + 28] = struct.pack("<I", 10)  # its uncompressed size
    with pytest.raises(ArchiveError, match=r"longer than 100,000 bytes|not a whole zip"):
        unpack(bytes(lying), tmp_path / "8")
    with pytest.raises(ArchiveError, match="unpacked it is longer than 100,000 bytes"):
        unpack(zipped({"a.json": bytes(60_000), "b.json": bytes(40_001)}), tmp_path / "9")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_no_bytes_make_it_crash(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A zip with any bytes changed or cut is unpacked or refused, and writes below its folder only."""
    folder = tmp_path_factory.mktemp("zip")
    whole = bytearray(zipped({REPORT: '{"a": 1}' * 20, "b.json": "{}"}))
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=6)):
        whole[at] = byte
    cut = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(ArchiveError):
        unpack(bytes(whole[: cut or None]), folder / "7")
    assert {path.name for path in folder.iterdir()} <= {"7"}

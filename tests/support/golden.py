"""Golden files: texts people see, kept as files one reads in review. Refresh them with `UPDATE_GOLDEN=1`."""

import os
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden"
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"


def expect(name: str, text: str) -> None:
    """The text equals `tests/golden/<name>`; with `UPDATE_GOLDEN=1` the file takes the text instead."""
    expect_file(GOLDEN / name, text)


def expect_file(path: Path, text: str) -> None:
    """The same for a file anywhere, such as a generated page of the documentation."""
    if UPDATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    assert text == kept, f"{path.name} differs; if the new text is right, run again with UPDATE_GOLDEN=1"

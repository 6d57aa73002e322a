"""The runner's protocol: whatever a text holds, it stays one message, one value, one line of prose."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from action.runner import Message, Runner
from tests.support.workflow_commands import parse_commands, parse_file_command

texts = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=60) | st.sampled_from(
    ["::error::x", "a%0Ab", "END_", "a\n::add-mask::b", "##[error]x", "100%", "x,y:z", "  ::warning::x"]
)


@given(title=texts, text=texts)
def test_an_annotation_is_one_command(title: str, text: str) -> None:
    """Title and text arrive as they were, and nothing else does."""
    lines: list[str] = []
    Runner({}, lines.append).fail(Message(title, text))
    assert len(lines) == 1
    # The runner reads lines; other separators than these two are characters to it.
    if "\n" not in lines[0] and len(lines[0].splitlines()) == 1:
        [command] = parse_commands(lines[0])
        assert command.name == "error"
        assert command.message.strip() == text.strip()
        assert command.properties["title"].strip() == title.strip()


@given(value=texts, name=st.sampled_from(["allowed", "claude_args"]))
def test_an_output_is_what_was_given(tmp_path_factory: pytest.TempPathFactory, name: str, value: str) -> None:
    """No value can end itself and begin another output."""
    path = tmp_path_factory.mktemp("out") / "output"
    Runner({"GITHUB_OUTPUT": str(path)}, print).output(name, value)
    read = parse_file_command(path.read_bytes().decode())
    assert set(read) == {name}
    if value.splitlines() == value.split("\n"):
        assert read[name] == value


@given(texts)
def test_a_log_line_is_never_a_command(text: str) -> None:
    """Neither form of command is recognised in what is only said."""
    lines: list[str] = []
    Runner({}, lines.append).log(text)
    assert not [line for line in lines if line.lstrip().startswith("::") or "##[" in line]
    assert all("\n" not in line for line in lines)


def test_without_files_it_still_speaks(tmp_path: Path) -> None:
    """Outside of a runner nothing is written, and nothing fails."""
    runner = Runner({}, print)
    runner.output("allowed", "true")
    runner.summarize("text")
    assert list(tmp_path.iterdir()) == []

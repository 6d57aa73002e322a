"""An adapter without its package says what to install, and the package itself needs none of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tabstop.library.extras import MissingExtraError, needed
from tests.house.source import ROOT

ADAPTERS = {"httpx": "httpx", "httpx2": "httpx2", "claude_agent_sdk": "claude-agent-sdk"}


@pytest.mark.parametrize(("adapter", "extra"), ADAPTERS.items())
def test_a_missing_package_is_named_with_its_extra(adapter: str, extra: str) -> None:
    """As the command to type."""
    program = f"import sys; sys.modules[{adapter!r}] = None; import tabstop.library.{adapter}"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f'Install it with: pip install "tabstop[{extra}]"' in done.stderr


def test_it_is_an_import_error() -> None:
    """So that a program may do without."""
    with (
        pytest.raises(ImportError, match=r"tabstop.library.claude_agent_sdk needs a package"),
        needed("claude-agent-sdk"),
    ):
        raise ImportError("No module named 'claude_agent_sdk'")
    assert issubclass(MissingExtraError, ImportError)


def test_the_library_imports_none_of_them() -> None:
    """Nor anything slow: prices come with the first governor."""
    names = ["httpx", "httpx2", "claude_agent_sdk", "langgraph", "anthropic", "openai", "google.genai", "genai_prices"]
    program = (
        f"import sys, tabstop.library, tabstop.library.langgraph; print([n for n in {names!r} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_needs_nothing_that_its_extra_does_not_install(adapter: str) -> None:
    """It shares the proxy's readers, not its server."""
    program = f"import sys, tabstop.library.{adapter}; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

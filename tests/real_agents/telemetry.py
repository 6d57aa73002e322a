"""The real clients' telemetry against their vendor's invoice: what the server heard is what was billed, call by call.

`python -m tests.real_agents.telemetry` runs Claude Code (a subagent, a commit, a compaction, a resumed session) and Gemini CLI,
in both encodings where the client has both, and says for each whether the books have the invoice's tokens and nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.store.open import open_store
from tabstop.usage import Tokens
from tests.real_agents.agents import AGENTS, Agent, furnish
from tests.real_agents.installed import cache, node
from tests.support.fake_llm import Billed, FakeLlm
from tests.support.loopback_app import serving
from tests.support.oidc_issuer import OidcIssuer
from tests.web.conftest import Bench, new_bench

REPOSITORY = "vcs.repository.url.full=https://github.com/acme/widget,vcs.ref.head.name=fix"
LONGEST = 180.0
"""Seconds of one run."""

Row = tuple[str, Tokens]


@dataclass(frozen=True)
class Telling:
    """A client's runs, one after the other, and how it is told where to send telemetry: files in its home, and environment."""

    agent: str
    name: str
    runs: tuple[tuple[str, ...], ...]
    settings: Callable[[str, str], Mapping[str, object]]
    environ: Callable[[str], Mapping[str, str]] = lambda _token: {}


def _claude(protocol: str) -> Telling:
    def settings(url: str, token: str) -> Mapping[str, object]:
        told = {
            "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{url}/otlp",
            "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {token}",
            "OTEL_RESOURCE_ATTRIBUTES": REPOSITORY,
        }
        return {".claude/settings.json": {"env": told}}

    base = ("--permission-mode", "acceptEdits", "--allowedTools", "Bash Agent")
    prompts = (("[[script:cc-basic]] x",), ("[[script:cc-sub-commit]] y", "--continue"), ("/compact", "--continue"))
    runs = tuple(("claude", "-p", prompt, *base, *more) for prompt, *more in prompts)
    return Telling("claude", f"Claude Code, {protocol}", runs, settings)


def _gemini() -> Telling:
    def settings(url: str, _token: str) -> Mapping[str, object]:
        told = {"enabled": True, "target": "local", "otlpEndpoint": url, "otlpProtocol": "http", "logPrompts": False}
        own = json.loads(_agent("gemini").files("")[".gemini/settings.json"])
        return {".gemini/settings.json": {**own, "telemetry": told}}

    def environ(token: str) -> Mapping[str, str]:
        return {"OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {token}", "OTEL_RESOURCE_ATTRIBUTES": REPOSITORY}

    run = ("gemini", "-p", "[[script:gm-basic]] x", "--skip-trust", "-y", "-m", "gemini-2.5-pro")
    return Telling("gemini", "Gemini CLI, http/json", (run,), settings, environ)


TELLINGS = (_claude("http/protobuf"), _claude("http/json"), _gemini())


def main() -> int:
    """0: everything billed was heard, once. 1: not."""
    wrong = 0
    with OidcIssuer.start() as issuer:
        for telling in TELLINGS:
            with _folder() as folder:
                billed, heard = tell(telling, new_bench(folder, issuer), folder)
            same = billed == heard and bool(billed)
            wrong += not same
            print(
                f"telemetry  {telling.name}: {billed.total()} calls billed, {heard.total()} heard, {'same' if same else 'WRONG'}"
            )
            if not same:
                print(f"  billed, not heard: {dict(billed - heard)}\n  heard, not billed: {dict(heard - billed)}")
    return 1 if wrong else 0


def tell(telling: Telling, bench: Bench, folder: Path) -> tuple[Counter[Row], Counter[Row]]:
    """Run the client; what its vendor billed, and what the books have on the tab it named."""
    home, checkout = folder / "home", folder / "widget"
    home.mkdir()
    checkout.mkdir()
    (checkout / "README.md").write_text("# Widget\n")
    for words in (
        "init -qb fix",
        "config user.name Dev",
        "config user.email dev@example.com",
        "add .",
        "commit -qm first",
    ):
        subprocess.run(["git", *words.split()], cwd=checkout, check=True)
    token = bench.engineer_token("alice", "telemetry")
    agent = _agent(telling.agent)
    with FakeLlm(cwd=str(checkout)) as vendor, serving(bench.client.application) as url:
        environ = {**furnish(agent, home, vendor.url), **telling.environ(token)}
        for name, content in telling.settings(url, token).items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(json.dumps(content))
        programs = cache(os.environ) / agent.package.folder / "node_modules" / ".bin"
        path = os.pathsep.join((str(programs), str(Path(node()).parent), os.environ["PATH"]))
        for run in telling.runs:
            subprocess.run(
                run,
                cwd=checkout,
                env={"HOME": str(home), "PATH": path, "TERM": "dumb", **environ},
                timeout=LONGEST,
                check=True,
                capture_output=True,
            )
        billed = Counter((one.model, _tokens(one)) for one in vendor.billed)
    return billed, _heard(bench)


def _tokens(one: Billed) -> Tokens:
    """What a vendor bills, by kind. Google has no price for writing its cache: what was not read from it is input."""
    used = one.used
    if one.api == "gemini":
        return Tokens(used.input + used.write_5m + used.write_1h, used.read, 0, 0, used.output + used.reasoning)
    return Tokens(used.input, used.read, used.write_5m, used.write_1h, used.output)


def _heard(bench: Bench) -> Counter[Row]:
    store = open_store(bench.world.settings.database_url)
    with store.look(bench.organization.id) as books:
        tab = books.tab_of_branch(bench.repository.id, "fix")
        places = books.all_places()
        return Counter(
            (row.model, row.tokens)
            for session in books.all_sessions()
            for row in books.usages_of(session.id)
            if tab is not None and places[row.place_id].tab_id == tab.id
        )


def _agent(key: str) -> Agent:
    return next(one for one in AGENTS if one.key == key)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


if __name__ == "__main__":
    sys.exit(main())

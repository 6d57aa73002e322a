"""Governing at the gate: the session's folder, the agent's hooks and the resident governor, so that a limit ends the run.

Nothing here is a reason to refuse an admitted session: what cannot be set up is said, and the flags alone bind the agent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from action.inputs import Inputs
from action.session_file import Session
from action.world import World
from tabstop.beside.governor_call import governor_command
from tabstop.beside.hook_installation import NotInstalledError, Place, install, is_installed, place_of
from tabstop.beside.session_folder import Record, create, sessions_root
from tabstop.governor.settings import Rules, settings_of
from tabstop.session import Limits

HOOKS = {"claude-code": "claude-code", "codex": "codex", "gemini-cli": "gemini"}
"""The agents that have hooks, with the name their hooks are installed under."""

ONE_CALL, NONE = "one call", "none"
"""How firmly a session is bound from inside."""

VARIABLE = "TABSTOP_SESSION"
"""Tells hooks whose session they are in; its value is an id and opens nothing."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
_KEPT = re.compile(r"(HOME|USER|LOGNAME|PATH|LANG|LC_\w+|TMPDIR|TEMP|TMP|CI|RUNNER_TEMP|RUNNER_TRACKING_ID|XDG_STATE_HOME"
                   r"|TABSTOP_STATE|SSL_CERT_\w+|(?i:https?_proxy|no_proxy|all_proxy))")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Governing:
    """What came of it. name: of the session's folder. hooks: the settings file that was changed. hooked: whether hooks will run.

    fault: why they will not although they should; empty for none.
    """

    enforcement: str = NONE
    name: str = ""
    hooks: str = ""
    hooked: bool = False
    fault: str = ""


def govern(
    world: World, inputs: Inputs, session: Session, limits: Limits, rules: Rules, price_card: Mapping[str, Any]
) -> Governing:
    """Leave what binds the session where hooks, `tabstop run` and libraries find it, and have hooks bind its agent.

    Never raises for what the world does.
    """
    agent = HOOKS.get(inputs.agent, "") if inputs.govern == "hooks" else ""
    name = session.session or f"unasked-{world.random(4).hex()}"
    kept = hooks = ""
    try:
        _make_folder(world, inputs, session, limits, rules, price_card, name)
        kept = name
        if not agent:
            return Governing(name=name)
        hooks, fault = _install(place(agent, inputs, world.environ), world.environ)
        if not fault and not world.start_governor(bare(world.environ)):
            fault = "the governor was started and does not answer; its log may say why"
    except NotInstalledError as error:
        return Governing(name=kept, fault=str(error) if agent else "")
    except OSError as error:
        said = f"{error.filename or 'the governor'}: {error.strerror or error}"
        return Governing(name=kept, hooks=hooks, fault=said if agent else "")
    # Codex's hooks refuse tools and prompts, but cannot end a turn.
    return Governing(NONE if fault or agent == "codex" else ONE_CALL, name, hooks, not fault, fault)


def place(agent: str, inputs: Inputs, environ: Mapping[str, str]) -> Place:
    """The user's own settings of this agent, in the folder that the workflow names, else in the usual one."""
    homes = {"claude-code": "CLAUDE_CONFIG_DIR", "codex": "CODEX_HOME"}
    if inputs.agent_home and agent in homes:
        home = Path(inputs.agent_home.replace("~", environ.get("HOME", "~"), 1))
        return place_of(agent, {**environ, homes[agent]: str(home)}, None)
    return place_of(agent, environ, None)


def bare(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the governor: nothing of the job's secrets."""
    return {name: value for name, value in environ.items() if _KEPT.fullmatch(name)}


def _make_folder(
    world: World,
    inputs: Inputs,
    session: Session,
    limits: Limits,
    rules: Rules,
    price_card: Mapping[str, Any],
    name: str,
) -> None:
    """Raises `NotInstalledError` where nobody could find it, and `OSError`."""
    if not _NAME.fullmatch(name):
        raise NotInstalledError("the server's name for this session cannot be a folder's")
    if not world.environ.get("GITHUB_ENV"):
        raise NotInstalledError("this runner has no GITHUB_ENV, so hooks cannot learn whose session they are in")
    known = bool(session.session)
    record = Record(
        id=name,
        began_at=session.begun_at,
        start=session.start,
        settings=settings_of(rules, limits, name, ci=True, can_summarize=False),
        price_card=dict(price_card),
        cwd=world.environ.get("GITHUB_WORKSPACE", ""),
        server=inputs.server if known else "",
        server_session=session.session,
        token=session.token,
        key=session.key,
        hmac_key=session.hmac_key,
    )
    create(sessions_root(world.environ), record)


def _install(where: Place, environ: Mapping[str, str]) -> tuple[str, str]:
    """The file that was changed, and why its hooks will not run; each may be empty.

    Hooks of ours that were in it before are the machine's own, and stay as they are.
    """
    if is_installed(where):
        return "", ""
    done = install(where, environ, governor_command(with_packages=False))
    return str(where.path) if done.changed else "", " ".join(done.warnings)

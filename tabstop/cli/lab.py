"""`tabstop lab`: simulated agent sessions on a fake clock, to see which limit or signal ends each of them, and when."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import click

from tabstop.cli import amounts
from tabstop.cli.lab_screen import show_live
from tabstop.lab import overview, subtasks
from tabstop.lab.as_json import as_json
from tabstop.lab.play import Result, play, settings_for
from tabstop.lab.report import text
from tabstop.lab.scenarios import SCENARIOS, LabScenario
from tabstop.lab.script import BEGUN
from tabstop.policy.document import PolicyKind
from tabstop.policy.effective import examine
from tabstop.policy.model import Policy
from tabstop.price_card import PriceCard
from tabstop.quantity import plural

WIDTH = 100
"""Columns of plain output."""

SUBTASKS = "subtasks"


class NoPolicy(click.ClickException):
    """The policy cannot be used."""


@click.command()
@click.argument("scenario", required=False, type=click.Choice([*SCENARIOS, SUBTASKS]), metavar="[SCENARIO]")
@click.option("--cost", type=amounts.COST_LIMIT, metavar="DOLLARS", help="Most it may cost.")
@click.option("--tokens", type=amounts.TOKEN_LIMIT, metavar="TOKENS", help="Most tokens.")
@click.option("--tool-calls", type=amounts.COUNT_LIMIT, metavar="NUMBER", help="Most tool calls.")
@click.option("--iterations", type=amounts.COUNT_LIMIT, metavar="NUMBER", help="Most model requests.")
@click.option("--wall-clock", type=amounts.TIME_LIMIT, metavar="TIME", help="Longest it may run, on the fake clock.")
@click.option("--no-degradation", is_flag=True, help="Go on in full until something stops it.")
@click.option("--no-signals", is_flag=True, help="Limits alone: no runaway signals, no breaker, no brakes.")
@click.option("--policy", metavar="FILE", help="The policy it runs under.  [default: the defaults]")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, help="Another one plays it a little differently.  [default: 1]"
)
@click.option("--all", "every", is_flag=True, help="Play every scenario and show them in one table.")
@click.option("--full", is_flag=True, help="A line for every iteration, quiet ones too.")
@click.option("--json", "as_data", is_flag=True, help="For programs: every iteration, money in nano-dollars.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="NUMBER",
    help="Times as fast as the fake clock.  [default: ten seconds in all]",
)
@click.pass_context
def lab(
    ctx: click.Context,
    /,
    scenario: str | None,
    no_degradation: bool,
    no_signals: bool,
    policy: str | None,
    seed: int,
    every: bool,
    full: bool,
    as_data: bool,
    speed: float | None,
    **limits: int | None,
) -> None:
    """Play SCENARIO: a simulated agent under the real governor, and what an hour without it would have used.

    Without SCENARIO, the scenarios are listed. Nothing is spent, and nothing leaves this machine. A limit may be `unlimited`.
    """
    in_force = _policy(policy)
    names = {"wall_clock": "wall_clock_seconds"}
    given = {names.get(name, name): value for name, value in limits.items() if _given(ctx, name)}
    if scenario == SUBTASKS:
        tokens = given.get("tokens") or subtasks.TOKENS
        rules = in_force.subtasks
        click.echo(_json(subtasks.as_json(rules, tokens)) if as_data else subtasks.text(rules, tokens), nl=as_data)
        return
    if scenario is None and not every:
        click.echo(_json(overview.names()) if as_data else overview.listed(), nl=as_data)
        return
    card = _prices(in_force)

    def result_of(one: LabScenario) -> Result:
        settings = settings_for(one, in_force, given, degradation=not no_degradation, signals=not no_signals)
        return play(one, settings, card, lambda: Random(seed))  # noqa: S311 - a simulation that repeats

    if scenario is None:
        results = [result_of(one) for one in SCENARIOS.values()]
        click.echo(_json([as_json(one) for one in results]) if as_data else overview.table(results), nl=as_data)
        return
    result = result_of(SCENARIOS[scenario])
    if as_data:
        click.echo(_json(as_json(result)))
    elif _is_lively(os.environ):
        show_live(result, speed)
    else:
        click.echo(text(result, WIDTH, full=full), nl=False)


def _policy(file: str | None) -> Policy:
    if file is None:
        return Policy()
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise NoPolicy(f"{file} cannot be read: {error.strerror or error}. Check the path.") from error
    found = examine(data, PolicyKind.REPOSITORY)
    if found.problems:
        count = plural(len(found.problems), "problem")
        raise NoPolicy(
            f"{file} has {count}, so it is not in force anywhere. See them with: tabstop policy check {file}"
        )
    return found.effective.policy


def _prices(policy: Policy) -> PriceCard:
    from tabstop.price_book import card  # noqa: PLC0415 (half a second, which the list of scenarios need not wait for)

    models = {model for ladder in policy.degradation.models for model in ladder}
    return card({*models, *(one.model for one in SCENARIOS.values())}, at=BEGUN, overrides=policy.prices)


def _is_lively(environ: Mapping[str, str]) -> bool:
    return (
        sys.stdout.isatty() and not environ.get("NO_COLOR") and not environ.get("CI") and environ.get("TERM") != "dumb"
    )


def _given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)

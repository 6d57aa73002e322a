"""Builds the outside world once, from settings: store, GitHub, chat, clock, prices."""

from __future__ import annotations

import gc
import secrets
from dataclasses import replace
from datetime import UTC, datetime

from app.github_api.kit import KitApp
from app.identity.oidc import OidcVerifier, keys_at
from app.pricing import models_of, most_in_a_call, price_card, price_usage
from app.registry import Store
from app.secrets_store import kept_app
from app.settings import Settings
from app.slack_api.client import SlackChat
from app.store.open import open_store
from app.world import World


def build_world(settings: Settings) -> World:
    """The world the server works in. Call it once per process, after any fork."""
    store = open_store(settings.database_url)
    settings = with_kept_credentials(settings, store)
    return World(
        settings=settings,
        store=store,
        github=KitApp.from_settings(settings),
        chat=SlackChat.from_settings(settings) if settings.slack_token else None,
        now=lambda: datetime.now(UTC),
        new_session_id=new_session_id,
        price=price_usage,
        price_card=price_card,
        models_of=models_of,
        most_in_a_call=most_in_a_call,
    )


def done_building() -> None:
    """Keep what was imported and built, which stays, out of garbage collections; a full one took 60 ms of every thread."""
    gc.collect()
    gc.freeze()


def with_kept_credentials(settings: Settings, store: Store) -> Settings:
    """The settings, with the App's credentials from `/setup` where the environment gives none."""
    if settings.github_app_id and settings.github_private_key:
        return settings
    kept = kept_app(store, settings.secret_key)
    if kept is None:
        return settings
    return replace(
        settings,
        github_app_id=kept["app_id"],
        github_private_key=kept["private_key"],
        github_webhook_secret=kept["webhook_secret"],
    )


def build_verifier(settings: Settings) -> OidcVerifier:
    """Verifies runners' identity tokens; the issuer's keys are cached."""
    return OidcVerifier(settings.oidc_issuer, settings.audience, keys_at(settings.jwks_url))


def new_session_id() -> str:
    """Unguessable, and recognisable in a log."""
    return f"ses_{secrets.token_hex(12)}"

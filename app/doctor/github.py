"""Whether the App can do its work: credentials, permissions, events, installations, and whether its webhooks arrive."""

from __future__ import annotations

from collections.abc import Sequence

from app.doctor.diagnosis import Diagnosis, ok, problem, warning
from app.github_api.manifest import missing_events, missing_permissions, unused_permissions
from app.github_api.protocol import FailedDelivery, GitHubError, RemoteApp
from app.github_api.refusals import NO_KEY
from app.registry import Organization
from app.settings import Settings
from tabstop.quantity import plural


def no_credentials(settings: Settings) -> Diagnosis:
    """There is no App yet."""
    return problem(
        "GitHub App",
        "There are no credentials of a GitHub App.",
        f"Start `serve` and open the link to {settings.page('/setup')} that it prints, "
        "or set TABSTOP_GITHUB_APP_ID, TABSTOP_GITHUB_PRIVATE_KEY and TABSTOP_GITHUB_WEBHOOK_SECRET.",
    )


def refused(settings: Settings, error: Exception) -> Diagnosis:
    """GitHub did not answer as the App expects."""
    if isinstance(error, GitHubError) and error.status == 404 and "/app/hook" in str(error):
        return problem(
            "webhook address",
            f"GitHub knows of no webhook of this App: {error}",
            "Switch “Webhook → Active” on in the App's settings and give it the address "
            f"{settings.page('/webhooks/github')}.",
        )
    if isinstance(error, GitHubError) and error.status in {401, 403, 404}:
        return problem(
            "GitHub App",
            f"GitHub does not take the credentials of App {settings.github_app_id}: {error}",
            "Check that the id and the private key belong to the same App and the key was not deleted in the App's "
            "settings, that the App still exists, and that this machine's clock is right.",
        )
    if isinstance(error, GitHubError) and NO_KEY not in str(error):
        return problem(
            "GitHub App",
            f"GitHub could not be asked at {settings.github_api_url}: {error}",
            "Check the network of this machine, TABSTOP_GITHUB_API_URL, and www.githubstatus.com; then try again.",
        )
    return problem(
        "GitHub App",
        f"The private key cannot be used: {_cause(error)}.",
        "TABSTOP_GITHUB_PRIVATE_KEY has to be the PEM text that GitHub gave, with its line breaks, or a path to it.",
    )


def _cause(error: Exception) -> str:
    """Never a key's text, which a reader's own error could quote."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return "it is no PEM key"


def app_answers(settings: Settings, app: RemoteApp) -> list[Diagnosis]:
    """GitHub knows us; whether it lets us do and hear everything we need."""
    page = f"{settings.github_url.rstrip('/')}/settings/apps/{app.slug} (or the organization's), “Permissions & events”"
    return [
        ok("GitHub App", f"GitHub takes the credentials of {app.slug} (App {settings.github_app_id})."),
        *_permissions(app, page),
        _events(app, page),
    ]


def _permissions(app: RemoteApp, page: str) -> list[Diagnosis]:
    found = []
    if missing := missing_permissions(app.permissions):
        found.append(
            problem(
                "permissions",
                "Not all that are needed are granted:",
                f"Grant them at {page}; then every installation has to accept them.",
                tuple(f"{p.title}: {p.access}, not {app.permissions.get(p.key, 'none')}: {p.why}" for p in missing),
            )
        )
    if unused := unused_permissions(app.permissions):
        found.append(
            warning(
                "permissions",
                "Granted without need:",
                f"Take them away at {page}.",
                tuple(f"{key}: {access}" for key, access in unused.items()),
            )
        )
    return found or [ok("permissions", "All that are needed are granted, and no more.")]


def _events(app: RemoteApp, page: str) -> Diagnosis:
    silent = missing_events(app.events)
    if not silent:
        return ok("events", "All that are needed are subscribed to.")
    return problem(
        "events",
        "The App does not hear all that it needs:",
        f"Subscribe to them at {page}.",
        tuple(f"`{event.name}` {event.why}" for event in silent),
    )


def installations(remote: Sequence[tuple[int, int, str]], known: Sequence[Organization]) -> list[Diagnosis]:
    """Whether we know of every installation, and still of those that ended. `remote`: installation id, account id, login."""
    if not remote:
        return [
            problem(
                "installations",
                "The App is not installed anywhere.",
                "Install it on the organization: the App's page on GitHub, “Install App”.",
            )
        ]
    active = {o.github_id for o in known if o.active}
    unmet = [login for _, account, login in remote if account not in active]
    gone = [o.login for o in known if o.active and o.github_id not in {account for _, account, _ in remote}]
    found = []
    if unmet:
        found.append(
            warning(
                "installations",
                f"Installed on {', '.join(unmet)}, which the server does not know of yet.",
                "It asks GitHub once a day, or at the webhook `installation`: if webhooks fail below, mend those first.",
            )
        )
    if gone:
        found.append(
            warning(
                "installations",
                f"No longer installed on, or suspended by: {', '.join(gone)}.",
                "If that is meant, nothing is to be done; the server learns it within a day.",
            )
        )
    return found or [ok("installations", ", ".join(login for _, _, login in remote) + ".")]


def hook(settings: Settings, url: str) -> Diagnosis:
    """Whether GitHub sends its webhooks to the address people reach us at."""
    expected = settings.page("/webhooks/github")
    if url == expected:
        return ok("webhook address", f"GitHub sends to {url}.")
    return problem(
        "webhook address",
        f"GitHub sends to {url or 'nowhere'}, but by TABSTOP_PUBLIC_URL it should be {expected}.",
        "Change “Webhook URL” in the App's settings, or TABSTOP_PUBLIC_URL.",
    )


def deliveries(failed: Sequence[FailedDelivery], *, more: bool) -> Diagnosis:
    """Webhooks of the last day that did not arrive."""
    if not failed:
        return ok("webhooks", "None failed in the last 24 hours.")
    newest = max(failed, key=lambda one: one.delivered_at)
    count = f"More than {len(failed)} webhooks" if more else plural(len(failed), "webhook")
    return warning(
        "webhooks",
        f"{count} of the last 24 hours did not arrive; the newest is `{newest.event}` at "
        f"{newest.delivered_at:%Y-%m-%d %H:%M} UTC.",
        "The App's settings on GitHub, “Advanced”, show why: 401 means that the webhook secrets differ, a time-out that "
        "the server was down or the address is wrong. The server asks for them again by itself.",
    )

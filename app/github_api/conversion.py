"""The manifest's last step: GitHub's one-time code becomes the App's credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

import httpx

TIMEOUT_SECONDS = 20
WITHIN = "GitHub gives a code that works once, within an hour."


class ConversionError(Exception):
    """GitHub did not give the credentials; the message says why. `again`: whether reloading the page can help."""

    def __init__(self, message: str, *, again: bool) -> None:
        """Keep whether the same code may still work."""
        super().__init__(message)
        self.again = again


@dataclass(frozen=True, slots=True)
class NewApp:
    """A registered App with all its secrets."""

    app_id: str
    slug: str
    private_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)
    html_url: str

    def credentials(self) -> dict[str, str]:
        """As `app.secrets_store.keep_app` takes them."""
        return {
            "app_id": self.app_id,
            "slug": self.slug,
            "private_key": self.private_key,
            "webhook_secret": self.webhook_secret,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }


def convert(client: httpx.Client, api_url: str, code: str) -> NewApp:
    """Exchange the code: `POST /app-manifests/{code}/conversions`, without authentication. Raises `ConversionError`.

    Source: GitHub's docs, rest/apps/apps#create-a-github-app-from-a-manifest.
    """
    url = f"{api_url.rstrip('/')}/app-manifests/{quote(code, safe='')}/conversions"
    try:
        answer = client.post(url, headers={"Accept": "application/vnd.github+json"}, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        raise ConversionError(
            f"GitHub could not be reached ({type(error).__name__}). {WITHIN} Reload this page.", again=True
        ) from error
    if answer.status_code in {403, 429} or answer.status_code >= 500:
        raise ConversionError(
            f"GitHub answered {answer.status_code} and may do better in a minute. {WITHIN} Reload this page then.",
            again=True,
        )
    if answer.status_code != 201:
        raise ConversionError(
            f"GitHub answered {answer.status_code}: the code is unknown, older than an hour, or was used already. "
            "If an App was created, delete it in its settings on GitHub, then start again from /setup.",
            again=False,
        )
    return _read(answer)


def _read(answer: httpx.Response) -> NewApp:
    try:
        data = answer.json()
        return NewApp(
            app_id=str(int(data["id"])),
            slug=_text(data["slug"]),
            private_key=_text(data["pem"]),
            webhook_secret=_text(data["webhook_secret"]),
            client_id=_text(data["client_id"]),
            client_secret=_text(data["client_secret"]),
            html_url=_text(data["html_url"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        # Only the kind of the error: its text could quote a secret.
        raise ConversionError(
            f"GitHub's answer is not what its API promises ({type(error).__name__}). The code is used up: delete the "
            "App in its settings on GitHub, then start again from /setup.",
            again=False,
        ) from None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value

"""What `doctor` finds in a healthy server, in a new one, and in ones that are ill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.doctor.diagnosis import Diagnosis, Level
from app.doctor.examine import misset
from app.doctor.reach import Answer
from app.doctor.report import as_json, line, summary
from app.doctor.slack import Wanted, judge
from app.github_api.protocol import FailedDelivery, GitHubError
from app.github_api.refusals import NO_KEY
from app.jobs.digest import digest_of
from app.ledger.books import Job
from app.registry import Engineer, PolicyFile, Repository, SlackMember
from app.secrets_store import keep_app
from app.slack_api.fake import FakeChat
from app.slack_api.protocol import ChatError
from app.store.open import open_store
from app.store.unsealed import Unsealed
from tests.doctor.patient import NOW, Patient, refusal
from tests.store.test_ledger_rows import a_row
from tests.support.golden import expect


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """A healthy server."""
    return Patient(tmp_path)


def shown(found: list[Diagnosis], folder: Path) -> str:
    """As the command prints it, with the test's folder out of it."""
    text = "\n".join([*map(line, found), "", summary(found), ""])
    return text.replace(str(folder), "/data")


def test_a_healthy_server(patient: Patient) -> None:
    """Everything is looked at, everything is well."""
    expect("operator-doctor/healthy.txt", shown(patient.examined(), patient.folder))


def test_a_new_server(patient: Patient) -> None:
    """Before `/setup` the one problem is the missing App, with the way to make it."""
    patient.settings = replace(
        patient.settings, github_app_id="", github_private_key="", public_url="http://localhost:8000"
    )
    patient.chat = None
    expect("operator-doctor/new.txt", shown(patient.examined(), patient.folder))


def test_everything_wrong(patient: Patient) -> None:
    """Each problem says what is wrong, why it matters and what to do."""
    patient.mounts = "tmpfs / tmpfs rw 0 0\n"
    patient.app.permissions |= {"checks": "read", "issues": "write", "contents": "write"}
    del patient.app.permissions["statuses"]
    patient.app.events = patient.app.events[:-2]
    patient.app.installed = ((9002, 102, "umbrella"),)
    patient.app.hook = "https://old.example/webhooks/github"
    patient.app.failed = tuple(
        FailedDelivery(n, f"guid-{n}", "pull_request", NOW - timedelta(hours=n)) for n in range(1, 4)
    )
    patient.settings = replace(patient.settings, github_webhook_secret="")
    patient.answers = {patient.settings.github_api_url: Answer(200, "{}", NOW - timedelta(seconds=90))}
    patient.chat = Refuses()
    patient.waiting = [Unsealed("acme", 12, NOW - timedelta(hours=3))]
    store = open_store(patient.settings.database_url)
    organization = replace(store.organizations()[0], paused=True)
    with store.open(organization.id) as books:
        books.save_organization(organization)
        widget = books.save_repository(Repository(0, 7001, "acme/widget"))
        web = books.save_repository(Repository(0, 7002, "acme/web"))
        broken = ("line 3: `tab` is `lots`: write a number", "line 4: unknown key `engeneer`, did you mean `engineer`?")
        books.add_policy_file(PolicyFile(widget.id, "c" * 40, "tab: lots", "invalid", broken, NOW))
        books.add_policy_file(PolicyFile(web.id, "", "", "unreadable", ("GitHub said 500",), NOW))
        days = [(1, "s1", 0), (2, "s1", 6), (3, "s2", 1), (4, "s3", 8)]
        books.add_usages(
            [a_row(n, session_id=s, occurred_at=NOW - timedelta(d), disputed=True) for n, s, d in days], {}
        )
    store.enqueue([Job("retention", "all")])
    job = store.take_job("w", NOW)
    assert job is not None
    store.bury_job(job, "disk full", NOW)
    text = shown(patient.examined(), patient.folder)
    expect("operator-doctor/everything-wrong.txt", text.replace(f"retry {job.id}", "retry 17"))


class Refuses:
    """A chat whose token was revoked."""

    def post(self, message: object) -> str:
        """Never called."""
        raise NotImplementedError

    def who(self) -> str:
        """See `Chat`."""
        raise ChatError("Slack said `token_revoked`.")

    def member_of(self, address: str) -> str:
        """Never called."""
        raise NotImplementedError

    def scopes(self) -> frozenset[str] | None:
        """Never called."""
        raise NotImplementedError


def worst(found: list[Diagnosis], subject: str) -> Diagnosis:
    """The one diagnosis of this subject."""
    [one] = [one for one in found if one.subject == subject]
    return one


def rest_is_looked_at(found: list[Diagnosis]) -> bool:
    """Whether what does not depend on the ill part was looked at all the same."""
    return {"identity keys", "clock", "Slack"} <= {one.subject for one in found}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refusal(401), "GitHub does not take the credentials of App 4711"),
        (refusal(503), "GitHub could not be asked at https://api.github.com"),
        (GitHubError(f"{NO_KEY} (InvalidKeyError: secret part of a key)"), "cannot be used: it is no PEM key."),
        (
            FileNotFoundError(2, "No such file or directory", "/keys/app.pem"),
            "cannot be used: /keys/app.pem: No such file or directory.",
        ),
    ],
)
def test_github_refuses(patient: Patient, error: Exception, said: str) -> None:
    """Wrong credentials, an outage and a broken key are told apart; a key's text is never repeated."""
    patient.app.error = error
    found = patient.examined()
    assert said in worst(found, "GitHub App").found
    assert "secret part" not in as_json(found)
    assert rest_is_looked_at(found)


def test_credentials_from_setup(patient: Patient) -> None:
    """What `/setup` stored is used; sealed with another key it is a problem that says so."""
    credentials = {"app_id": "99", "slug": "s", "private_key": "p", "webhook_secret": "w"}
    patient.settings = replace(patient.settings, github_app_id="", github_private_key="", github_webhook_secret="")
    keep_app(open_store(patient.settings.database_url), patient.settings.secret_key, credentials)
    assert "App 99" in worst(patient.examined(), "GitHub App").found
    patient.settings = replace(patient.settings, secret_key="another " * 8)
    found = patient.examined()
    assert "sealed with another TABSTOP_SECRET_KEY" in worst(found, "GitHub App").found
    assert rest_is_looked_at(found)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///{folder}/none.db", "The file does not exist yet."),
        ("sqlite:///{folder}/none/tabstop.db", "The file does not exist yet."),
        ("sqlite:///{folder}", "It cannot be used: unable to open database file"),
        ("postgresql://nobody@127.0.0.1:1/none", "It cannot be used: "),
    ],
)
def test_no_database(patient: Patient, url: str, said: str) -> None:
    """Without a database the rest is still looked at, and looking creates no file."""
    before = sorted(patient.folder.glob("*.db"))
    patient.settings = replace(patient.settings, database_url=url.format(folder=patient.folder))
    found = patient.examined()
    assert said in worst(found, "database").found
    assert rest_is_looked_at(found)
    assert sorted(patient.folder.glob("*.db")) == before


def answers(url: str, answer: Answer) -> Callable[[Patient], None]:
    """Let an address answer so."""
    return lambda patient: patient.answers.update({url: answer})


@pytest.mark.parametrize(
    ("change", "subject", "level"),
    [
        (answers("https://tabstop.acme.example/healthz", Answer(200, "<html>parked")), "public address", Level.PROBLEM),
        (answers("https://tabstop.acme.example/healthz", Answer(502, "")), "public address", Level.PROBLEM),
        (lambda p: p.answers.pop("https://tabstop.acme.example/healthz"), "public address", Level.WARNING),
        (answers(Patient.__name__, Answer(200, "")), "public address", Level.OK),
        (
            lambda p: p.answers.update({p.settings.jwks_url: Answer(200, '{"keys": []}')}),
            "identity keys",
            Level.PROBLEM,
        ),
        (lambda p: p.answers.update({p.settings.jwks_url: Answer(404, "")}), "identity keys", Level.PROBLEM),
        (
            answers("https://api.github.com", Answer(200, "", NOW + timedelta(seconds=15))),
            "clock",
            Level.WARNING,
        ),
        (answers("https://api.github.com", Answer(200, "", NOW - timedelta(seconds=31))), "clock", Level.PROBLEM),
        (answers("https://api.github.com", Answer(200, "", None)), "clock", Level.OK),
        (lambda p: setattr(p.app, "installed", ()), "installations", Level.PROBLEM),
        (lambda p: setattr(p.app, "hook", ""), "webhook address", Level.PROBLEM),
        (lambda p: setattr(p, "waiting", [Unsealed("acme", 1, NOW - timedelta(minutes=5))]), "audit log", Level.OK),
    ],
)
def test_single_findings(patient: Patient, change: Callable[[Patient], object], subject: str, level: Level) -> None:
    """One thing ill at a time: how bad it is."""
    change(patient)
    assert worst(patient.examined(), subject).level is level


def test_a_channel_without_a_token(patient: Patient) -> None:
    """No token is fine, unless a policy counts on one."""
    patient.chat = None
    assert worst(patient.examined(), "Slack").level is Level.OK
    store = open_store(patient.settings.database_url)
    with store.open(store.organizations()[0].id) as books:
        widget = books.save_repository(Repository(0, 7001, "acme/widget"))
        text = 'slack:\n  channel: "#ai-spend"\n'
        books.add_policy_file(PolicyFile(widget.id, "c" * 40, text, "valid", (), NOW))
    assert worst(patient.examined(), "Slack").level is Level.WARNING


PEOPLE = "slack: {people: {alice: alice@acme.example, bob: U012AB3CD, carol: U012AB3CE}}\n"


def listed(patient: Patient) -> None:
    """An organization's policy with three people; alice could not be told lately, nor could bob, before his entry changed."""
    store = open_store(patient.settings.database_url)
    with store.open(store.organizations()[0].id) as books:
        books.add_policy_file(PolicyFile(None, "c" * 40, PEOPLE, "valid", (), NOW))
        alice, bob = (books.save_engineer(Engineer(0, n, login)) for n, login in ((1, "Alice"), (2, "bob")))
        problem = "Slack said `users_not_found`. Nobody in the workspace has that e-mail address."
        books.keep_slack_member(SlackMember(alice.id, digest_of("alice@acme.example"), "", problem, NOW))
        books.keep_slack_member(SlackMember(bob.id, digest_of("bob@acme.example"), "", problem, NOW))


def test_who_cannot_be_told_is_named_with_the_reason(patient: Patient) -> None:
    """As long as the same entry stands in the policy; and a scope that is missing is said before anybody is missed."""
    patient.chat = FakeChat(may=frozenset({"chat:write"}))
    listed(patient)
    found = [one for one in patient.examined() if one.subject in {"Slack", "Slack scopes", "direct messages"}]
    expect("operator-doctor/direct-messages.txt", shown(found, patient.folder))


@pytest.mark.parametrize("may", [None, frozenset({"chat:write", "users:read.email", "users:read"})])
def test_scopes_that_suffice_or_are_unknown_are_no_problem(patient: Patient, may: frozenset[str] | None) -> None:
    """A chat that does not say what the token may do is not suspected."""
    patient.chat = FakeChat(may=may)
    listed(patient)
    assert "Slack scopes" not in {one.subject for one in patient.examined()}


def test_people_without_a_token(patient: Patient) -> None:
    """Whoever lists people counts on messages; the scopes they need are named."""
    patient.chat = None
    listed(patient)
    one = worst(patient.examined(), "Slack")
    assert one.level is Level.WARNING
    assert "`chat:write` and `users:read.email`" in one.remedy


def test_many_who_cannot_be_told_are_counted() -> None:
    """Ten are shown."""
    *_, one = judge("acme / tabstop", None, Wanted(untold=tuple(f"acme/e{n}: why" for n in range(12))))
    assert one.details[-1] == "and 2 more"
    assert len(one.details) == 11


def test_settings_that_are_missing() -> None:
    """All problems at once, and that nothing else was looked at."""
    found = misset(["TABSTOP_SECRET_KEY is not set.", "PORT is 'x'; it has to be a whole number."])
    assert [one.level for one in found] == [Level.PROBLEM, Level.PROBLEM, Level.WARNING]

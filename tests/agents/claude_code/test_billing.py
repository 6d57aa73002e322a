"""How a session is paid for, and the sentence that says why we think so."""

import pytest

from tabstop.agents.claude_code.billing import billing_of
from tabstop.agents.claude_code.clouds import CLOUDS, Cloud
from tabstop.agents.claude_code.execution_file import ExecutionResult
from tabstop.usage import Billing
from tests.agents.claude_code.jobs import Job
from tests.support.samples import claude_case


@pytest.mark.parametrize(
    ("run", "environment", "billing", "sentence"),
    [
        (
            ExecutionResult(api_key_source="ANTHROPIC_API_KEY"),
            (),
            Billing.API,
            "the client used an API key (apiKeySource ANTHROPIC_API_KEY): billed per token",
        ),
        (
            ExecutionResult(api_key_source="/login managed key"),
            ("CLAUDE_CODE_OAUTH_TOKEN",),
            Billing.API,
            "the client used an API key (apiKeySource /login managed key): billed per token",
        ),
        (
            ExecutionResult(api_key_source="none"),
            (),
            Billing.SUBSCRIPTION,
            "the client used no API key (apiKeySource none): the session runs on a plan",
        ),
        (
            ExecutionResult(api_key_source="none", rate_limited=True),
            (),
            Billing.SUBSCRIPTION,
            "the client told of a plan's rate limits",
        ),
        (
            ExecutionResult(api_key_source="oauth"),
            ("ANTHROPIC_API_KEY",),
            Billing.SUBSCRIPTION,
            "the client used no API key (apiKeySource oauth): the session runs on a plan",
        ),
        (
            ExecutionResult(api_key_source="none", provider="bedrock"),
            (),
            Billing.API,
            "the client was served by Amazon Bedrock, which bills per token",
        ),
        (
            ExecutionResult(api_key_source="none"),
            ("CLAUDE_CODE_USE_VERTEX",),
            Billing.API,
            "CLAUDE_CODE_USE_VERTEX is set: Google Vertex AI bills per token",
        ),
        (
            ExecutionResult(api_key_source="none", provider="anthropicAws"),
            (),
            Billing.API,
            "the client was served by Claude Platform on AWS, which bills per token",
        ),
        (
            ExecutionResult(api_key_source="none"),
            ("CLAUDE_CODE_USE_GATEWAY", "CLAUDE_CODE_OAUTH_TOKEN"),
            Billing.API,
            "CLAUDE_CODE_USE_GATEWAY is set: the organization's gateway bills per token",
        ),
        (None, ("ANTHROPIC_API_KEY",), Billing.API, "ANTHROPIC_API_KEY is set: billed per token"),
        (
            None,
            ("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_API_KEY"),
            Billing.API,
            "ANTHROPIC_API_KEY is set: billed per token",
        ),
        (
            None,
            ("CLAUDE_CODE_OAUTH_TOKEN",),
            Billing.SUBSCRIPTION,
            "CLAUDE_CODE_OAUTH_TOKEN is set and no API key: the session runs on a plan",
        ),
        (None, (), Billing.UNKNOWN, "nothing says how this session is paid for"),
        (ExecutionResult(), ("HOME",), Billing.UNKNOWN, "nothing says how this session is paid for"),
    ],
)
def test_evidence(run: ExecutionResult | None, environment: tuple[str, ...], billing: Billing, sentence: str) -> None:
    """What the run says of itself counts before what is set around it."""
    assert billing_of(run, environment) == (billing, sentence)


def test_a_captured_run_with_a_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The init event of a real run."""
    job = Job(claude_case("plain"), tmp_path_factory.mktemp("home"))
    assert billing_of(job.execution())[0] is Billing.API


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.provider)
def test_every_cloud_bills_per_token(cloud: Cloud) -> None:
    """By its variable before the session, by its name in the client's output after it."""
    assert billing_of(None, {cloud.variable})[0] is Billing.API
    assert billing_of(ExecutionResult(api_key_source="none", provider=cloud.provider))[0] is Billing.API

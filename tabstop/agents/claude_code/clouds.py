"""Clouds: who serves Claude Code in Anthropic's place, and the variable that has it ask them. In 2.1.330 as it lists them itself.

A cloud bills per token, whatever plan its user has.
"""

from __future__ import annotations

from typing import NamedTuple


class Cloud(NamedTuple):
    """provider: what the client calls it in its output. own_address: it is asked at its own, whatever ANTHROPIC_BASE_URL says."""

    variable: str
    provider: str
    name: str
    own_address: bool = True


CLOUDS = (
    Cloud("CLAUDE_CODE_USE_BEDROCK", "bedrock", "Amazon Bedrock"),
    Cloud("CLAUDE_CODE_USE_VERTEX", "vertex", "Google Vertex AI"),
    Cloud("CLAUDE_CODE_USE_FOUNDRY", "foundry", "Microsoft Foundry"),
    Cloud("CLAUDE_CODE_USE_ANTHROPIC_AWS", "anthropicAws", "Claude Platform on AWS"),
    Cloud("CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD", "anthropicGoogleCloud", "Claude Platform on Google Cloud"),
    Cloud("CLAUDE_CODE_USE_MANTLE", "mantle", "Amazon Bedrock (Mantle)"),
    Cloud("CLAUDE_CODE_USE_GATEWAY", "gateway", "the organization's gateway", own_address=False),
)

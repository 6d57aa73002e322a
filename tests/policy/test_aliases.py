"""Who else somebody is, as the organization's policy file says it."""

from tabstop.policy.document import PolicyKind
from tabstop.policy.effective import effective
from tabstop.policy.read import parse


def test_who_else_somebody_is() -> None:
    """By login, whatever its case: addresses, names in git, bots and other logins, in lower case."""
    text = """\
aliases:
  Octocat:
    - Octo@Example.com
    - Octo Cat
    - release-helper[bot]
    - old-octocat
    - 0b0a3d1e-6c1f-4d5e-9a67-2f6a3f0c9b11
    - 12345
  hubot: ["Hubert O'Bot"]
"""
    policy = effective(parse(text, PolicyKind.ORGANIZATION).document, None, name="").policy
    for name in ("octo@example.com", "OCTO  cat", "Release-Helper[bot]", "old-octocat", "12345"):
        assert policy.login_of(name) == "octocat"
    assert policy.login_of("hubert o'bot") == "hubot"
    assert policy.login_of("octocat") == policy.login_of("") == ""


def test_every_problem_of_aliases_is_told_with_its_line() -> None:
    """A name is one person's, and a person is no name of somebody else."""
    text = """\
aliases:
  octocat:
    - octo@example.com
    - OCTOCAT
    - hubot
    - <octo>
  hubot: [Octo@Example.com, hubot-2]
  no login: [x]
  carol: carol@example.com
  dave: []
  erin:
  frank: {a: b}
"""
    found = parse(text, PolicyKind.ORGANIZATION)
    assert found.document is None
    assert [(problem.line, problem.key_path) for problem in found.problems] == [
        (4, "aliases.octocat[1]"),
        (5, "aliases.octocat[2]"),
        (6, "aliases.octocat[3]"),
        (7, "aliases.hubot[0]"),
        (8, "aliases.no login"),
        (9, "aliases.carol"),
        (10, "aliases.dave"),
        (11, "aliases.erin"),
        (12, "aliases.frank"),
    ]
    said = [problem.sentence for problem in found.problems]
    assert said[0].startswith("`OCTOCAT` is the login itself")
    assert said[1].startswith("`hubot` has other names of its own under `aliases`")
    assert said[3].startswith("`Octo@Example.com` is `hubot` here, and `octocat` on line 3")
    assert "`[carol@example.com]`" in said[5]
    cut_off = parse("aliases: {octocat: [a", PolicyKind.ORGANIZATION)
    assert cut_off.document is None
    (problem,) = parse("aliases: [octocat]", PolicyKind.ORGANIZATION).problems
    assert "logins with lists" in problem.sentence


def test_a_repository_says_nothing_of_who_is_who() -> None:
    """Whose budget a run draws on is the organization's to say."""
    (problem,) = parse("aliases: {octocat: [hubot]}\n", PolicyKind.REPOSITORY).problems
    assert "organization's file only" in problem.sentence


def test_a_repository_cannot_redirect_messages() -> None:
    """Whom a login is in Slack is the organization's to say; a pull request that tries is told so."""
    (problem,) = parse("slack:\n  people: {octocat: U012AB3CE}\n", PolicyKind.REPOSITORY).problems
    assert (problem.line, problem.key_path) == (2, "slack.people")
    assert "organization's file only" in problem.sentence

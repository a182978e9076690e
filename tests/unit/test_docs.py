"""The pages for people link to what exists, and name only commands and options that exist."""

import re
from pathlib import Path

import pytest

from roadworthy import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
CODE = re.compile(r"`([^`\n]+)`|^(?: {4}|\$ )(.+)$", re.MULTILINE)
COMMAND = re.compile(r"(?:^|bin/)roadworthy ([a-z]+)(.*)")


def named(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_and_their_options_exist(page):
    for inline, block in CODE.findall(page.read_text()):
        found = COMMAND.match(inline or block)
        if found:
            name, rest = found.groups()
            assert name in cli.COMMANDS, f"{page.name}: roadworthy {name}"
            command = cli.command(name)
            for word in rest.split():  # a group: the next word is its command
                if not hasattr(command, "commands"):
                    break
                assert word in command.commands or not word.islower(), f"{page.name}: {name} {word}"
                command = command.commands.get(word, command)
            known = {option for each in command.params for option in each.opts}
            options = set(re.findall(r"(?<!\S)--[a-z-]+", rest)) - {"--help"}
            assert options <= known, f"{page.name}: roadworthy {name}{rest}"


def test_make_targets_that_pages_name_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        codes = [inline or block for inline, block in CODE.findall(page.read_text())]
        made = {found[1] for found in map(re.compile(r"make ([a-z]+)$").match, codes) if found}
        assert made <= targets, page.name

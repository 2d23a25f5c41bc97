"""What the documents say is so: commands, options, files."""

import re
from pathlib import Path

import click
import pytest

from autograder.cli import lgm
from tests.autograder import typical_messages

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = ROOT / "docs" / "commands.md"


def commands_page() -> str:
    """Returns what docs/commands.md holds: every help text, in the order of `lgm --help`."""
    context = click.Context(lgm, info_name="lgm", max_content_width=99)
    blocks = [("lgm", lgm.get_help(context))]
    for name, command in lgm.commands.items():
        inner = click.Context(command, info_name=name, parent=context, max_content_width=99)
        blocks.append((f"lgm {name}", command.get_help(inner)))
    parts = [f"## `{title}`\n\n```\n{text.rstrip()}\n```\n" for title, text in blocks]
    head = (
        "# Commands\n\nThe help texts, as they are printed. A test holds that this page is "
        "current;\n`python tests/autograder/test_docs.py` writes it again.\n"
    )
    return "\n".join([head, *parts])


def test_the_commands_page_is_current():
    assert COMMANDS.read_text(encoding="utf-8") == commands_page()


def test_the_page_of_messages_is_current():
    assert typical_messages.PAGE.read_text(encoding="utf-8") == typical_messages.page()


@pytest.mark.parametrize("name", list(lgm.commands))
def test_every_command_has_help_and_an_example(name):
    command = lgm.commands[name]
    assert command.help
    assert command.epilog.startswith(f"Example: lgm {name}")
    assert len(command.get_short_help_str(60)) < 60
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_exists(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


def test_the_commands_that_the_readme_shows_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\blgm ([a-z]+)", text))
    assert shown <= set(lgm.commands), shown - set(lgm.commands)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    contributing = (ROOT / "docs" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|\n)make ([a-z]+)", text + contributing)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


if __name__ == "__main__":
    COMMANDS.write_text(commands_page(), encoding="utf-8")

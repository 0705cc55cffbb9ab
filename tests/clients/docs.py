"""The examples of docs/clients and of the README, as they are written."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "clients"


def examples(page, language):
    """The fenced blocks of a language on a page, in order."""
    return fenced(PAGES / page, language)


def readme(language):
    """The fenced blocks of a language in the README, in order."""
    return fenced(ROOT / "README.md", language)


def fenced(page, language):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    assert blocks, f"{page} has no example in {language}"
    return blocks


def at(block, server):
    """A block whose server is this one."""
    return block.replace("127.0.0.1:32010", f"127.0.0.1:{server.port}")

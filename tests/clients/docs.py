"""The examples of docs/clients, as they are written."""

import re
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs" / "clients"


def examples(page, language):
    """The fenced blocks of a language on a page, in order."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", (PAGES / page).read_text(), re.DOTALL | re.MULTILINE)
    assert blocks, f"{page} has no example in {language}"
    return blocks


def at(block, server):
    """A block whose server is this one."""
    return block.replace("127.0.0.1:32010", f"127.0.0.1:{server.port}")

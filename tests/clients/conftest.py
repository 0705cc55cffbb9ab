"""The servers that the tests of all clients share."""

import os
import shutil
import time
from pathlib import Path

import pytest

import lake
from server import PATIENCE, Server, glaux

WORK = Path(os.environ["GLAUX_CLIENTS_WORK"])


def eventually(what):
    """Calls until the answer is true; returns the answer."""
    end = time.monotonic() + PATIENCE
    while not (answer := what()):
        assert time.monotonic() < end, f"{what} is not true after {PATIENCE} s"
        time.sleep(0.02)
    return answer


@pytest.fixture(scope="session")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="session")
def files(directory):
    """The statements that make the tables; their files are written."""
    return lake.build(directory / "files")


@pytest.fixture(scope="session")
def data_dir(directory, files):
    """The demo's data directory with the tables of `lake`."""
    path = directory / "data"
    shutil.copytree(os.environ["GLAUX_CLIENTS_LAKE"], path, symlinks=True)
    glaux(path, "sql", "-e", ";\n".join(files))
    return path


@pytest.fixture(scope="session")
def demo_files():
    """Where the demo's Parquet files lie."""
    return Path(os.environ["GLAUX_CLIENTS_LAKE"]) / "lake"


@pytest.fixture(scope="session")
def anonymous(data_dir):
    """A server that asks nobody who they are."""
    with Server(data_dir) as server:
        yield server


#: Names, passwords and arguments of the users of `guarded`. Basic credentials are encoded in base64: passwords of any length, with any padding.
USERS = {
    "ada": ("password-3k0", []),
    "bea": ("password-3k+1", []),
    "cyd": ("password-3k--2", ["--group", "analysts"]),
    # For wrong passwords alone: too many of them make a user wait.
    "eve": ("password of eve", []),
    "ops": ("plain-words", ["--admin"]),
    "root": ("root: with a colon, and ü", ["--admin"]),
}


def add_users(data_dir):
    for name, (password, arguments) in USERS.items():
        glaux(data_dir, "user", "add", name, "--password-stdin", *arguments, stdin=password + "\n")


#: What the users of USERS may do, beside reading, which is open to all by default. docs/access.md has the rules.
GRANTS = [
    "DENY ALL ON SCHEMA hidden TO USER ada",
    "GRANT INSERT ON SCHEMA sales TO USER bea",
    "DENY ALL ON TABLE sales.figures TO GROUP analysts",
]


@pytest.fixture(scope="session")
def guarded(directory, files):
    """A server that knows the users of USERS and nobody else, with GRANTS."""
    path = directory / "guarded"
    path.mkdir()
    glaux(path, "sql", "-e", ";\n".join(files + GRANTS))
    add_users(path)
    with Server(path, config='[auth]\nidentity = "users"\n') as server:
        yield server

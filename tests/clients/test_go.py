"""The Go program of `go/` against both servers: Arrow's Flight SQL client and its driver for database/sql."""

import os
import subprocess
from pathlib import Path

import pytest

from conftest import USERS
from server import PATIENCE

HERE = Path(__file__).parent
CLIENT = os.environ.get("GLAUX_CLIENTS_GO")

pytestmark = pytest.mark.skipif(not CLIENT, reason="the Go client was not built: see the lines above")


@pytest.mark.parametrize("user", ["", "ops"], ids=["anonymous", "user"])
def test_go(anonymous, guarded, user):
    server = guarded if user else anonymous
    done = subprocess.run(
        [CLIENT, f"127.0.0.1:{server.port}", user, USERS[user][0] if user else ""], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    said = set(done.stdout.splitlines())
    assert {"ok long texts", "ok poll", "ok prepared", "ok cancelled", "ok session options", "ok database/sql types",
            "ok database/sql parameters", "ok database/sql long texts"} <= said
    assert ("ok login" in said) == bool(user)

"""Runs the examples of the pages on clients. SQLAlchemy's is in test_dbapi.py, whose environment it needs."""

import subprocess
import warnings

import pytest

from conftest import USERS
from docs import at, examples, readme
from server import PATIENCE
from test_go import CLIENT, HERE
from test_jdbc import DRIVERS, JARS, JAVA


def test_python(anonymous, guarded):
    names = {}
    for block in examples("python-adbc.md", "python"):
        if "her password" in block:
            code = at(block, guarded).replace('"ada"', '"ops"').replace("her password", USERS["ops"][0])
        else:
            code = at(block, anonymous)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if "read_database_uri" in code:
                # It cannot be told that there are no transactions.
                warnings.filterwarnings("ignore", "Cannot disable autocommit")
            exec(compile(code, "python-adbc.md", "exec"), names)
    names["connection"].close()


def test_readme(anonymous, capsys):
    [block] = readme("python")
    exec(compile(at(block, anonymous), "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert "ship_year" in printed[0] and "revenue" in printed[0]
    # The bill, which it is about.
    assert int(printed[-1]) > 0


@pytest.mark.parametrize("driver", DRIVERS)
def test_java(anonymous, driver, tmp_path):
    [block] = examples("jdbc-dbeaver.md", "java")
    file = tmp_path / "Example.java"
    file.write_text(at(block, anonymous))
    jar = JARS / f"flight-sql-jdbc-driver-{driver}.jar"
    done = subprocess.run([*JAVA, "-cp", str(jar), str(file)], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 7 and "TRUCK" in done.stdout


@pytest.mark.skipif(not CLIENT, reason="the Go client was not built: see the lines above")
def test_go(anonymous, tmp_path):
    [block] = examples("go.md", "go")
    file = tmp_path / "example.go"
    file.write_text(at(block, anonymous))
    done = subprocess.run(["go", "run", str(file)], cwd=HERE / "go", capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0

"""The JDBC drivers: `java/Sweep.java`, which does what tools do, and sqlline's metadata commands."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from conftest import USERS
from server import PATIENCE

HERE = Path(__file__).parent
JARS = Path(os.environ.get("GLAUX_CLIENTS_JARS", "."))
DRIVERS = os.environ.get("GLAUX_CLIENTS_JDBC", "").split()
#: Arrow's memory needs the first, on every JDK since 9.
JAVA = ["java", "-Xmx512m", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-Duser.timezone=UTC"]

pytestmark = pytest.mark.skipif(not DRIVERS, reason="there is no JDBC driver: see the lines above")


def url(server):
    return f"jdbc:arrow-flight-sql://127.0.0.1:{server.port}/?useEncryption=false"


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)


@pytest.mark.parametrize("user", ["", "ops"], ids=["anonymous", "user"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_what_tools_do(anonymous, guarded, driver, user):
    server = guarded if user else anonymous
    jar = JARS / f"flight-sql-jdbc-driver-{driver}.jar"
    login = [user, USERS[user][0]] if user else []
    done = run([*JAVA, "-cp", str(jar), str(HERE / "java" / "Sweep.java"), url(server), *login])
    assert done.returncode == 0 and done.stdout.endswith("ok all\n"), done.stdout[-2_000:] + done.stderr[-4_000:]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_wrong_password(guarded, driver):
    jar = JARS / f"flight-sql-jdbc-driver-{driver}.jar"
    done = run([*JAVA, "-cp", str(jar), str(HERE / "java" / "Sweep.java"), url(guarded), "ops", "wrong"])
    assert done.returncode != 0 and "ok" not in done.stdout
    assert re.search("(?i)unauthenticated|password", done.stderr)


@pytest.mark.parametrize("driver", DRIVERS)
def test_sqlline(anonymous, driver, tmp_path):
    path = os.pathsep.join(str(JARS / name) for name in (f"flight-sql-jdbc-driver-{driver}.jar", "sqlline-1.12.0-jar-with-dependencies.jar"))
    done = run(
        [*JAVA, "-cp", path, "sqlline.SqlLine", "-d", "org.apache.arrow.driver.jdbc.ArrowFlightJdbcDriver", "-u", url(anonymous),
         "-n", "", "-p", "", "--force=true", "--color=false", "-f", str(HERE / "java" / "metadata.sqlline")],
        env={**os.environ, "HOME": str(tmp_path)})
    said = done.stdout + done.stderr
    for text in (
        "getDatabaseProductName", "'lineitem'", "'orders'", "'l_orderkey'", "'ship_month'", "'awsdatacatalog'", "'sales'", "'TABLE'", "'VIEW'", "'2000'",
        "'12345678.90'", "'2024-02-29'", 'table "default.nowhere" does not exist',
    ):
        assert text in said, f"{text} is not in:\n{said[-6_000:]}"
    # Of all its commands, only the query of a table that there is none of fails.
    assert [line for line in said.splitlines() if line.startswith("Error:") and "nowhere" not in line] == []
    for text in ("NullPointerException", "ClassCastException", "UnsupportedOperation", "NoSuchElement"):
        assert text not in said, said[-6_000:]

"""DuckDB, Polars and chDB for `lake_bench scan` and `partitions`, which start this script with one of their names and speak with it in lines of JSON.

Data caches are off and footers may be kept, so that a query that ran before reads its data and, where the engine can, nothing else. Times
are of the query alone, CPU of this process. It needs nothing but the engine's own package; DuckDB also duckdb-extension-httpfs.
"""

import json
import os
import re
import resource
import sys
import time

KEY, SECRET, REGION, BUCKET = "glaux-test", "secret", "us-east-1", "lake"


def text(value):
    """A value as the other contestants write it."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return value or "(empty)"
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


class DuckDb:
    def start(self, message):
        import duckdb

        self.db = duckdb.connect(config={"threads": message["cores"]})
        try:
            import duckdb_extension_httpfs  # noqa: F401
            from pathlib import Path

            folder = Path(duckdb_extension_httpfs.__file__).parent
            files = sorted(folder.rglob("httpfs.duckdb_extension*"))
            self.db.execute(f"LOAD '{files[0]}'")
        except (ImportError, IndexError) as error:
            raise Missing(f"duckdb-extension-httpfs is not usable: {error}")
        except duckdb.Error as error:
            raise Missing(f"httpfs does not load: {error}")
        host = message["endpoint"].removeprefix("http://")
        self.db.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{KEY}', SECRET '{SECRET}', REGION '{REGION}',"
            f" ENDPOINT '{host}', URL_STYLE 'path', USE_SSL false)"
        )
        self.db.execute("SET enable_external_file_cache = false")
        self.db.execute("SET parquet_metadata_cache = true")
        self.db.execute("SET enable_http_metadata_cache = true")
        self.db.execute("SET enable_progress_bar = false")
        return f"DuckDB {duckdb.__version__}"

    def open(self, message):
        hive = "true" if message["keys"] else "false"
        url = message["url"] + message["glob"]
        self.db.execute(
            f"CREATE VIEW {message['table']} AS SELECT * FROM read_parquet('{url}', hive_partitioning = {hive})"
        )

    def run(self, table, sql):
        return self.db.execute(sql.replace("{t}", table)).fetchall()


class Polars:
    def start(self, message):
        import polars

        self.polars = polars
        self.options = {
            "aws_endpoint_url": message["endpoint"],
            "aws_access_key_id": KEY,
            "aws_secret_access_key": SECRET,
            "aws_region": REGION,
            "aws_allow_http": "true",
        }
        self.context = polars.SQLContext()
        return f"Polars {polars.__version__}"

    def open(self, message):
        frame = self.polars.scan_parquet(
            message["url"] + message["glob"],
            storage_options=self.options,
            hive_partitioning=bool(message["keys"]),
            cache=False,
        )
        self.context.register(message["table"], frame)

    def run(self, table, sql):
        # Casts of a literal to a decimal are not evaluated before the scan; the bare number is compared as well.
        sql = re.sub(r"CAST\('([0-9.]+)' AS DECIMAL\(15,2\)\)", r"\1", sql)
        return self.context.execute(sql.replace("{t}", table), eager=True).rows()


class ChDb:
    def start(self, message):
        import chdb
        from chdb import session

        self.session = session.Session()
        self.endpoint = message["endpoint"]
        for setting in (
            f"max_threads = {message['cores']}",
            "use_hive_partitioning = 1",
            "enable_filesystem_cache = 0",
            "use_page_cache_for_object_storage = 0",
            "use_query_cache = 0",
        ):
            try:
                self.session.query(f"SET {setting}")
            except Exception as error:  # A version may not know one.
                print(f"chdb: {setting}: {error}", file=sys.stderr)
        return f"chDB {chdb.__version__}"

    def open(self, message):
        path = message["url"].removeprefix("s3://") + message["glob"]
        self.table = {message["table"]: f"s3('{self.endpoint}/{path}', '{KEY}', '{SECRET}', 'Parquet')"}

    def run(self, table, sql):
        answer = self.session.query(sql.replace("{t}", self.table[table]), "JSONCompactStrings")
        return json.loads(answer.bytes())["data"]


class Missing(Exception):
    """The peer is not here."""


PEERS = {"duckdb": DuckDb, "polars": Polars, "chdb": ChDb}


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak():
    """The most resident bytes since the last call of `forget_peak`."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def forget_peak():
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")


def answer(peer, message):
    if message["op"] == "start":
        if not message["endpoint"]:
            return {"missing": "it is measured on the endpoint only"}
        try:
            return {"version": peer.start(message)}
        except (Missing, ImportError) as error:
            return {"missing": str(error)}
    forget_peak()
    cpu_before, started = cpu(), time.perf_counter()
    if message["op"] == "open":
        rows = peer.open(message) or []
    else:
        rows = peer.run(message["table"], message["sql"])
    wall, used = time.perf_counter() - started, cpu() - cpu_before
    return {"wall": wall, "cpu": used, "peak": peak(), "rows": [[text(value) for value in row] for row in rows]}


def main():
    peer = PEERS[sys.argv[1]]()
    # What an engine prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            answered = answer(peer, json.loads(line))
        except Exception as error:
            answered = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:500]}
        print(json.dumps(answered), file=answers, flush=True)


main()

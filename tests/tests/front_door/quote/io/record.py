#!/usr/bin/env python3
"""Asks a Trino for EXPLAIN (TYPE IO, FORMAT JSON) of the queries of answers.jsonl, and writes its documents there, or with --compare prints which differ.

Usage: record.py [--compare] URL FOLDER      URL: of a Trino whose catalog `hive` has FOLDER as `local:///`. Standard library only."""
import json, pathlib, shutil, sys, urllib.request

ANSWERS = pathlib.Path(__file__).with_name("answers.jsonl")
HEADERS = {"X-Trino-User": "io", "X-Trino-Catalog": "hive", "X-Trino-Schema": "default", "X-Trino-Time-Zone": "UTC",
           "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME"}

# The same tables and rows as in io.rs.
TABLES = {
    "t": ("id integer, name varchar, price decimal(10,2), day date, year integer, region varchar", ["year", "region"],
          "(1, 'a', 1.5, DATE '2024-01-01', 2024, 'eu'), (2, 'b', 2.5, DATE '2024-01-02', 2024, 'us'), "
          "(3, 'c', 3.5, DATE '2025-01-01', 2025, 'eu'), (4, 'd', 4.5, DATE '2025-01-02', 2026, 'eu')"),
    "flat": ("id bigint, name varchar, x double", [], "(1, 'a', 1.0), (2, 'b', 2.0)"),
    "n": ("id integer, b boolean, ts timestamp(3), big bigint, bin varbinary, p date", ["p"],
          "(1, true, TIMESTAMP '2024-01-01 00:00:00.000', 9, X'00', DATE '2024-01-01'), "
          "(2, true, TIMESTAMP '2024-01-01 00:00:00.000', 9, X'00', NULL)"),
}


def fetch(url, body=None):
    request = urllib.request.Request(url, data=body, headers=HEADERS, method="POST" if body is not None else "GET")
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def ask(url, sql):
    """The rows of a statement; raises its error."""
    answer, rows = fetch(url.rstrip("/") + "/v1/statement", sql.encode()), []
    while True:
        if "error" in answer:
            raise ValueError(sql + ": " + answer["error"]["message"])
        rows += answer.get("data", [])
        if "nextUri" not in answer:
            return rows
        answer = fetch(answer["nextUri"])


def define(url, folder):
    for name, (columns, keys, rows) in TABLES.items():
        table, path = "io_" + name, pathlib.Path(folder) / ("io_" + name)
        ask(url, f"DROP TABLE IF EXISTS {table}")
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        partitioned = ", partitioned_by = ARRAY[" + ", ".join(f"'{key}'" for key in keys) + "]" if keys else ""
        ask(url, f"CREATE TABLE {table} ({columns}) WITH (external_location = 'local:///{table}', format = 'PARQUET'{partitioned})")
        ask(url, f"INSERT INTO {table} VALUES {rows}")


def main(arguments):
    compares = "--compare" in arguments
    url, folder = [argument for argument in arguments if argument != "--compare"]
    define(url, folder)
    cases = [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").splitlines()]
    differing = 0
    for case in cases:
        # Tables of other recordings may have the plain names.
        sql = case["sql"]
        for name in TABLES:
            sql = sql.replace(f" {{{name}}}", f" io_{name}")
        document = ask(url, "EXPLAIN (TYPE IO, FORMAT JSON) " + sql)[0][0].replace('"io_', '"')
        found = json.loads(document)
        if compares and case.get("document") != found:
            differing += 1
            print(sql, json.dumps(case.get("document")), json.dumps(found), sep="\n  ")
        case["document"] = found
    if not compares:
        ANSWERS.write_text("".join(json.dumps(case, ensure_ascii=False) + "\n" for case in cases), encoding="utf-8")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    if len([argument for argument in sys.argv[1:] if argument != "--compare"]) != 2:
        sys.exit(__doc__)
    main(sys.argv[1:])

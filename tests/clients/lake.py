"""Tables beside the demo's: one with every type of Athena's, and those that are hard to send."""

import datetime
import decimal

import pyarrow as pa
import pyarrow.parquet as pq

MILLION = 1_000_000

#: Columns of the table "types": name, type in DDL, Arrow type that clients see, name of the type that they see, values of three rows.
TYPES = [
    ("bo", "BOOLEAN", pa.bool_(), "boolean", [True, False, None]),
    ("ti", "TINYINT", pa.int8(), "tinyint", [127, -128, None]),
    ("si", "SMALLINT", pa.int16(), "smallint", [32767, -32768, None]),
    ("i", "INT", pa.int32(), "integer", [2**31 - 1, -(2**31), None]),
    ("bi", "BIGINT", pa.int64(), "bigint", [2**63 - 1, -(2**63), None]),
    ("re", "FLOAT", pa.float32(), "real", [1.5, -0.25, None]),
    ("do", "DOUBLE", pa.float64(), "double", [1e308, -2.5e-308, None]),
    ("de", "DECIMAL(10,2)", pa.decimal128(10, 2), "decimal(10,2)", [decimal.Decimal("12345678.90"), decimal.Decimal("-0.01"), None]),
    ("dx", "DECIMAL(38,18)", pa.decimal128(38, 18), "decimal(38,18)",
     [decimal.Decimal("12345678901234567890.123456789012345678"), decimal.Decimal("-0.000000000000000001"), None]),
    ("ch", "CHAR(5)", pa.string(), "char(5)", ["abcde", "fghij", None]),
    ("vc", "VARCHAR(20)", pa.string(), "varchar(20)", ["a varchar", "", None]),
    ("st", "STRING", pa.string(), "varchar", ["Grüße, 世界 \U0001f989", "it's \"quoted\" \\ \n\t", None]),
    ("va", "BINARY", pa.binary(), "varbinary", [b"\x00\xff\x10", b"", None]),
    ("da", "DATE", pa.date32(), "date", [datetime.date(2024, 2, 29), datetime.date(1900, 1, 1), None]),
    ("ts", "TIMESTAMP", pa.timestamp("ms"), "timestamp",
     [datetime.datetime(2024, 2, 29, 23, 59, 59, 123000), datetime.datetime(1969, 12, 31, 23, 59, 59, 999000), None]),
    ("ar", "ARRAY<INT>", pa.list_(pa.field("item", pa.int32())), "array(integer)", [[1, None, 3], [], None]),
    ("ma", "MAP<STRING,BIGINT>", pa.map_(pa.string(), pa.int64()), "map(varchar, bigint)", [[("a", 1), ("b", None)], [], None]),
    ("ro", "STRUCT<x:INT,y:STRING>", pa.struct([("x", pa.int32()), ("y", pa.string())]), 'row(x integer, y varchar)',
     [{"x": 1, "y": "one"}, {"x": None, "y": None}, None]),
    ("ne", "ARRAY<STRUCT<k:STRING,v:ARRAY<DOUBLE>>>",
     pa.list_(pa.field("item", pa.struct([("k", pa.string()), ("v", pa.list_(pa.field("item", pa.float64())))]))),
     'array(row(k varchar, v array(double)))', [[{"k": "p", "v": [0.5, None]}], [], None]),
]

#: Rows of "texts", each of 10,000 characters: one row group of 20 MB.
TEXTS = 2_000
#: Columns of "wide".
WIDE = 1_000


def types_table():
    return pa.table({name: pa.array(values, kind) for name, _, kind, _, values in TYPES})


def write(directory, name, table, **options):
    path = directory / name
    path.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path / "part-0.parquet", **options)
    return path


def build(directory):
    """Writes the files; returns the statements that make tables of them."""
    declared = ", ".join(f"{name} {ddl}" for name, ddl, *_ in TYPES)
    columns = ", ".join(f"c{n} INT" for n in range(WIDE))

    types = write(directory, "types", types_table())
    # Each text differs from the others, and none compresses into little.
    texts = write(directory, "texts", pa.table({
        "id": pa.array(range(TEXTS), pa.int64()),
        "text": pa.array([chr(97 + n % 26) * 9_994 + f"{n:06}" for n in range(TEXTS)]),
    }), row_group_size=TEXTS, use_dictionary=False, compression="none")
    cells = write(directory, "cells", pa.table({
        "id": pa.array([1, 2, 3], pa.int64()), "cell": pa.array(["small", "x" * (5 * MILLION), None]),
    }))
    rows = write(directory, "bigrow", pa.table({
        "id": pa.array([1], pa.int64()), **{f"c{n}": pa.array([chr(97 + n) * MILLION]) for n in range(20)},
    }))
    wide = write(directory, "wide", pa.table({f"c{n}": pa.array([n, None], pa.int32()) for n in range(WIDE)}))
    nothing = directory / "nothing"
    nothing.mkdir(parents=True, exist_ok=True)
    return [
        f"CREATE EXTERNAL TABLE types ({declared}) STORED AS PARQUET LOCATION '{types}/'",
        f"CREATE EXTERNAL TABLE nothing ({declared}) STORED AS PARQUET LOCATION '{nothing}/'",
        f"CREATE EXTERNAL TABLE texts (id BIGINT, text STRING) STORED AS PARQUET LOCATION '{texts}/'",
        f"CREATE EXTERNAL TABLE cells (id BIGINT, cell STRING) STORED AS PARQUET LOCATION '{cells}/'",
        f"CREATE EXTERNAL TABLE bigrow (id BIGINT, {', '.join(f'c{n} STRING' for n in range(20))}) STORED AS PARQUET LOCATION '{rows}/'",
        f"CREATE EXTERNAL TABLE wide ({columns}) STORED AS PARQUET LOCATION '{wide}/'",
        "CREATE DATABASE sales",
        f"CREATE EXTERNAL TABLE sales.figures (id BIGINT COMMENT 'the key', text STRING) STORED AS PARQUET LOCATION '{texts}/'",
        "CREATE VIEW sales.totals AS SELECT count(*) AS n FROM sales.figures",
        "CREATE DATABASE staging",
        "CREATE DATABASE hidden",
        f"CREATE EXTERNAL TABLE hidden.secrets (id BIGINT, text STRING) STORED AS PARQUET LOCATION '{texts}/'",
    ]

"""The ADBC driver for Flight SQL: queries, types, parameters, metadata, sessions, the bill and bulk ingest."""

import datetime
import decimal
import json
import threading
import warnings

import adbc_driver_flightsql.dbapi
import adbc_driver_manager
import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset
import pyarrow.flight
import pytest
from adbc_driver_manager import AdbcStatusCode

import lake
from conftest import eventually
from server import glaux

COOKIES = {"adbc.flight.sql.rpc.with_cookie_middleware": "true"}
OPTION = "adbc.flight.sql.session.option."
TYPE_NAME = b"ARROW:FLIGHT:SQL:TYPE_NAME"


def connect(server, **options):
    """A connection that keeps cookies, as every use of a session needs."""
    return adbc_driver_flightsql.dbapi.connect(server.uri, db_kwargs={**COOKIES, **options}, autocommit=True)


@pytest.fixture
def connection(anonymous):
    with connect(anonymous) as connection:
        yield connection


@pytest.fixture
def cursor(connection):
    with connection.cursor() as cursor:
        yield cursor


def table(cursor, sql, parameters=None):
    cursor.execute(sql, parameters)
    return cursor.fetch_arrow_table()


def one(cursor, sql, parameters=None):
    """The only value of the only row."""
    [row] = table(cursor, sql, parameters).to_pylist()
    [value] = row.values()
    return value


def history(server, statement):
    """What system.queries has of a statement, in the order of its runs."""
    with connect(server) as connection, connection.cursor() as cursor:
        return table(cursor, "SELECT * FROM system.queries WHERE statement = ? ORDER BY submitted_at", [statement]).to_pylist()


def status(error):
    return error.value.status_code


# Queries.

def test_a_connection_as_in_every_tutorial(anonymous):
    with warnings.catch_warnings():
        # Without autocommit=True the driver warns that there are no transactions, and goes on.
        warnings.simplefilter("ignore")
        with adbc_driver_flightsql.dbapi.connect(anonymous.uri) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) AS n FROM orders")
            assert cursor.description[0][0] == "n"
            assert cursor.fetchone() == (15_000,)
            assert cursor.fetchone() is None


def test_rows_come_as_rows_batches_and_frames(cursor):
    sql = "SELECT o_orderkey, o_orderdate FROM orders ORDER BY o_orderkey LIMIT 3"
    cursor.execute(sql)
    rows = cursor.fetchall()
    assert [row[0] for row in rows] == [1, 2, 3]
    assert isinstance(rows[0][1], datetime.date)
    cursor.execute(sql)
    assert cursor.fetchmany(2) == rows[:2]
    cursor.execute(sql)
    assert cursor.fetch_record_batch().read_all().num_rows == 3
    cursor.execute(sql)
    assert list(cursor.fetch_df()["o_orderkey"]) == [1, 2, 3]
    cursor.execute(sql)
    assert cursor.fetch_polars()["o_orderkey"].to_list() == [1, 2, 3]


def test_aggregates_of_a_parquet_table_have_one_nullability(cursor, demo_files):
    expected = pa.dataset.dataset(demo_files / "lineitem_flat", format="parquet").to_table(columns=["l_shipdate", "l_quantity"])
    bounds = pa.compute.min_max(expected["l_shipdate"]).as_py()
    got = table(cursor, "SELECT min(l_shipdate) AS a, max(l_shipdate) AS b, count(*) AS n, sum(l_quantity) AS s FROM lineitem_flat")
    assert got.to_pylist() == [
        {"a": bounds["min"], "b": bounds["max"], "n": expected.num_rows, "s": pa.compute.sum(expected["l_quantity"]).as_py()}]
    # Statistics answer some of these with constants that are never null. The plan, the schema and the stream say the same all the same.
    assert all(field.nullable for field in got.schema)
    assert one(cursor, "SELECT count(*) FROM lineitem_flat") == expected.num_rows
    assert one(cursor, "SELECT count(*) FROM lineitem WHERE ship_year = 1995 AND l_quantity > 1") > 0
    assert table(cursor, "SELECT min(i) AS a, max(st) AS b, count(*) AS n FROM nothing").to_pylist() == [{"a": None, "b": None, "n": 0}]
    assert table(cursor, "SELECT min(i) AS a, max(i) AS b FROM types WHERE i > 0").to_pylist() == [{"a": 2**31 - 1, "b": 2**31 - 1}]


@pytest.mark.parametrize("name, ddl, kind, type_name, values", lake.TYPES, ids=[row[1] for row in lake.TYPES])
def test_every_type_of_a_table(cursor, name, ddl, kind, type_name, values):
    got = table(cursor, f"SELECT {name} FROM types")
    assert got.schema.field(name).type == kind
    assert got.schema.field(name).metadata[TYPE_NAME].decode() == type_name.replace("char(5)", "varchar").replace("varchar(20)", "varchar")
    assert got[name].to_pylist() == values
    empty = table(cursor, f"SELECT {name} FROM nothing")
    assert empty.num_rows == 0 and empty.schema == got.schema


def test_all_types_in_one_row(cursor):
    got = table(cursor, "SELECT * FROM types")
    assert got.schema == lake.types_table().schema
    assert got.equals(lake.types_table())


@pytest.mark.parametrize("sql, kind, value", [
    ("CAST(1 AS INTEGER)", pa.int32(), 1),
    ("CAST(1 AS BIGINT)", pa.int64(), 1),
    ("CAST(1.5 AS REAL)", pa.float32(), 1.5),
    ("1e0", pa.float64(), 1.0),
    ("DECIMAL '1.50'", None, decimal.Decimal("1.50")),
    ("'text'", pa.string(), "text"),
    ("true", pa.bool_(), True),
    ("X'00ff'", pa.binary(), b"\x00\xff"),
    ("DATE '2024-02-29'", pa.date32(), datetime.date(2024, 2, 29)),
    ("TIMESTAMP '2024-02-29 12:00:00.123'", pa.timestamp("ms"), datetime.datetime(2024, 2, 29, 12, 0, 0, 123000)),
    ("NULL", pa.null(), None),
    ("ARRAY['a', 'b']", pa.list_(pa.string()), ["a", "b"]),
    ("CAST(NULL AS VARCHAR)", pa.string(), None),
])
def test_types_of_expressions(cursor, sql, kind, value):
    got = table(cursor, f"SELECT {sql} AS x")
    if kind is not None:
        assert got.schema.field("x").type.equals(kind)
    assert got.to_pylist() == [{"x": value}]


@pytest.mark.parametrize("sql, check", [
    ("TIME '10:11:12'", pa.types.is_time),
    ("current_timestamp", pa.types.is_timestamp),
    ("INTERVAL '1' DAY", pa.types.is_interval),
    ("uuid()", pa.types.is_string),
    ("map(ARRAY['a'], ARRAY[1])", pa.types.is_map),
    ("upper(l_comment)", pa.types.is_string),
    ("concat(l_comment, 'x')", pa.types.is_string),
    ("substr(l_comment, 1, 3)", pa.types.is_string),
    ("array_agg(l_returnflag)", pa.types.is_list),
])
def test_no_view_and_no_dictionary_leaves_the_server(cursor, sql, check):
    source = "FROM (SELECT * FROM lineitem_flat LIMIT 10) t" if "l_" in sql else ""
    got = table(cursor, f"SELECT {sql} AS x {source}")
    assert check(got.schema.field("x").type), got.schema
    assert got.num_rows >= 1


def test_partition_columns_and_group_keys_are_plain(cursor):
    got = table(cursor, "SELECT ship_year, l_returnflag, count(*) AS n FROM lineitem GROUP BY 1, 2 ORDER BY 1, 2")
    assert [field.type for field in got.schema] == [pa.int32(), pa.string(), pa.int64()]
    assert got["n"].to_pylist() and sum(got["n"].to_pylist()) == one(cursor, "SELECT count(*) FROM lineitem")


def test_columns_may_have_the_same_name_or_none(cursor):
    got = table(cursor, "SELECT 1 AS a, 2 AS a, 3")
    assert got.column_names[:2] == ["a", "a"] and len(got.column_names) == 3
    assert [column.to_pylist() for column in got.columns] == [[1], [2], [3]]


# Shapes that are hard to send.

def test_twenty_megabytes_of_long_texts(cursor):
    got = table(cursor, "SELECT id, text FROM texts ORDER BY id")
    assert got.num_rows == lake.TEXTS
    assert pa.compute.sum(pa.compute.utf8_length(got["text"])).as_py() == lake.TEXTS * 10_000
    assert [text[-6:] for text in got["text"].to_pylist()] == [f"{n:06}" for n in range(lake.TEXTS)]


def test_a_filter_and_a_slice_of_long_texts(cursor):
    got = table(cursor, "SELECT text FROM texts WHERE id % 100 = 7 ORDER BY id")
    assert [text[-6:] for text in got["text"].to_pylist()] == [f"{n:06}" for n in range(7, lake.TEXTS, 100)]
    assert table(cursor, "SELECT substr(text, 1, 5) AS s FROM texts WHERE id = 3").to_pylist() == [{"s": "ddddd"}]


def test_a_cell_of_five_megabytes(cursor):
    assert [len(cell or "") for cell in table(cursor, "SELECT cell FROM cells ORDER BY id")["cell"].to_pylist()] == [5, 5 * lake.MILLION, 0]


def test_a_row_of_twenty_megabytes_needs_a_larger_limit_of_the_client(anonymous):
    with connect(anonymous, **{"adbc.flight.sql.client_option.with_max_msg_size": str(64 << 20)}) as connection:
        with connection.cursor() as cursor:
            [row] = table(cursor, "SELECT * FROM bigrow").to_pylist()
    assert {len(row[f"c{n}"]) for n in range(20)} == {lake.MILLION}


def test_no_rows_and_many_columns(cursor):
    assert table(cursor, "SELECT * FROM lineitem WHERE ship_year = 2525").num_rows == 0
    cursor.execute("SELECT id FROM texts WHERE false")
    assert cursor.fetchall() == []
    wide = table(cursor, "SELECT * FROM wide")
    assert wide.num_columns == lake.WIDE and wide.num_rows == 2
    assert wide.to_pylist()[0] == {f"c{n}": n for n in range(lake.WIDE)}


def test_many_rows(cursor):
    got = table(cursor, "SELECT l_orderkey, l_extendedprice, l_comment FROM lineitem_flat")
    assert got.num_rows == one(cursor, "SELECT count(*) FROM lineitem_flat")


# Parameters.

def test_twelve_parameters_keep_their_order(cursor):
    sql = "SELECT " + ", ".join(f"? AS p{n}" for n in range(12))
    assert table(cursor, sql, list(range(100, 112))).to_pylist() == [{f"p{n}": 100 + n for n in range(12)}]
    typed = "SELECT " + ", ".join(f"CAST(? AS VARCHAR) AS p{n}" for n in range(12))
    assert table(cursor, typed, [f"v{n}" for n in range(12)]).to_pylist() == [{f"p{n}": f"v{n}" for n in range(12)}]


@pytest.mark.parametrize("value", [
    True, 7, -(2**62), 1.25, "text", "it's; -- not", b"\x00\x01", datetime.date(2024, 2, 29), decimal.Decimal("12.34"),
    datetime.datetime(2024, 2, 29, 12, 30, 0, 123000),
], ids=repr)
def test_a_parameter_of_every_type(cursor, value):
    assert one(cursor, "SELECT ? AS x", [value]) == value


def test_null_as_a_parameter(cursor):
    assert one(cursor, "SELECT ? AS x", [None]) is None
    assert one(cursor, "SELECT ? IS NULL AS x", [None]) is True
    assert one(cursor, "SELECT count(*) FROM orders WHERE o_orderkey = ?", [None]) == 0
    assert table(cursor, "SELECT ? AS a, ? AS b", [None, "x"]).to_pylist() == [{"a": None, "b": "x"}]


def test_parameters_in_a_filter_prune_as_constants_do(anonymous, connection, cursor):
    sql = "SELECT count(*) FROM lineitem WHERE ship_year = ? AND ship_month = ? AND l_quantity > ?"
    bound = one(cursor, sql, [1995, 3, 10])
    constant = "SELECT count(*) FROM lineitem WHERE ship_year = 1995 AND ship_month = 3 AND l_quantity > 10"
    assert one(cursor, constant) == bound > 0
    [a], [b] = history(anonymous, sql), history(anonymous, constant)
    assert a["partitions_scanned"] == b["partitions_scanned"] == 1
    assert a["data_scanned_bytes"] == b["data_scanned_bytes"] > 0


def test_parameters_are_bound_anew(cursor):
    sql = "SELECT count(*) FROM orders WHERE o_orderkey <= ?"
    assert [one(cursor, sql, [n]) for n in (0, 1, 2, 1)] == [0, 1, 2, 1]


def test_a_statement_is_prepared_and_described_before_it_runs(cursor):
    sql = "SELECT o_orderkey, CAST(? AS VARCHAR) AS v FROM orders WHERE o_orderkey = ? AND o_orderdate > ?"
    parameters = cursor.adbc_prepare(sql)
    assert len(parameters) == 3
    assert all(field.nullable for field in parameters)
    assert parameters.field(1).type == pa.int64()
    assert parameters.field(2).type == pa.date32()
    assert table(cursor, sql, ["x", 1, datetime.date(1900, 1, 1)]).to_pylist() == [{"o_orderkey": 1, "v": "x"}]
    assert [field.type for field in cursor.adbc_prepare("SELECT ? AS x")] == [pa.null()]
    assert len(cursor.adbc_prepare("SELECT 1 AS x")) == 0


@pytest.mark.parametrize("sql, text", [
    ("SELECT 'a' LIKE '%' || ? || '%' ESCAPE '/' AS x", "LIKE with ESCAPE"),
    ("INSERT INTO orders VALUES (?)", "INSERT is not supported"),
    ("DELETE FROM orders WHERE o_orderkey = ?", "DELETE"),
    ("SELECT CAST(? AS json) AS x", "(?i)json"),
])
def test_what_is_not_supported_says_so_with_parameters_too(cursor, sql, text):
    with pytest.raises(adbc_driver_manager.Error, match=text) as error:
        cursor.execute(sql, ["a"])
    assert "ingest" not in str(error.value).lower() or "INSERT" in str(error.value)
    assert status(error) == AdbcStatusCode.INVALID_ARGUMENT
    assert one(cursor, "SELECT 1 AS x") == 1


def test_places_tell_the_types_of_parameters(cursor):
    sql = "SELECT coalesce(?, i) AS a, CASE WHEN i > ? THEN ? ELSE 'no' END AS b, substr(st, ?, ?) AS c, lower(?) AS d, round(re, ?) AS e FROM types"
    kinds = [pa.int64(), pa.int64(), pa.string(), pa.int64(), pa.int64(), pa.string(), pa.int64()]
    assert [field.type for field in cursor.adbc_prepare(sql)] == kinds
    assert table(cursor, sql, [1, 0, "yes", 1, 2, "ABC", 0]).num_rows == 3
    for explain in ("EXPLAIN", "EXPLAIN ANALYZE"):
        sql = f"{explain} SELECT st FROM types WHERE i < ?"
        assert [field.type for field in cursor.adbc_prepare(sql)] == [pa.int64()]
        assert table(cursor, sql, [3]).num_rows > 0


def test_too_few_and_too_many_parameters(cursor):
    for parameters in ([1], [1, 2, 3], []):
        with pytest.raises(adbc_driver_manager.Error, match="2 parameters") as error:
            table(cursor, "SELECT ? + ? AS x", parameters)
        assert status(error) == AdbcStatusCode.INVALID_ARGUMENT
    assert one(cursor, "SELECT CAST(? AS BIGINT) + CAST(? AS BIGINT) AS x", [1, 2]) == 3


def test_a_parameter_that_does_not_fit(cursor):
    with pytest.raises(adbc_driver_manager.Error) as error:
        table(cursor, "SELECT o_orderkey FROM orders WHERE o_orderkey = ?", ["not a number"])
    assert status(error) == AdbcStatusCode.INVALID_ARGUMENT
    assert one(cursor, "SELECT count(*) FROM orders WHERE o_orderkey = ?", [1]) == 1


def test_a_statement_is_run_for_each_row_of_parameters(anonymous, cursor):
    sql = "SELECT o_orderkey AS found FROM orders WHERE o_orderkey = ?"
    rows = pa.table({"0": pa.array([3, 1, None, 2**40, 2], pa.int64())})
    assert table(cursor, sql, rows)["found"].to_pylist() == [3, 1, 2]
    assert len(history(anonymous, sql)) == 1
    many = pa.Table.from_batches(pa.table({"0": list(range(1, 1_001))}).to_batches(max_chunksize=7))
    assert table(cursor, "SELECT ? AS x", many)["x"].to_pylist() == list(range(1, 1_001))
    with pytest.raises(adbc_driver_manager.Error, match="1000"):
        table(cursor, "SELECT ? AS x", pa.table({"0": list(range(1_001))}))
    cursor.executemany(sql, [[1], [2]])
    # A value that fits its place in one row and not in another: all rows have one type.
    assert table(cursor, "SELECT CAST(? AS BIGINT) AS x", pa.table({"0": ["1", "007"]}))["x"].to_pylist() == [1, 7]


def test_a_result_is_described_without_running(anonymous, cursor):
    sql = "SELECT o_orderkey, count(*) AS described FROM orders GROUP BY o_orderkey"
    schema = cursor.adbc_execute_schema(sql)
    assert schema.names == ["o_orderkey", "described"]
    assert schema.types == [pa.int64(), pa.int64()]
    assert history(anonymous, sql) == []


# Statements that change something.

def ways(connection):
    """The four commands by which a statement without a result comes: each a function of its text."""
    low = connection.adbc_connection

    def run(sql, prepare, update):
        statement = adbc_driver_manager.AdbcStatement(low)
        try:
            statement.set_sql_query(sql)
            if prepare:
                statement.prepare()
            if update:
                return statement.execute_update()
            stream, rows = statement.execute_query()
            pa.RecordBatchReader._import_from_c(stream.address).read_all()
            return rows
        finally:
            statement.close()

    return {
        "statement-query": lambda sql: run(sql, False, False),
        "statement-update": lambda sql: run(sql, False, True),
        "prepared-query": lambda sql: run(sql, True, False),
        "prepared-update": lambda sql: run(sql, True, True),
    }


@pytest.mark.parametrize("way", ["statement-query", "statement-update", "prepared-query", "prepared-update"])
def test_ddl_runs_exactly_once(anonymous, connection, cursor, way):
    run = ways(connection)[way]
    name = "once_" + way.replace("-", "_")
    assert run(f"CREATE DATABASE {name}") in (-1, 0)
    with pytest.raises(adbc_driver_manager.Error, match=f'"{name}" already exists') as error:
        run(f"CREATE DATABASE {name}")
    assert status(error) == AdbcStatusCode.ALREADY_EXISTS
    assert [row["state"] for row in history(anonymous, f"CREATE DATABASE {name}")] == ["SUCCEEDED", "FAILED"]
    assert name in table(cursor, "SHOW DATABASES").column(0).to_pylist()
    assert run(f"DROP DATABASE {name}") in (-1, 0)
    assert [row["state"] for row in history(anonymous, f"DROP DATABASE {name}")] == ["SUCCEEDED"]
    assert name not in table(cursor, "SHOW DATABASES").column(0).to_pylist()


def test_ddl_by_a_cursor(anonymous, cursor):
    cursor.execute("CREATE DATABASE by_cursor")
    # Nothing was fetched, and yet it is done.
    [ran] = history(anonymous, "CREATE DATABASE by_cursor")
    assert ran["state"] == "SUCCEEDED" and ran["statement_type"] == "DDL" and ran["billed_bytes"] == 0
    cursor.execute("DROP DATABASE by_cursor")
    assert cursor.fetchall() == []
    assert len(history(anonymous, "DROP DATABASE by_cursor")) == 1


def test_statements_of_hive_and_athena(cursor, connection):
    assert "lineitem" in table(cursor, "SHOW TABLES").column(0).to_pylist()
    assert table(cursor, "SHOW TABLES IN sales").column(0).to_pylist() == ["figures", "totals"]
    described = table(cursor, "DESCRIBE types")
    assert described.num_columns == 3
    assert described.column(1).to_pylist()[:3] == ["boolean", "tinyint", "smallint"]
    assert "ship_year=1995/ship_month=3" in table(cursor, "SHOW PARTITIONS lineitem").column(0).to_pylist()
    assert "CREATE EXTERNAL TABLE" in "\n".join(table(cursor, "SHOW CREATE TABLE types").column(0).to_pylist())
    assert table(cursor, "SHOW COLUMNS IN sales.figures").column(0).to_pylist() == ["id", "text"]
    assert table(cursor, "EXPLAIN SELECT 1 AS x").num_rows > 0
    assert table(cursor, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'sales' ORDER BY 1").to_pylist() == [
        {"table_name": "figures"}, {"table_name": "totals"}]


# What there is.

def objects(connection, **filters):
    """Catalogs with what is below them, as nested dictionaries by name; leaves are the lists of columns."""
    names = {}
    for catalog in connection.adbc_get_objects(**filters).read_all().to_pylist():
        schemas = names[catalog["catalog_name"]] = {}
        for schema in catalog["catalog_db_schemas"] or []:
            tables = schemas[schema["db_schema_name"]] = {}
            for found in schema["db_schema_tables"] or []:
                tables[found["table_name"], found["table_type"]] = found["table_columns"]
    return names


def test_objects_at_every_depth(connection):
    catalogs = objects(connection, depth="catalogs")
    assert "awsdatacatalog" in catalogs and catalogs["awsdatacatalog"] == {}
    schemas = objects(connection, depth="db_schemas")["awsdatacatalog"]
    assert {"default", "sales", "hidden", "information_schema"} <= set(schemas) and schemas["default"] == {}
    tables = objects(connection, depth="tables")["awsdatacatalog"]
    assert {("lineitem", "TABLE"), ("orders", "TABLE"), ("types", "TABLE")} <= set(tables["default"])
    assert set(tables["sales"]) == {("figures", "TABLE"), ("totals", "VIEW")}
    assert not any(tables["sales"].values())
    columns = objects(connection, depth="columns")["awsdatacatalog"]
    assert [column["column_name"] for column in columns["sales"]["figures", "TABLE"]] == ["id", "text"]
    assert [column["column_name"] for column in columns["sales"]["totals", "VIEW"]] == ["n"]
    assert [column["column_name"] for column in columns["default"]["lineitem", "TABLE"]][-2:] == ["ship_year", "ship_month"]


def test_columns_are_described(connection):
    found = objects(connection, depth="all", db_schema_filter="default", table_name_filter="types")
    columns = found["awsdatacatalog"]["default"]["types", "TABLE"]
    assert [column["column_name"] for column in columns] == [name for name, *_ in lake.TYPES]
    assert [column["ordinal_position"] for column in columns] == list(range(1, len(lake.TYPES) + 1))
    assert [column["xdbc_type_name"] for column in columns] == [type_name for _, _, _, type_name, _ in lake.TYPES]
    with connection.cursor() as cursor:
        named = table(cursor, "SELECT data_type FROM information_schema.columns WHERE table_name = 'types' ORDER BY ordinal_position")
    # Athena calls it timestamp in DDL, and timestamp(3) there.
    assert [name.replace("timestamp(3)", "timestamp") for name in named["data_type"].to_pylist()] == [row[3] for row in lake.TYPES]
    by_name = {column["column_name"]: column for column in columns}
    assert [by_name[name]["xdbc_data_type"] for name in ("bi", "de", "st")] == [-5, 3, 12]
    # Sizes the driver leaves to the schema.
    schema = connection.adbc_get_table_schema("types", db_schema_filter="default")
    size = lambda name: [schema.field(name).metadata.get(b"ARROW:FLIGHT:SQL:" + key) for key in (b"PRECISION", b"SCALE")]
    assert (size("de"), size("dx"), size("vc")[0], size("ch")[0]) == ([b"10", b"2"], [b"38", b"18"], b"20", b"5")


def test_objects_by_filters(connection):
    def tables(**filters):
        return {
            (schema, *key)
            for schemas in objects(connection, depth="tables", **filters).values() for schema, found in schemas.items() for key in found
        }

    assert tables(catalog_filter="nowhere") == set()
    assert ("default", "orders", "TABLE") in tables(catalog_filter="awsdatacatalog")
    assert tables(db_schema_filter="sal%") == {("sales", "figures", "TABLE"), ("sales", "totals", "VIEW")}
    assert tables(db_schema_filter="sale_", table_name_filter="f_gures") == {("sales", "figures", "TABLE")}
    assert tables(table_name_filter="lineitem%") == {("default", "lineitem", "TABLE"), ("default", "lineitem_flat", "TABLE")}
    assert tables(table_name_filter="lineitem\\_flat") == {("default", "lineitem_flat", "TABLE")}
    assert tables(table_name_filter="ineite") == set()
    assert tables(db_schema_filter="sales", table_types_filter=["VIEW"]) == {("sales", "totals", "VIEW")}
    assert tables(db_schema_filter="sales", table_types_filter=["TABLE"]) == {("sales", "figures", "TABLE")}
    assert tables(db_schema_filter="sales", table_types_filter=["NOTHING"]) == set()
    found = objects(connection, depth="columns", db_schema_filter="sales", column_name_filter="te%")
    assert [column["column_name"] for column in found["awsdatacatalog"]["sales"]["figures", "TABLE"]] == ["text"]


def test_schemas_of_tables(connection):
    schema = connection.adbc_get_table_schema("types")
    assert schema.remove_metadata() == lake.types_table().schema
    assert [field.metadata[TYPE_NAME].decode() for field in schema] == [type_name for _, _, _, type_name, _ in lake.TYPES]
    figures = connection.adbc_get_table_schema("figures", db_schema_filter="sales", catalog_filter="awsdatacatalog")
    assert figures.field("id").metadata[b"ARROW:FLIGHT:SQL:REMARKS"] == b"the key"
    assert connection.adbc_get_table_schema("totals", db_schema_filter="sales").names == ["n"]
    with pytest.raises(adbc_driver_manager.Error) as error:
        connection.adbc_get_table_schema("nowhere")
    assert status(error) == AdbcStatusCode.NOT_FOUND


def test_comments_are_of_tables_and_not_of_results(cursor):
    # JDBC would show a comment in a result's schema as the column's label.
    got = table(cursor, "SELECT id FROM sales.figures LIMIT 1")
    assert b"ARROW:FLIGHT:SQL:REMARKS" not in (got.schema.field("id").metadata or {})


def test_table_types(connection):
    assert {"TABLE", "VIEW"} <= set(connection.adbc_get_table_types())


def test_info(anonymous, connection):
    info = connection.adbc_get_info()
    assert info["vendor_name"].lower() == "glaux"
    assert info["vendor_version"] in glaux(anonymous.data_dir, "--version")
    assert info["vendor_arrow_version"]
    assert info["driver_name"].startswith("ADBC Flight SQL")


# Sessions.

def test_the_current_catalog_and_schema(anonymous):
    with connect(anonymous) as connection, connection.cursor() as cursor:
        assert (connection.adbc_current_catalog, connection.adbc_current_db_schema) == ("awsdatacatalog", "default")
        connection.adbc_current_db_schema = "sales"
        assert connection.adbc_current_db_schema == "sales"
        assert one(cursor, "SELECT n FROM totals") == lake.TEXTS
        connection.adbc_current_catalog = "awsdatacatalog"
        with pytest.raises(adbc_driver_manager.Error):
            connection.adbc_current_db_schema = "nowhere"
        with pytest.raises(adbc_driver_manager.Error):
            connection.adbc_current_catalog = "nowhere"
        assert one(cursor, "SELECT n FROM totals") == lake.TEXTS
        cursor.execute("USE default")
        cursor.fetchall()
        assert connection.adbc_current_db_schema == "default"
        # Another connection is another session.
        with connect(anonymous) as other:
            other.adbc_current_db_schema = "sales"
            assert connection.adbc_current_db_schema == "default"


def test_session_options(anonymous):
    with connect(anonymous) as connection, connection.cursor() as cursor:
        low = connection.adbc_connection
        assert low.get_option(OPTION + "time_zone") == "UTC"
        low.set_options(**{OPTION + "time_zone": "Europe/Rome"})
        assert low.get_option(OPTION + "time_zone") == "Europe/Rome"
        shown = {row[0]: row[1] for row in table(cursor, "SHOW SESSION").to_pandas().itertuples(index=False)}
        assert shown["time_zone"] == "Europe/Rome"
        cursor.execute("SET SESSION query_timeout = '5m'")
        cursor.fetchall()
        everything = json.loads(low.get_option("adbc.flight.sql.session.options"))
        assert everything["time_zone"] == "Europe/Rome" and everything["query_timeout"] and everything["schema"] == "default"
        low.set_options(**{"adbc.flight.sql.session.optionerase.time_zone": ""})
        assert low.get_option(OPTION + "time_zone") == "UTC"
        for name, value in (("no_such_option", "1"), ("time_zone", "Nowhere/City"), ("last_query.id", "x"), ("parallel_endpoints", "many")):
            with pytest.raises(adbc_driver_manager.Error):
                low.set_options(**{OPTION + name: value})
        with pytest.raises(adbc_driver_manager.Error) as error:
            low.get_option(OPTION + "no_such_option")
        assert status(error) == AdbcStatusCode.NOT_FOUND


def test_a_limit_of_the_session_holds(anonymous):
    with connect(anonymous) as connection, connection.cursor() as cursor:
        connection.adbc_connection.set_options(**{OPTION + "max_scan_bytes": "10"})
        with pytest.raises(adbc_driver_manager.Error, match="more than its limit of 10 bytes"):
            table(cursor, "SELECT sum(l_tax) AS s FROM lineitem_flat")
        connection.adbc_connection.set_options(**{OPTION + "max_scan_bytes": ""})
        assert one(cursor, "SELECT sum(l_tax) AS s FROM lineitem_flat") > 0


def test_results_in_several_streams_on_request(anonymous):
    sql = "SELECT l_orderkey, l_linenumber, l_comment FROM lineitem"
    with connect(anonymous) as connection, connection.cursor() as cursor:
        whole = table(cursor, sql)
        partitions, schema = cursor.adbc_execute_partitions(sql)
        assert len(partitions) == 1
        connection.adbc_connection.set_options(**{OPTION + "parallel_endpoints": "4"})
        before = len(history(anonymous, sql))
        partitions, schema = cursor.adbc_execute_partitions(sql)
        assert 1 < len(partitions) <= 4
        pieces = []
        for partition in partitions:
            cursor.adbc_read_partition(partition)
            pieces.append(cursor.fetch_arrow_table())
        order = [("l_orderkey", "ascending"), ("l_linenumber", "ascending")]
        assert pa.concat_tables(pieces).sort_by(order).equals(whole.sort_by(order))
        # However many streams, it is one query with one bill.
        ran = eventually(lambda: (rows := history(anonymous, sql)) and rows[-1]["state"] == "SUCCEEDED" and rows)
        assert len(ran) == before + 1
        assert ran[-1]["data_scanned_bytes"] == ran[0]["data_scanned_bytes"] and ran[-1]["rows"] == whole.num_rows
        # ADBC fetches them at the same time by itself.
        assert table(cursor, sql).sort_by(order).equals(whole.sort_by(order))
        # What has an order stays in one.
        partitions, _ = cursor.adbc_execute_partitions(sql + " ORDER BY l_comment")
        assert len(partitions) == 1
        assert one(cursor, "SELECT count(*) FROM lineitem") == whole.num_rows


# The bill.

def last_query(connection):
    options = json.loads(connection.adbc_connection.get_option("adbc.flight.sql.session.options"))
    return {name.removeprefix("last_query."): value for name, value in options.items() if name.startswith("last_query.")}


def test_the_last_query_tells_what_it_cost(anonymous):
    sql = "SELECT l_shipmode, sum(l_extendedprice) AS s FROM lineitem WHERE ship_year = 1994 GROUP BY l_shipmode"
    with connect(anonymous) as connection, connection.cursor() as cursor:
        got = table(cursor, sql)
        low = connection.adbc_connection
        figures = last_query(connection)
        [row] = history(anonymous, sql)
        assert figures["id"] == row["query_id"] == got.schema.metadata[b"glaux:query_id"].decode()
        assert figures["state"] == row["state"] == "SUCCEEDED"
        for name in ("data_scanned_bytes", "metadata_bytes", "fetched_bytes", "billed_bytes", "rows"):
            assert figures[name] == row[name] == low.get_option_int(OPTION + "last_query." + name), name
        assert row["data_scanned_bytes"] > 0 and row["rows"] == got.num_rows
        assert decimal.Decimal(str(figures["cost_usd"])) == row["cost_usd"] > 0
        for name in ("partitions", "files", "row_groups"):
            assert figures[f"{name}.scanned"] == row[f"{name}_scanned"] and figures[f"{name}.total"] == row[f"{name}_total"]
        assert figures["partitions.scanned"] < figures["partitions.total"]
        estimate = json.loads(got.schema.metadata[b"glaux:estimate"])
        assert estimate["files"] == row["files_total"] or estimate["files"] == row["files_scanned"]
        assert max(value for value in estimate.values() if isinstance(value, int)) >= row["data_scanned_bytes"]


def test_a_query_that_failed_is_the_last_as_well(anonymous):
    with connect(anonymous) as connection, connection.cursor() as cursor:
        with pytest.raises(adbc_driver_manager.Error):
            table(cursor, "SELECT CAST(l_comment AS INTEGER) AS x FROM lineitem_flat")
        figures = last_query(connection)
        assert figures["state"] == "FAILED" and figures["billed_bytes"] == 0


def test_cancelling_stops_the_query_and_bills_what_it_read(anonymous):
    sql = "SELECT a.l_comment, b.l_comment FROM lineitem_flat a CROSS JOIN lineitem_flat b"
    with connect(anonymous) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        reader = cursor.fetch_record_batch()
        assert reader.read_next_batch() is not None
        canceller = threading.Timer(0, cursor.adbc_cancel)
        canceller.start()
        with pytest.raises((adbc_driver_manager.Error, OSError, pa.ArrowException)):
            while True:
                reader.read_next_batch()
        canceller.join()
    [row] = eventually(lambda: [row for row in history(anonymous, sql) if row["state"] == "CANCELLED"])
    assert row["data_scanned_bytes"] > 0 and row["billed_bytes"] >= row["data_scanned_bytes"]


def test_closing_a_stream_stops_the_query(anonymous):
    sql = "SELECT b.l_comment, a.l_comment FROM lineitem_flat a CROSS JOIN lineitem_flat b"
    with connect(anonymous) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.fetchone()
    [row] = eventually(lambda: [row for row in history(anonymous, sql) if row["state"] == "CANCELLED"])
    assert row["data_scanned_bytes"] > 0


def test_a_deadline_of_the_client_stops_the_query(anonymous):
    sql = "SELECT count(*) AS late FROM lineitem_flat a JOIN lineitem_flat b ON a.l_comment < b.l_shipmode OR a.l_tax > b.l_discount"
    with connect(anonymous, **{"adbc.flight.sql.rpc.timeout_seconds.fetch": "0.5"}) as connection, connection.cursor() as cursor:
        with pytest.raises((adbc_driver_manager.Error, OSError)):
            table(cursor, sql)
    assert eventually(lambda: [row["state"] for row in history(anonymous, sql)] == ["CANCELLED"])


def test_progress_by_polling(anonymous):
    with connect(anonymous) as connection:
        statement = adbc_driver_manager.AdbcStatement(connection.adbc_connection)
        try:
            statement.set_options(**{"adbc.statement.exec.incremental": "true"})
            statement.set_sql_query("SELECT o_orderkey FROM orders ORDER BY 1 LIMIT 2")
            partitions, schema, _ = statement.execute_partitions()
            info = pa.flight.FlightInfo.deserialize(statement.get_option_bytes("adbc.flight.sql.statement.exec.last_flight_info"))
            assert "query_id" in json.loads(info.app_metadata)
            assert len(partitions) == 1
            handle = connection.adbc_connection.read_partition(partitions[0])
            got = pa.RecordBatchReader._import_from_c(handle.address).read_all()
            assert got["o_orderkey"].to_pylist() == [1, 2]
            partitions, *_ = statement.execute_partitions()
            assert partitions == []
        finally:
            statement.close()


# Bulk ingest.

@pytest.fixture
def numbers():
    return pa.table({
        "id": pa.array(range(1_000), pa.int64()),
        "name": pa.array([f"name {n}" for n in range(1_000)]),
        "day": pa.array([datetime.date(2024, 1, 1)] * 1_000),
        "price": pa.array([decimal.Decimal(n) / 100 for n in range(1_000)], pa.decimal128(10, 2)),
        "at": pa.array([datetime.datetime(2024, 1, 1, 12)] * 1_000, pa.timestamp("us")),
    })


def test_ingest_creates_and_appends(cursor, numbers):
    with pytest.raises(adbc_driver_manager.Error) as error:
        cursor.adbc_ingest("ingested", numbers, mode="append")
    assert status(error) == AdbcStatusCode.NOT_FOUND
    assert cursor.adbc_ingest("ingested", numbers, mode="create") == 1_000
    got = table(cursor, "SELECT * FROM ingested ORDER BY id")
    assert got.to_pylist() == numbers.to_pylist()
    with pytest.raises(adbc_driver_manager.Error) as error:
        cursor.adbc_ingest("ingested", numbers, mode="create")
    assert status(error) == AdbcStatusCode.ALREADY_EXISTS
    assert cursor.adbc_ingest("ingested", numbers.slice(0, 10), mode="append") == 10
    assert cursor.adbc_ingest("ingested", numbers.slice(0, 5), mode="create_append") == 5
    assert one(cursor, "SELECT count(*) FROM ingested") == 1_015
    assert cursor.adbc_ingest("fresh", numbers, mode="create_append") == 1_000
    assert one(cursor, "SELECT max(name) AS m FROM fresh") == "name 999"


def test_ingest_into_a_schema_and_from_many_batches(cursor, numbers):
    batches = pa.Table.from_batches(numbers.to_batches(max_chunksize=7))
    assert cursor.adbc_ingest("ingested", batches.to_reader(), mode="create", db_schema_name="staging", catalog_name="awsdatacatalog") == 1_000
    assert one(cursor, "SELECT count(DISTINCT id) AS n FROM staging.ingested") == 1_000


def test_ingest_of_twenty_megabytes(cursor):
    texts = pa.table({"id": list(range(lake.TEXTS)), "text": [chr(97 + n % 26) * 10_000 for n in range(lake.TEXTS)]})
    # The driver sends a batch as one message, and none that is larger than 16 MiB.
    assert cursor.adbc_ingest("texts_in", texts.to_reader(max_chunksize=1_000), mode="create") == lake.TEXTS
    assert one(cursor, "SELECT sum(length(text)) AS n FROM texts_in") == lake.TEXTS * 10_000


def files_of(anonymous, name):
    """The files of ingested tables of a name, below the server's data directory."""
    return sorted(path for folder in (anonymous.data_dir / "warehouse").glob(f"*/{name}-*") for path in folder.rglob("*.parquet"))


def test_an_ingested_table_is_dropped_with_its_files_and_replaced(anonymous, cursor, numbers):
    for round in range(2):
        cursor.adbc_ingest("again", numbers, mode="create")
        cursor.adbc_ingest("again", numbers, mode="append")
        assert len(files_of(anonymous, "again")) == 2
        cursor.execute('DROP TABLE "again"')
        assert files_of(anonymous, "again") == []
    cursor.adbc_ingest("again", numbers, mode="create")
    for rows in (numbers.select(["id"]).slice(0, 3), numbers.slice(0, 5)):
        assert cursor.adbc_ingest("again", rows, mode="replace") == rows.num_rows
        assert table(cursor, "SELECT * FROM again ORDER BY id").to_pylist() == rows.to_pylist()
        assert len(files_of(anonymous, "again")) == 1
    cursor.execute("CREATE DATABASE going")
    cursor.adbc_ingest("inside", numbers, mode="create", db_schema_name="going")
    cursor.execute("DROP DATABASE going CASCADE")
    assert files_of(anonymous, "inside") == []


def test_files_of_external_tables_stay(anonymous, cursor, numbers, tmp_path):
    cursor.adbc_ingest("mine", numbers, mode="create")
    [file] = files_of(anonymous, "mine")
    stranger = file.parent / "part-0.parquet"
    stranger.write_bytes(file.read_bytes())
    cursor.execute(f"CREATE EXTERNAL TABLE over_mine (id BIGINT) STORED AS PARQUET LOCATION '{file.parent}/'")
    cursor.execute("DROP TABLE mine")
    assert files_of(anonymous, "mine") == sorted([file, stranger])
    assert one(cursor, "SELECT count(*) FROM over_mine") == 2_000
    cursor.execute("DROP TABLE over_mine")
    assert file.exists() and stranger.exists()
    # What lies there by other ways stays, too.
    cursor.adbc_ingest("mixed", numbers, mode="create")
    [file] = files_of(anonymous, "mixed")
    stranger = file.parent / "notes.txt"
    stranger.write_text("mine")
    cursor.execute("DROP TABLE mixed")
    assert not file.exists() and stranger.read_text() == "mine"


def test_names_in_double_quotes(cursor, tmp_path):
    cursor.execute('CREATE DATABASE IF NOT EXISTS "Quoted"')
    cursor.execute(f'CREATE EXTERNAL TABLE "Quoted"."a table" ("an id" BIGINT COMMENT "text", `b` STRING) STORED AS PARQUET LOCATION \'{tmp_path}/\'')
    assert [row["col_name"].strip() for row in table(cursor, 'DESCRIBE "quoted"."a table"').to_pylist()] == ["an id", "b"]
    assert table(cursor, 'SELECT "an id" FROM quoted."a table"').num_rows == 0
    cursor.execute('ALTER TABLE "quoted"."a table" ADD COLUMNS ("c" INT)')
    cursor.execute('DROP TABLE IF EXISTS "quoted"."a table"')
    cursor.execute('DROP DATABASE "quoted"')


def test_ingest_refuses_what_it_does_not_do(cursor, numbers):
    cursor.adbc_ingest("kept", numbers, mode="create")
    with pytest.raises(adbc_driver_manager.NotSupportedError, match="external") as error:
        cursor.adbc_ingest("orders", numbers.slice(0, 1), mode="replace")
    assert status(error) == AdbcStatusCode.NOT_IMPLEMENTED
    with pytest.raises(adbc_driver_manager.NotSupportedError):
        cursor.adbc_ingest("passing", numbers, mode="create", temporary=True)
    with pytest.raises(adbc_driver_manager.Error) as error:
        cursor.adbc_ingest("kept", pa.table({"id": ["text"], "name": [1]}), mode="append")
    assert status(error) == AdbcStatusCode.INVALID_ARGUMENT
    with pytest.raises(adbc_driver_manager.Error) as error:
        cursor.adbc_ingest("x", numbers, mode="create", db_schema_name="nowhere")
    assert status(error) == AdbcStatusCode.NOT_FOUND
    assert one(cursor, "SELECT count(*) FROM kept") == 1_000


def test_names_of_an_ingest_are_not_changed(cursor, numbers):
    for name in ("a b ", " a b"):
        with pytest.raises(adbc_driver_manager.Error, match="begins or ends with whitespace") as error:
            cursor.adbc_ingest(name, numbers, mode="create")
        assert status(error) == AdbcStatusCode.INVALID_ARGUMENT
    cursor.adbc_ingest("A b", numbers, mode="create")
    assert one(cursor, 'SELECT count(*) FROM "a b"') == numbers.num_rows
    cursor.execute('DROP TABLE "a b"')


def test_an_ingest_of_no_rows(cursor):
    schema = pa.schema([("id", pa.int64())])
    # The driver sends nothing at all where there is no batch.
    with pytest.raises(adbc_driver_manager.Error, match="ingest at least one batch"):
        cursor.adbc_ingest("no_rows", schema.empty_table(), mode="create")
    nothing = pa.RecordBatch.from_pylist([], schema=schema)
    assert cursor.adbc_ingest("no_rows", nothing, mode="create") == 0
    assert cursor.adbc_ingest("no_rows", nothing, mode="append") == 0
    assert table(cursor, "SELECT * FROM no_rows").schema.names == ["id"]
    cursor.execute("DROP TABLE no_rows")


def test_times_that_files_do_not_keep(cursor):
    fine = pa.table({"at": pa.array([1_001], pa.timestamp("ns"))})
    with pytest.raises(adbc_driver_manager.Error, match="Round it to microseconds, the precision of files; queries"):
        cursor.adbc_ingest("fine_times", fine, mode="create")


# Errors.

@pytest.mark.parametrize("sql, code, text", [
    ("SELEC 1", AdbcStatusCode.INVALID_ARGUMENT, r"line 1"),
    ("SELECT * FROM nowhere", AdbcStatusCode.NOT_FOUND, r'table "default\.nowhere" does not exist \(hint: SHOW TABLES'),
    ("SELECT nope FROM orders", AdbcStatusCode.NOT_FOUND, r'column "nope" does not exist'),
    ("SELECT CAST('x' AS INTEGER) AS x", AdbcStatusCode.INVALID_ARGUMENT, r"x"),
    ("INSERT INTO orders SELECT * FROM orders", AdbcStatusCode.INVALID_ARGUMENT, r"INSERT is not supported"),
    ("CREATE DATABASE sales", AdbcStatusCode.ALREADY_EXISTS, r'database "sales" already exists'),
    ("-- nothing", AdbcStatusCode.INVALID_ARGUMENT, r""),
    ("SELECT 1 AS a; SELECT 2 AS b", AdbcStatusCode.INVALID_ARGUMENT, r""),
])
def test_errors_have_their_code_and_say_what_to_do(cursor, sql, code, text):
    with pytest.raises(adbc_driver_manager.Error, match=text) as error:
        table(cursor, sql)
    assert status(error) == code
    assert len(str(error.value)) < 5_000
    assert one(cursor, "SELECT 1 AS x") == 1


def test_an_error_in_the_middle_of_a_stream(cursor):
    with pytest.raises((adbc_driver_manager.Error, OSError), match="(?i)cannot cast"):
        table(cursor, "SELECT CAST(CASE WHEN l_orderkey > 50000 THEN l_comment ELSE '1' END AS INTEGER) AS x FROM lineitem_flat")
    assert one(cursor, "SELECT 1 AS x") == 1


def test_a_long_error_is_cut(cursor):
    with pytest.raises(adbc_driver_manager.Error) as error:
        table(cursor, f"SELECT * FROM {'x' * 50_000}")
    assert len(str(error.value)) < 10_000


# Frames.

def test_pandas(connection):
    import pandas

    frame = pandas.read_sql("SELECT o_orderkey, o_totalprice, o_orderdate FROM orders ORDER BY 1 LIMIT 5", connection)
    assert list(frame.columns) == ["o_orderkey", "o_totalprice", "o_orderdate"]
    assert list(frame["o_orderkey"]) == [1, 2, 3, 4, 5]
    assert pandas.read_sql("SELECT count(*) AS n FROM orders", connection)["n"][0] == 15_000


def test_pandas_writes_a_table(connection):
    import pandas

    frame = pandas.DataFrame({"id": [1, 2, 3], "name": ["a", "b", None], "x": [0.5, 1.5, None]})
    assert frame.to_sql("written_by_pandas", connection, index=False, if_exists="fail") == 3
    back = pandas.read_sql("SELECT * FROM written_by_pandas ORDER BY id", connection)
    assert list(back["name"].fillna("")) == ["a", "b", ""]
    for rows in (2, 1):
        assert frame.head(rows).to_sql("written_by_pandas", connection, index=False, if_exists="replace") == rows
        assert len(pandas.read_sql("SELECT * FROM written_by_pandas", connection)) == rows
    assert frame.to_sql("written_by_pandas", connection, index=False, if_exists="append") == 3
    assert len(pandas.read_sql("SELECT * FROM written_by_pandas", connection)) == 4


def test_polars(connection, anonymous):
    import polars

    frame = polars.read_database("SELECT l_shipmode, count(*) AS n FROM lineitem GROUP BY 1 ORDER BY 1", connection)
    assert frame.columns == ["l_shipmode", "n"] and frame["n"].sum() == polars.read_database(
        "SELECT count(*) AS n FROM lineitem", connection)["n"][0]
    uri = f"flightsql://127.0.0.1:{anonymous.port}?transport=tcp"
    assert polars.read_database_uri("SELECT count(*) AS n FROM orders", uri, engine="adbc")["n"].to_list() == [15_000]
    back = polars.read_database("SELECT * FROM types", connection)
    assert back.height == 3 and back.width == len(lake.TYPES)


def test_polars_writes_a_table(connection):
    import polars

    frame = polars.DataFrame({"id": [1, 2, 3], "name": ["a", "b", None]})
    frame.write_database("from_polars", connection, engine="adbc", if_table_exists="fail")
    assert polars.read_database("SELECT * FROM from_polars ORDER BY id", connection).equals(frame)

"""The dialect and the engine spec of docs/clients/sqlalchemy-glaux, with SQLAlchemy 1.4 and 2: what Superset asks, and what it makes of times."""

import datetime
import importlib
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "docs" / "clients" / "sqlalchemy-glaux"
sys.path.insert(0, str(PACKAGE))

sqlalchemy = pytest.importorskip("sqlalchemy")
pytest.importorskip("adbc_driver_flightsql")

from sqlalchemy import exc, types  # noqa: E402
from sqlalchemy.dialects import registry  # noqa: E402

import lake  # noqa: E402
from conftest import USERS  # noqa: E402
from docs import at, examples  # noqa: E402
from glaux_sqlalchemy import grains  # noqa: E402
from glaux_sqlalchemy.types import MAP, ROW, parse  # noqa: E402


def entry_points(group):
    """Those of pyproject.toml, as an installation registers them."""
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    return project["entry-points"][group]


@pytest.fixture(scope="module", autouse=True)
def registered():
    for name, target in entry_points("sqlalchemy.dialects").items():
        module, attribute = target.split(":")
        registry.register(name, module, attribute)


@pytest.fixture
def engine(anonymous):
    engine = sqlalchemy.create_engine(f"glaux+flightsql://127.0.0.1:{anonymous.port}/")
    yield engine
    engine.dispose()


def rows(engine, statement, **values):
    with engine.connect() as connection:
        statement = sqlalchemy.text(statement) if isinstance(statement, str) else statement
        return [tuple(row) for row in connection.execute(statement, values).fetchall()]


def test_statements_that_sqlalchemy_writes(engine):
    orders = sqlalchemy.table("orders", *map(sqlalchemy.column, ["o_orderkey", "o_orderpriority", "o_orderdate"]))
    count = sqlalchemy.func.count().label("n")
    by_priority = sqlalchemy.select(orders.c.o_orderpriority, count).group_by(orders.c.o_orderpriority).order_by(orders.c.o_orderpriority)
    assert [name for name, _ in rows(engine, by_priority)] == ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"]
    assert [name for name, _ in rows(engine, by_priority.limit(2).offset(1))] == ["2-HIGH", "3-MEDIUM"]
    keys = sqlalchemy.select(orders.c.o_orderkey).where(orders.c.o_orderkey.in_([3, 1, 2])).order_by(orders.c.o_orderkey.desc())
    assert rows(engine, keys) == [(3,), (2,), (1,)]
    late = sqlalchemy.select(count).select_from(orders).where(orders.c.o_orderdate > datetime.date(1998, 7, 1))
    [(bound,)] = rows(engine, late)
    literal = str(late.compile(engine, compile_kwargs={"literal_binds": True}))
    assert "DATE '1998-07-01'" in literal and rows(engine, literal) == [(bound,)] and bound > 0
    assert rows(engine, "SELECT :a AS a, :b AS b", a=7, b="it's %") == [(7, "it's %")]


@pytest.mark.parametrize("value", [
    True, 7, 1.5, "text", b"\x00\x01", datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 30, 0, 123000),
], ids=repr)
def test_values_come_back(engine, value):
    assert rows(engine, "SELECT :x AS x", x=value) == [(value,)]


def test_bytes_are_bound_and_written(engine):
    table = sqlalchemy.table("types", sqlalchemy.column("va", types.LargeBinary), sqlalchemy.column("i", types.Integer))
    count = sqlalchemy.func.count().label("n")
    for value in (b"\x00\xff\x10", b""):
        asked = sqlalchemy.select(count).select_from(table).where(table.c.va == value)
        assert rows(engine, asked) == [(1,)]
        literal = str(asked.compile(engine, compile_kwargs={"literal_binds": True}))
        assert f"X'{value.hex()}'" in literal and rows(engine, literal) == [(1,)]
    assert rows(engine, sqlalchemy.select(sqlalchemy.literal(memoryview(b"\x01"), types.VARBINARY).label("x"))) == [(b"\x01",)]
    for value in (b"a", "a"):
        assert rows(engine, sqlalchemy.select(sqlalchemy.cast(value, types.LargeBinary).label("x"))) == [(b"a",)]


def test_exists_in_a_select_list(engine):
    table = sqlalchemy.table("types", sqlalchemy.column("i", types.Integer))
    assert rows(engine, sqlalchemy.select(sqlalchemy.exists().where(table.c.i > 0))) == [(True,)]
    assert rows(engine, sqlalchemy.select(sqlalchemy.exists(sqlalchemy.select(table.c.i).where(table.c.i == 7)))) == [(False,)]
    assert rows(engine, sqlalchemy.select(~sqlalchemy.exists().where(table.c.i == 7))) == [(True,)]


def test_the_engine_s_own_tables(engine):
    inspector = sqlalchemy.inspect(engine)
    assert "system" in inspector.get_schema_names()
    names = ["files", "partitions", "queries", "query_stores", "query_tables", "repair_findings", "table_usage", "usage", "workgroups"]
    assert inspector.get_table_names("system") == names
    columns = {column["name"]: column["type"] for column in inspector.get_columns("queries", "system")}
    assert isinstance(columns["query_id"], types.String) and isinstance(columns["cost_usd"], types.Numeric)
    queries = sqlalchemy.Table("queries", sqlalchemy.MetaData(), autoload_with=engine, schema="system")
    assert len(rows(engine, sqlalchemy.select(queries.c.statement).limit(1))) == 1


def test_what_there_is(engine):
    inspector = sqlalchemy.inspect(engine)
    assert {"default", "sales", "information_schema"} <= set(inspector.get_schema_names())
    assert {"orders", "lineitem", "types"} <= set(inspector.get_table_names())
    assert inspector.get_table_names("sales") == ["figures"] and inspector.get_view_names("sales") == ["totals"]
    assert "count(*)" in inspector.get_view_definition("totals", "sales").lower()
    assert inspector.default_schema_name == "default"
    columns = {column["name"]: column for column in inspector.get_columns("types")}
    assert list(columns) == [name for name, *_ in lake.TYPES]
    for name, kind in [("bo", types.Boolean), ("i", types.Integer), ("bi", types.BigInteger), ("do", types.Float), ("de", types.Numeric),
                       ("st", types.String), ("va", types.LargeBinary), ("da", types.Date), ("ts", types.DateTime), ("ar", types.ARRAY),
                       ("ma", MAP), ("ro", ROW)]:
        assert isinstance(columns[name]["type"], kind), name
    assert (columns["de"]["type"].precision, columns["de"]["type"].scale, columns["vc"]["type"].length) == (10, 2, 20)
    assert {column["comment"] for column in inspector.get_columns("figures", "sales")} == {"the key", None}
    assert inspector.get_pk_constraint("orders")["constrained_columns"] == inspector.get_indexes("orders") == inspector.get_foreign_keys("orders") == []
    with pytest.raises(exc.NoSuchTableError):
        inspector.get_columns("nowhere")
    table = sqlalchemy.Table("figures", sqlalchemy.MetaData(), autoload_with=engine, schema="sales")
    assert [column.name for column in table.columns] == ["id", "text"]
    assert len(rows(engine, sqlalchemy.select(table.c.id).limit(3))) == 3
    assert engine.dialect.server_version_info >= (0, 1)


def test_types_are_read_from_their_names():
    assert isinstance(parse("array(row(a bigint, b array(map(varchar(3), decimal(10,2)))))"), types.ARRAY)
    assert parse("map(varchar, row(a bigint, b double))").value == "row(a bigint, b double)"
    assert parse("timestamp(3) with time zone").timezone and not parse("timestamp(3)").timezone
    assert isinstance(parse("something new"), types.NullType)


#: A Thursday.
TIMES = [datetime.datetime(2024, 2, 29, 23, 59, 59, 123000), datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)]


def whole(time, **parts):
    return time.replace(**{"microsecond": 0, **parts})


def monday(time):
    return whole(time, hour=0, minute=0, second=0) - datetime.timedelta(days=time.weekday())


def sunday(time):
    return whole(time, hour=0, minute=0, second=0) - datetime.timedelta(days=(time.weekday() + 1) % 7)


def minutes(count):
    return lambda time: whole(time, minute=time.minute // count * count, second=0)


EXPECTED = {
    None: lambda time: time,
    "PT1S": whole, "PT1M": minutes(1), "PT5M": minutes(5), "PT10M": minutes(10), "PT15M": minutes(15), "PT30M": minutes(30),
    "PT1H": minutes(60), "PT6H": lambda time: whole(time, hour=time.hour // 6 * 6, minute=0, second=0),
    "P1D": lambda time: whole(time, hour=0, minute=0, second=0), "P1W": monday,
    "P1M": lambda time: whole(time, day=1, hour=0, minute=0, second=0),
    "P3M": lambda time: whole(time, month=(time.month - 1) // 3 * 3 + 1, day=1, hour=0, minute=0, second=0),
    "P1Y": lambda time: whole(time, month=1, day=1, hour=0, minute=0, second=0),
    "1969-12-28T00:00:00Z/P1W": sunday, "1969-12-29T00:00:00Z/P1W": monday,
    "P1W/1970-01-03T00:00:00Z": lambda time: sunday(time) + datetime.timedelta(days=6),
    "P1W/1970-01-04T00:00:00Z": lambda time: monday(time) + datetime.timedelta(days=6),
}


@pytest.mark.parametrize("grain", grains.TIME_GRAINS, ids=str)
def test_time_grains(engine, grain):
    """As a chart asks: the time at its grain, grouped and ordered by it."""
    assert set(grains.TIME_GRAINS) == set(EXPECTED)
    for column in ("ts", "da"):
        at = grains.TIME_GRAINS[grain].replace("{col}", f'"{column}"')
        sql = f"SELECT {at} AS __timestamp, count(*) AS n FROM types WHERE {column} IS NOT NULL GROUP BY {at} ORDER BY __timestamp DESC"
        times = TIMES if column == "ts" else [datetime.datetime(2024, 2, 29), datetime.datetime(1900, 1, 1)]
        expected = [EXPECTED[grain](time) for time in times]
        if column == "da" and grain is None:
            expected = [time.date() for time in expected]
        assert rows(engine, sql) == [(time, 1) for time in expected]


def test_a_login_a_token_and_a_database(guarded):
    user, (password, _) = "ops", USERS["ops"]
    make = lambda url, **options: sqlalchemy.create_engine(f"glaux+flightsql://{url}@127.0.0.1:{guarded.port}/sales", **options)
    engine = make(f"{user}:{password}")
    assert rows(engine, "SELECT count(*) AS n FROM figures") == [(lake.TEXTS,)]
    assert sqlalchemy.inspect(engine).default_schema_name == "sales"
    engine.dispose()
    with pytest.raises(exc.DBAPIError):
        rows(make(f"{user}:wrong"), "SELECT 1")


@pytest.mark.parametrize("host, options, uri", [
    ("127.0.0.1", "", "grpc+tcp://127.0.0.1:32010"), ("localhost:1", "", "grpc+tcp://localhost:1"), ("[::1]:7", "", "grpc+tcp://[::1]:7"),
    ("glaux.example.com", "", "grpc+tls://glaux.example.com:32010"), ("glaux.example.com", "?tls=false", "grpc+tcp://glaux.example.com:32010"),
    ("127.0.0.1", "?tls=true", "grpc+tls://127.0.0.1:32010"),
])
def test_what_a_url_means(host, options, uri):
    from glaux_sqlalchemy.dialect import GlauxDialect

    make = sqlalchemy.engine.make_url
    [address], arguments = GlauxDialect().create_connect_args(make(f"glaux+flightsql://u:p%40@{host}/d{options}"))
    assert address == uri
    assert (arguments["db_kwargs"]["username"], arguments["db_kwargs"]["password"]) == ("u", "p@")
    assert arguments["conn_kwargs"] == {"adbc.connection.db_schema": "d"}
    with pytest.raises(exc.ArgumentError, match="unknown options: tsl"):
        GlauxDialect().create_connect_args(make("glaux+flightsql://h/?tsl=true"))
    with pytest.raises(exc.ArgumentError, match="true or false"):
        GlauxDialect().create_connect_args(make("glaux+flightsql://h/?tls=maybe"))


def test_errors_are_the_servers(engine):
    with pytest.raises(exc.DBAPIError, match='column "nope" does not exist'):
        rows(engine, "SELECT nope FROM orders")
    assert rows(engine, "SELECT 1 AS x") == [(1,)]


def test_the_engine_spec():
    pytest.importorskip("superset", reason="Superset is not installed here; docs/clients/superset.md says how it was tried")
    for target in entry_points("superset.db_engine_specs").values():
        module, attribute = target.split(":")
        spec = getattr(importlib.import_module(module), attribute)
        assert spec.engine == "glaux" and spec.get_time_grain_expressions()["P1D"] == grains.TIME_GRAINS["P1D"]


def test_the_example_of_the_page(anonymous):
    for block in examples("superset.md", "python"):
        exec(compile(at(block, anonymous), "superset.md", "exec"), {})

"""flightsql-dbapi and its SQLAlchemy dialect: `datafusion+flightsql://`."""

import datetime
import decimal

import pandas
import pytest
import sqlalchemy
import flightsql.sqlalchemy  # noqa: F401 - registers the dialect
from flightsql import FlightSQLClient
from flightsql import connect as dbapi_connect
from sqlalchemy import inspect, text

from conftest import USERS

#: Without it, the dialect writes values into the text instead of binding them.
PREPARED = "&feature-sqlalchemy-prepared-statements=on"


def url(server, user=None, options=""):
    login = f"{user}:{USERS[user][0]}@" if user else ""
    return f"datafusion+flightsql://{login}127.0.0.1:{server.port}?insecure=True{options}"


@pytest.fixture(params=["", PREPARED], ids=["literals", "prepared"])
def engine(anonymous, request):
    engine = sqlalchemy.create_engine(url(anonymous, options=request.param))
    yield engine
    engine.dispose()


def test_the_dbapi_itself(anonymous):
    client = FlightSQLClient(host="127.0.0.1", port=anonymous.port, insecure=True)
    with dbapi_connect(client) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT o_orderkey, o_orderpriority FROM orders ORDER BY 1 LIMIT 2")
        assert [column[0] for column in cursor.description] == ["o_orderkey", "o_orderpriority"]
        assert [row[0] for row in cursor.fetchall()] == [1, 2]
        cursor.execute("SELECT count(*) AS n FROM orders WHERE o_orderkey <= ?", (3,))
        assert cursor.fetchone() == [3]
        cursor.execute("SELECT ? AS a, ? AS b, ? AS c, ? AS d", (1, 2.5, "text", True))
        assert cursor.fetchall() == [[1, 2.5, "text", True]]


def test_eleven_parameters_of_the_dbapi_keep_their_order(anonymous):
    client = FlightSQLClient(host="127.0.0.1", port=anonymous.port, insecure=True)
    with dbapi_connect(client) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT " + ", ".join(f"? AS p{n}" for n in range(12)), tuple(range(12)))
        assert cursor.fetchone() == list(range(12))


def test_select(engine):
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT o_orderkey, o_totalprice, o_orderdate FROM orders ORDER BY o_orderkey LIMIT 2")).fetchall()
        assert [row.o_orderkey for row in rows] == [1, 2]
        assert isinstance(rows[0].o_totalprice, decimal.Decimal)
        assert connection.execute(text("SELECT count(*) FROM orders")).scalar() == 15_000
        assert connection.execute(text("SELECT o_orderkey FROM orders WHERE o_orderkey < 0")).fetchall() == []


def test_values_in_the_statement(engine):
    # Only such values survive if the dialect does not bind: for those given to execute() it writes NULL.
    statement = text("SELECT count(*) FROM orders WHERE o_orderkey BETWEEN :low AND :high AND o_orderpriority <> :other")
    with engine.connect() as connection:
        assert connection.execute(statement.bindparams(low=1, high=3, other="it's none")).scalar() == 3


def test_values_given_to_execute_are_bound(anonymous):
    engine = sqlalchemy.create_engine(url(anonymous, options=PREPARED))
    with engine.connect() as connection:
        got = connection.execute(text("SELECT count(*) FROM orders WHERE o_orderkey BETWEEN :low AND :high"), {"low": 1, "high": 3})
        assert got.scalar() == 3


def test_statements_that_the_dialect_writes(engine):
    orders = sqlalchemy.Table(
        "orders", sqlalchemy.MetaData(), sqlalchemy.Column("o_orderkey", sqlalchemy.BigInteger),
        sqlalchemy.Column("o_orderpriority", sqlalchemy.Text))
    statement = (
        sqlalchemy.select(orders.c.o_orderpriority, sqlalchemy.func.count().label("n")).where(orders.c.o_orderkey <= 1000)
        .group_by(orders.c.o_orderpriority).order_by(sqlalchemy.desc("n")))
    with engine.connect() as connection:
        rows = connection.execute(statement).fetchall()
        whole = connection.execute(text("SELECT count(*) FROM orders WHERE o_orderkey <= 1000")).scalar()
        assert sum(row.n for row in rows) == whole > 100 and len(rows) == 5
        assert connection.execute(sqlalchemy.select(orders).limit(3)).fetchall()


def test_every_type(engine):
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM types ORDER BY i DESC NULLS LAST LIMIT 1")).fetchone()
    assert (row.bo, row.ti, row.i, row.bi) == (True, 127, 2**31 - 1, 2**63 - 1)
    assert row.de == decimal.Decimal("12345678.90") and row.st.startswith("Grüße") and row.va == b"\x00\xff\x10"
    assert pandas.Timestamp(row.da) == pandas.Timestamp("2024-02-29") and pandas.Timestamp(row.ts) == pandas.Timestamp("2024-02-29 23:59:59.123")
    assert list(row.ar) == [1, None, 3] and row.ro["y"] == "one"


def test_the_inspector(engine):
    inspector = inspect(engine)
    assert {"default", "sales", "hidden", "information_schema"} <= set(inspector.get_schema_names())
    assert {"orders", "lineitem", "types"} <= set(inspector.get_table_names("default"))
    assert inspector.get_table_names("sales") == ["figures", "totals"]
    assert inspector.has_table("orders", schema="default")
    assert inspector.has_table("figures", schema="sales")
    assert not inspector.has_table("nowhere", schema="default")
    columns = inspector.get_columns("types", schema="default")
    assert [column["name"] for column in columns][:4] == ["bo", "ti", "si", "i"]
    assert all(column["nullable"] for column in columns)
    kinds = {column["name"]: column["type"] for column in columns}
    expected = {
        "bi": sqlalchemy.BIGINT, "st": sqlalchemy.TEXT, "ts": sqlalchemy.TIMESTAMP, "de": sqlalchemy.DECIMAL, "da": sqlalchemy.DATE,
        "bo": sqlalchemy.BOOLEAN, "do": sqlalchemy.FLOAT, "va": sqlalchemy.BINARY}
    assert {name: type(kinds[name]) for name in expected} == expected
    assert inspector.get_view_names("sales") == []
    assert inspector.get_indexes("types", schema="default") == []
    assert inspector.get_foreign_keys("types", schema="default") == []


def test_primary_keys_are_none(anonymous):
    engine = sqlalchemy.create_engine(url(anonymous, options="&feature-sqlalchemy-primary-keys=on"))
    assert inspect(engine).get_pk_constraint("orders", schema="default") == {"constrained_columns": [], "name": None}


def test_pandas(engine):
    frame = pandas.read_sql(text("SELECT l_shipmode, count(*) AS n FROM lineitem GROUP BY 1 ORDER BY 1"), engine.connect())
    assert list(frame.columns) == ["l_shipmode", "n"] and len(frame) == 7
    dated = pandas.read_sql("SELECT o_orderdate FROM orders WHERE o_orderkey = 1", engine)
    assert pandas.Timestamp(dated["o_orderdate"][0]).date() > datetime.date(1992, 1, 1)


def test_a_login(guarded):
    engine = sqlalchemy.create_engine(url(guarded, "root").replace(USERS["root"][0], "root%3A%20with%20a%20colon%2C%20and%20%C3%BC"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM texts")).scalar() == 2_000
    with pytest.raises(Exception, match="(?i)unauthenticated|password"):
        sqlalchemy.create_engine(f"datafusion+flightsql://root:wrong@127.0.0.1:{guarded.port}?insecure=True").connect()


def test_statements_without_a_result_and_errors(engine):
    with engine.connect() as connection:
        assert "lineitem" in [row[0] for row in connection.execute(text("SHOW TABLES")).fetchall()]
        with pytest.raises(Exception, match='table "default.nowhere" does not exist'):
            connection.execute(text("SELECT * FROM nowhere")).fetchall()
        connection.execute(text("CREATE DATABASE by_sqlalchemy"))
        connection.execute(text("DROP DATABASE by_sqlalchemy"))


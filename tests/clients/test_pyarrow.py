"""pyarrow.flight against the bare protocol: what is on the wire, tickets, actions, bad input, and who sees what."""

import base64
import datetime
import decimal
import json
import threading
import uuid

import pyarrow as pa
import pyarrow.flight as flight
import pytest

import lake
from conftest import USERS, eventually
from server import Server, glaux
from wire import Client, command, fields, get_tables, message, packed, query, session_errors, set_session_options, unpacked

FOUR_MIB = 4 << 20
TYPE_NAME = b"ARROW:FLIGHT:SQL:TYPE_NAME"

#: What pyarrow makes of InvalidArgument, NotFound, PermissionDenied and Unauthenticated.
INVALID = pa.ArrowInvalid
NOT_FOUND = pa.ArrowKeyError
DENIED = flight.FlightUnauthorizedError
UNAUTHENTICATED = flight.FlightUnauthenticatedError
UNSUPPORTED = pa.ArrowNotImplementedError
REFUSED = (INVALID, NOT_FOUND, DENIED, UNAUTHENTICATED, UNSUPPORTED)


@pytest.fixture
def client(anonymous):
    with Client(anonymous.uri, limit=FOUR_MIB) as client:
        yield client


@pytest.fixture
def login(guarded):
    """Logs a user of USERS in."""
    clients = []

    def login(name):
        clients.append(Client.login(guarded.uri, name, USERS[name][0], limit=FOUR_MIB))
        return clients[-1]

    yield login
    for client in clients:
        client.close()


def history(client, statement):
    quoted = statement.replace("'", "''")
    return client.rows(f"SELECT * FROM system.queries WHERE statement = '{quoted}' ORDER BY submitted_at")


# Who is there.

@pytest.mark.parametrize("name", USERS)
def test_logging_in_gives_a_token(login, name):
    client = login(name)
    assert client.rows("SELECT 1 AS x") == [{"x": 1}]
    sql = f"SELECT '{name}' AS me"
    client.rows(sql)
    assert {row["user"] for row in history(client, sql)} == {name}


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("name", USERS)
def test_basic_credentials_serve_every_call(guarded, name, padded):
    basic = base64.b64encode(f"{name}:{USERS[name][0]}".encode())
    with Client(guarded.uri, token=b"Basic " + (basic if padded else basic.rstrip(b"="))) as client:
        assert client.rows("SELECT 1 AS x") == [{"x": 1}]


def test_strangers_are_refused_without_a_word_on_who_exists(guarded):
    texts = set()
    for name, password in (("eve", "wrong"), ("nobody", "wrong"), ("eve", ""), ("", "")):
        with pytest.raises(UNAUTHENTICATED) as error:
            Client.login(guarded.uri, name, password)
        texts.add(str(error.value).split(".")[0])
    assert len(texts) <= 2, texts
    for token in (None, b"Bearer None", b"Bearer x.y.z", b"Basic !!!!", b"Bearer ", b"Digest x", b"Basic " + base64.b64encode(b"eve:wrong")):
        with Client(guarded.uri, token=token) as client, pytest.raises(UNAUTHENTICATED):
            client.info(query("SELECT 1 AS x"))
        with Client(guarded.uri, token=token) as client, pytest.raises(UNAUTHENTICATED):
            client.info(command("CommandGetCatalogs"))
        with Client(guarded.uri, token=token) as client, pytest.raises(UNAUTHENTICATED):
            client.act("GetSessionOptions")


def test_a_token_of_another_server_is_no_token(guarded, directory, login):
    path = directory / "elsewhere"
    path.mkdir()
    glaux(path, "user", "add", "ada", "--password-stdin", stdin=USERS["ada"][0])
    with Server(path, config='[auth]\nidentity = "users"\n') as server:
        token = Client.login(server.uri, "ada", USERS["ada"][0]).token
    with Client(guarded.uri, token=token) as client, pytest.raises(UNAUTHENTICATED):
        client.sql("SELECT 1 AS x")


def test_a_removed_user_is_out_within_a_second_or_two(guarded):
    glaux(guarded.data_dir, "user", "add", "dan", "--password-stdin", stdin="a password\n")

    def known():
        try:
            return Client.login(guarded.uri, "dan", "a password")
        except UNAUTHENTICATED:
            return None

    client = eventually(known)
    assert client.rows("SELECT 1 AS x") == [{"x": 1}]
    glaux(guarded.data_dir, "user", "remove", "dan")

    def out():
        try:
            return client.rows("SELECT 1 AS x") is None
        except UNAUTHENTICATED:
            return True

    eventually(out)
    client.close()


def test_nobody_needs_a_token_of_a_server_without_identity(client, anonymous):
    assert client.rows("SELECT 1 AS x") == [{"x": 1}]
    # What SQLAlchemy's dialect sends if it has no token.
    with Client(anonymous.uri, token=b"Bearer None") as other:
        assert other.rows("SELECT 1 AS x") == [{"x": 1}]
    with Client.login(anonymous.uri, "anybody", "anything") as other:
        assert other.rows("SELECT 1 AS x") == [{"x": 1}]


# The wire schema.

@pytest.mark.parametrize("sql", [
    "SELECT * FROM types",
    "SELECT min(l_shipdate) AS a, max(l_shipdate) AS b, count(*) AS n FROM lineitem_flat",
    "SELECT * FROM lineitem WHERE ship_year = 2525",
    "SELECT ship_year, l_returnflag, count(*) AS n FROM lineitem GROUP BY 1, 2",
    "SELECT NULL AS x, ARRAY[1] AS a, 'x' AS s",
    "SHOW TABLES",
    "DESCRIBE types",
    "SELECT * FROM system.queries",
    "SELECT * FROM wide",
    "VALUES (1, 'a')",
])
def test_one_schema_wherever_it_is_asked_for(client, sql):
    info = client.info(query(sql))
    fetched = client.get(info.endpoints[0].ticket).schema
    asked = client.connection.get_schema(query(sql), client.options()).schema
    _, prepared, parameters = client.prepare(sql)
    described = client.info(command("CommandPreparedStatementQuery", (1, client.prepare(sql)[0]))).schema
    for schema in (fetched, asked, prepared, described):
        assert schema.equals(info.schema, check_metadata=False)
        for field, same in zip(schema, info.schema):
            assert (field.nullable, field.type) == (same.nullable, same.type)
            assert field.metadata[TYPE_NAME] == same.metadata[TYPE_NAME]
    assert parameters.names == []


def test_the_plan_comes_with_an_estimate(client):
    info = client.info(query("SELECT l_tax FROM lineitem WHERE ship_year = 1995"))
    estimate = json.loads(info.schema.metadata[b"glaux:estimate"])
    planned = json.loads(info.app_metadata)
    assert planned == {"query_id": info.schema.metadata[b"glaux:query_id"].decode(), "estimate": estimate}
    uuid.UUID(planned["query_id"])
    assert [endpoint.locations for endpoint in info.endpoints] == [[]]
    client.chunks(info.endpoints[0].ticket)
    [figures] = client.headers.of(flight.FlightMethod.DO_GET)["x-glaux-stats"]
    bytes_estimated = max(value for value in estimate.values() if isinstance(value, int))
    assert bytes_estimated >= json.loads(figures)["data_scanned_bytes"] > 0


def test_the_bill_is_the_same_on_every_channel(client):
    sql = "SELECT l_shipmode, sum(l_tax) AS s FROM lineitem WHERE ship_year = 1996 GROUP BY 1"
    info = client.info(query(sql))
    batches = client.chunks(info.endpoints[0].ticket)
    assert all(batch.data.num_rows > 0 for batch in batches)
    call = client.headers.of(flight.FlightMethod.DO_GET)
    [figures] = map(json.loads, call["x-glaux-stats"])
    trailer = lambda name: set(call["x-glaux-" + name])
    assert trailer("query-id") == {figures["query_id"]} == {info.schema.metadata[b"glaux:query_id"].decode()}
    assert trailer("state") == {"SUCCEEDED"} == {figures["state"]}
    for name in ("data_scanned_bytes", "billed_bytes", "rows"):
        assert trailer(name.replace("_", "-")) == {str(figures[name])}
    assert figures["rows"] == sum(batch.data.num_rows for batch in batches) and figures["data_scanned_bytes"] > 0
    [stats] = client.act("GetQueryStats", figures["query_id"].encode())
    assert json.loads(stats) == figures
    [latest] = client.act("GetQueryStats")
    assert json.loads(latest) == figures
    options = client.options_of_session()
    assert options["last_query.id"] == figures["query_id"]
    assert options["last_query.data_scanned_bytes"] == figures["data_scanned_bytes"]
    assert options["last_query.requests.get"] == figures["requests"]["get"]
    [row] = client.rows(f"SELECT * FROM system.queries WHERE query_id = '{figures['query_id']}'")
    assert row["statement"] == sql
    for name in ("data_scanned_bytes", "metadata_bytes", "fetched_bytes", "billed_bytes", "rows", "state"):
        assert row[name] == figures[name]
    for name in ("partitions", "files", "row_groups"):
        assert (row[name + "_scanned"], row[name + "_total"]) == (figures[name]["scanned"], figures[name]["total"])


def test_the_query_id_comes_as_a_header_before_any_row(client):
    info = client.info(query("SELECT a.l_tax FROM lineitem_flat a CROSS JOIN lineitem_flat b"))
    reader = client.get(info.endpoints[0].ticket)
    reader.read_chunk()
    [(_, received)] = [call for call in client.headers.calls if call[0] == flight.FlightMethod.DO_GET]
    assert received[0]["x-glaux-query-id"] == [info.schema.metadata[b"glaux:query_id"].decode()]
    reader.cancel()


def test_a_failure_tells_its_figures(client):
    sql = "SELECT CAST(l_comment AS INTEGER) AS failing FROM lineitem_flat"
    info = client.info(query(sql))
    with pytest.raises(INVALID, match="(?i)cannot cast"):
        client.get(info.endpoints[0].ticket).read_all()
    call = client.headers.of(flight.FlightMethod.DO_GET)
    assert call["x-glaux-state"] == ["FAILED"] and call["x-glaux-billed-bytes"] == ["0"]
    assert [row["state"] for row in history(client, sql)] == ["FAILED"]


def test_what_is_planned_and_never_fetched_costs_nothing(client):
    sql = "SELECT l_tax AS never_fetched FROM lineitem"
    client.info(query(sql))
    assert sum(row["data_scanned_bytes"] for row in history(client, sql)) == 0


# Messages.

@pytest.mark.parametrize("sql", [
    "SELECT * FROM texts",
    "SELECT text, text AS again, id FROM texts WHERE id % 3 = 0",
    "SELECT * FROM lineitem_flat",
    "SELECT l_comment FROM lineitem_flat ORDER BY l_comment",
    "SELECT * FROM wide",
    "SELECT array_agg(l_comment) AS a FROM lineitem_flat GROUP BY l_shipmode, l_returnflag, l_linestatus",
    "SELECT CASE WHEN id % 50 = 0 THEN text || text || text || text || text || text || text ELSE 'x' END AS skewed FROM texts",
])
def test_every_message_is_below_four_mib(client, sql):
    # The client refuses larger ones.
    assert client.sql(sql).num_rows > 0


def test_a_cell_larger_than_four_mib_needs_a_client_that_takes_it(anonymous):
    with Client(anonymous.uri, limit=8 << 20) as client:
        assert client.sql("SELECT cell FROM cells").num_rows == 3
        assert max(len(cell or "") for cell in client.sql("SELECT cell FROM cells")["cell"].to_pylist()) == 5 * lake.MILLION


def test_rows_with_several_long_cells_come_one_by_one(anonymous):
    with Client(anonymous.uri, limit=24 << 20) as client:
        assert client.sql("SELECT * FROM bigrow").num_rows == 1
    with Client(anonymous.uri, limit=FOUR_MIB) as client:
        assert client.sql("SELECT c1, c2, c3 FROM bigrow").num_rows == 1


def test_metadata_is_below_four_mib(client):
    assert client.read(get_tables(include_schema=True)).num_rows > 8


# Metadata.

def schema_of(*columns):
    return pa.schema([pa.field(name, kind, nullable) for name, kind, nullable in columns])


NAMES = {
    "CommandGetCatalogs": schema_of(("catalog_name", pa.string(), False)),
    "CommandGetDbSchemas": schema_of(("catalog_name", pa.string(), True), ("db_schema_name", pa.string(), False)),
    "CommandGetTables": schema_of(
        ("catalog_name", pa.string(), True), ("db_schema_name", pa.string(), True), ("table_name", pa.string(), False),
        ("table_type", pa.string(), False)),
    "CommandGetTableTypes": schema_of(("table_type", pa.string(), False)),
    "CommandGetPrimaryKeys": schema_of(
        ("catalog_name", pa.string(), True), ("db_schema_name", pa.string(), True), ("table_name", pa.string(), False),
        ("column_name", pa.string(), False), ("key_name", pa.string(), True), ("key_sequence", pa.int32(), False)),
    **{name: schema_of(
        ("pk_catalog_name", pa.string(), True), ("pk_db_schema_name", pa.string(), True), ("pk_table_name", pa.string(), False),
        ("pk_column_name", pa.string(), False), ("fk_catalog_name", pa.string(), True), ("fk_db_schema_name", pa.string(), True),
        ("fk_table_name", pa.string(), False), ("fk_column_name", pa.string(), False), ("key_sequence", pa.int32(), False),
        ("fk_key_name", pa.string(), True), ("pk_key_name", pa.string(), True), ("update_rule", pa.uint8(), False),
        ("delete_rule", pa.uint8(), False)) for name in ("CommandGetExportedKeys", "CommandGetImportedKeys", "CommandGetCrossReference")},
    "CommandGetXdbcTypeInfo": schema_of(
        ("type_name", pa.string(), False), ("data_type", pa.int32(), False), ("column_size", pa.int32(), True),
        ("literal_prefix", pa.string(), True), ("literal_suffix", pa.string(), True),
        ("create_params", pa.list_(pa.field("item", pa.string(), False)), True), ("nullable", pa.int32(), False),
        ("case_sensitive", pa.bool_(), False), ("searchable", pa.int32(), False), ("unsigned_attribute", pa.bool_(), True),
        ("fixed_prec_scale", pa.bool_(), False), ("auto_increment", pa.bool_(), True), ("local_type_name", pa.string(), True),
        ("minimum_scale", pa.int32(), True), ("maximum_scale", pa.int32(), True), ("sql_data_type", pa.int32(), False),
        ("datetime_subcode", pa.int32(), True), ("num_prec_radix", pa.int32(), True), ("interval_precision", pa.int32(), True)),
}

KEYS = {
    "CommandGetPrimaryKeys": [(3, "orders")], "CommandGetExportedKeys": [(3, "orders")], "CommandGetImportedKeys": [(3, "orders")],
    "CommandGetCrossReference": [(3, "orders"), (6, "lineitem")],
}


@pytest.mark.parametrize("name", NAMES)
def test_metadata_has_the_schema_of_the_specification(client, name):
    descriptor = command(name, *KEYS.get(name, []))
    info = client.info(descriptor)
    got = client.read(descriptor)
    assert info.schema.remove_metadata() == NAMES[name]
    assert got.schema.remove_metadata() == NAMES[name]
    assert client.connection.get_schema(descriptor, client.options()).schema.remove_metadata() == NAMES[name]
    assert (got.num_rows == 0) == (name in KEYS)


def test_tables_with_and_without_their_schema(client):
    plain = client.read(get_tables(schema="default"))
    full = client.read(get_tables(schema="default", include_schema=True))
    assert full.schema.remove_metadata() == NAMES["CommandGetTables"].append(pa.field("table_schema", pa.binary(), False))
    assert full.drop_columns("table_schema").equals(plain)
    schemas = {row["table_name"]: pa.ipc.read_schema(pa.py_buffer(row["table_schema"])) for row in full.to_pylist()}
    assert schemas["types"].remove_metadata() == lake.types_table().schema
    # The other way of clients to read it.
    [types] = client.read(get_tables(table="types", schema="default", include_schema=True)).to_pylist()
    assert pa.ipc.open_stream(pa.py_buffer(types["table_schema"])).schema.names == [name for name, *_ in lake.TYPES]


def test_tables_by_pattern_and_kind(client):
    names = lambda **filters: {(row["db_schema_name"], row["table_name"]) for row in client.read(get_tables(**filters)).to_pylist()}
    assert names(schema="sales") == {("sales", "figures"), ("sales", "totals")}
    assert names(schema="sales", types=["VIEW"]) == {("sales", "totals")}
    assert names(schema="sales", types=["BASE TABLE"]) == {("sales", "figures")}
    assert names(schema="sales", types=["TABLE", "VIEW"]) == names(schema="sales")
    assert names(table="lineitem\\_flat") == {("default", "lineitem_flat")}
    assert names(catalog="", table="orders") == set()
    assert names(catalog="awsdatacatalog", table="orders") == {("default", "orders")}
    assert names(table="%' OR '1'='1") == set()


def sql_info(client, *codes):
    return {row["info_name"]: row["value"] for row in client.read(command("CommandGetSqlInfo", *((1, code) for code in codes))).to_pylist()}


def test_sql_info_is_complete_and_known_to_jdbc(client):
    everything = sql_info(client)
    published = {*range(0, 12), 100, 101, *range(500, 577)}
    assert set(everything) <= published
    assert {0, 1, 2, 3, 4, 5, 8, 500, 501, 503, 504, 505, 507, 508, 517, 528, 562, 576} <= set(everything)
    assert everything[0].lower() == "glaux" and everything[504] == '"'
    assert everything[8] == 0
    assert sql_info(client, 0, 504) == {0: everything[0], 504: '"'}
    schema = client.read(command("CommandGetSqlInfo")).schema
    assert schema.names == ["info_name", "value"] and schema.field(0).type == pa.uint32() and not schema.field(0).nullable
    union = schema.field(1).type
    assert pa.types.is_union(union) and [str(union.field(n).type) for n in range(4)] == ["string", "bool", "int64", "int32"]
    assert sql_info(client, 0, 999_999) == {0: everything[0]}


def test_sql_info_has_the_types_that_drivers_cast_to(client):
    got = client.read(command("CommandGetSqlInfo")).combine_chunks()
    [chunk] = got["value"].chunks
    kinds = dict(zip(got["info_name"].to_pylist(), chunk.type_codes.to_pylist()))
    maxima = set(range(541, 562)) - {556}
    for code in (*maxima, 503, 505, 507, 562):
        assert kinds.get(code, 2) == 2, f"{code} is no bigint"
    # Whether a row's size includes large values is no size.
    assert kinds.get(556, 1) == 1


def test_type_info_by_number(client):
    everything = client.read(command("CommandGetXdbcTypeInfo"))
    numbers = everything["data_type"].to_pylist()
    assert numbers == sorted(numbers)
    bigint = client.read(command("CommandGetXdbcTypeInfo", (1, -5)))
    assert set(bigint["data_type"].to_pylist()) == {-5}
    assert {"bigint", "varchar", "decimal", "timestamp", "date", "boolean"} <= {name.lower() for name in everything["type_name"].to_pylist()}


def test_flights_and_actions_are_listed(client):
    assert {action.type for action in client.connection.list_actions(client.options())} == {
        "CreatePreparedStatement", "ClosePreparedStatement", "CancelQuery", "CancelFlightInfo", "RenewFlightEndpoint",
        "SetSessionOptions", "GetSessionOptions", "CloseSession", "GetQueryStats", "GetServerInfo", "Quote"}
    assert isinstance(list(client.connection.list_flights(b"", client.options())), list)


# Tickets.

def test_a_forged_ticket_is_refused(client):
    ticket = client.info(query("SELECT 1 AS x")).endpoints[0].ticket.ticket
    for forged in (ticket[:-1], ticket[:-1] + bytes([ticket[-1] ^ 1]), ticket + b"x", b"", b"\xff" * 100, b"SELECT 1",
                   packed("TicketStatementQuery", message((1, b"guess"))), packed("TicketStatementQuery", message((1, uuid.uuid4().bytes)))):
        with pytest.raises(REFUSED) as error:
            client.chunks(flight.Ticket(forged))
        assert len(str(error.value)) < 2_000
    assert client.rows("SELECT 1 AS x") == [{"x": 1}]


def test_every_flipped_bit_of_a_ticket_is_noticed(client):
    ticket = client.info(query("SELECT 1 AS x")).endpoints[0].ticket.ticket
    opaque = range(ticket.index(b"TicketStatementQuery") + 24, len(ticket))
    for at in opaque:
        with pytest.raises(REFUSED):
            client.chunks(flight.Ticket(ticket[:at] + bytes([ticket[at] ^ 4]) + ticket[at + 1:]))


def test_a_ticket_is_good_once(client):
    sql = "SELECT count(*) AS once FROM lineitem"
    ticket = client.info(query(sql)).endpoints[0].ticket
    assert len(client.chunks(ticket)) >= 1
    with pytest.raises(REFUSED):
        client.chunks(ticket)
    assert len(history(client, sql)) == 1


def test_a_ticket_of_another_user_is_useless(login):
    ada, bea, root = login("ada"), login("bea"), login("root")
    info = root.info(query("SELECT count(*) AS n FROM texts"))
    ticket = info.endpoints[0].ticket
    for other in (ada, bea):
        with pytest.raises(REFUSED):
            other.chunks(ticket)
        with pytest.raises(REFUSED):
            other.act("RenewFlightEndpoint", message((1, info.endpoints[0].serialize())))
    with Client(login("ada").uri, token=None) as nobody, pytest.raises(UNAUTHENTICATED):
        nobody.chunks(ticket)
    # It was not used up by those who tried.
    assert root.get(ticket).read_all()["n"].to_pylist() == [lake.TEXTS]


def test_a_ticket_expires_unless_it_is_renewed(directory):
    path = directory / "hurried"
    path.mkdir()
    with Server(path, config='[flight]\nticket_lifetime = "1s"\n') as server, Client(server.uri) as client:
        # A ticket is good once, so that every look needs one of its own; all of them are planned at the beginning.
        tickets = [client.info(query("SELECT 1 AS x")).endpoints[0].ticket for _ in range(100)]
        kept = client.info(query("SELECT 2 AS x")).endpoints[0]

        def expired():
            nonlocal kept
            [body] = client.act("RenewFlightEndpoint", message((1, kept.serialize())))
            kept = flight.FlightEndpoint.deserialize(body)
            try:
                client.chunks(tickets.pop())
            except REFUSED:
                return True

        eventually(expired)
        assert client.get(kept.ticket).read_all()["x"].to_pylist() == [2]
        with pytest.raises(REFUSED):
            client.act("RenewFlightEndpoint", message((1, flight.FlightEndpoint(tickets.pop(), []).serialize())))


# Cancelling.

LONG = "SELECT a.l_comment, b.l_comment, '{}' AS tag FROM lineitem_flat a CROSS JOIN lineitem_flat b"


def cancelled(client, sql):
    """Waits until a statement is in the history as cancelled, with the bytes that it scanned."""
    [row] = eventually(lambda: [row for row in history(client, sql) if row["state"] == "CANCELLED"])
    assert row["data_scanned_bytes"] > 0
    return row


def test_leaving_a_stream_in_the_middle(client):
    sql = LONG.format("left")
    reader = client.get(client.info(query(sql)).endpoints[0].ticket)
    assert reader.read_chunk().data.num_rows > 0
    reader.cancel()
    cancelled(client, sql)


def test_a_lost_connection(anonymous, client):
    sql = LONG.format("lost")
    other = Client(anonymous.uri)
    reader = other.get(other.info(query(sql)).endpoints[0].ticket)
    assert reader.read_chunk().data.num_rows > 0
    reader.cancel()
    other.close()
    del reader, other
    cancelled(client, sql)


def test_a_deadline(client):
    sql = "SELECT count(*) AS deadline FROM lineitem_flat a JOIN lineitem_flat b ON a.l_comment < b.l_shipmode OR a.l_tax > b.l_discount"
    ticket = client.info(query(sql)).endpoints[0].ticket
    with pytest.raises((flight.FlightTimedOutError, flight.FlightCancelledError)):
        client.get(ticket, timeout=0.5).read_all()
    cancelled(client, sql)


@pytest.mark.parametrize("way", ["CancelFlightInfo", "CancelQuery"])
def test_cancelling_by_action(client, way):
    sql = LONG.format(way)
    info = client.info(query(sql))
    reader = client.get(info.endpoints[0].ticket)
    assert reader.read_chunk().data.num_rows > 0
    if way == "CancelFlightInfo":
        [body] = client.act(way, message((1, info.serialize())))
        assert fields(body)[1] == [1]
    else:
        [body] = client.act(way, packed("ActionCancelQueryRequest", message((1, info.serialize()))))
        assert unpacked("ActionCancelQueryResult", body)[1] == [1]
    with pytest.raises((flight.FlightCancelledError, flight.FlightServerError, INVALID)):
        while True:
            reader.read_chunk()
    row = cancelled(client, sql)
    assert row["billed_bytes"] >= row["data_scanned_bytes"]


def test_cancelling_what_was_only_planned(client):
    info = client.info(query("SELECT 1 AS only_planned"))
    [body] = client.act("CancelFlightInfo", message((1, info.serialize())))
    assert fields(body)[1] == [1]
    with pytest.raises((*REFUSED, flight.FlightCancelledError)):
        client.chunks(info.endpoints[0].ticket)


def test_nobody_cancels_the_query_of_another(login):
    root, ada = login("root"), login("ada")
    sql = "SELECT a.text, b.text FROM texts a CROSS JOIN texts b"
    info = root.info(query(sql))
    reader = root.get(info.endpoints[0].ticket)
    assert reader.read_chunk() is not None
    try:
        [body] = ada.act("CancelFlightInfo", message((1, info.serialize())))
        assert fields(body).get(1, [0]) != [1]
    except REFUSED:
        pass
    assert reader.read_chunk() is not None
    reader.cancel()


# Prepared statements.

def test_twelve_parameters_by_position_whatever_their_names(client):
    handle, schema, parameters = client.prepare("SELECT " + ", ".join(f"CAST(? AS BIGINT) AS p{n}" for n in range(12)))
    assert len(schema) == 12 and len(parameters) == 12
    prepared = command("CommandPreparedStatementQuery", (1, handle))
    for names in ([str(n) for n in range(12)], [f"param_{n}" for n in range(12)], [f"${12 - n}" for n in range(12)], ["same"] * 12):
        batch = pa.RecordBatch.from_arrays([pa.array([n * 10], pa.int64()) for n in range(12)], names=names)
        # The answer may name another handle; this client goes on with the old one, as flightsql-dbapi does.
        client.put(prepared, [batch], batch.schema)
        assert list(client.read(prepared).to_pylist()[0].values()) == [n * 10 for n in range(12)]


def test_values_of_every_arrow_type_are_bound(client):
    handle, *_ = client.prepare("SELECT CAST(? AS VARCHAR) AS x")
    prepared = command("CommandPreparedStatementQuery", (1, handle))
    union = pa.UnionArray.from_dense(pa.array([1], pa.int8()), pa.array([0], pa.int32()), [pa.array([], pa.int64()), pa.array(["in a union"])])
    for array, text in [
        (pa.array(["text"]), "text"), (pa.array(["large"], pa.large_string()), "large"), (pa.array(["view"], pa.string_view()), "view"),
        (pa.array(["dictionary"]).dictionary_encode(), "dictionary"), (pa.array([7], pa.uint8()), "7"), (pa.array([2**62], pa.uint64()), str(2**62)),
        (pa.array([7], pa.int16()), "7"), (pa.array([None], pa.null()), None), (pa.array([None], pa.int32()), None), (union, "in a union"),
    ]:
        batch = pa.RecordBatch.from_arrays([array], names=["x"])
        client.put(prepared, [batch], batch.schema)
        assert client.read(prepared).to_pylist() == [{"x": text}], array.type


def test_parameters_are_declared_in_the_type_that_all_clients_can_send(client):
    for place, kind in [
        ("CAST(? AS tinyint)", pa.int64()), ("CAST(? AS integer)", pa.int64()), ("CAST(? AS real)", pa.float64()),
        ("CAST(? AS timestamp)", pa.timestamp("ms")), ("CAST(? AS timestamp(6))", pa.timestamp("ms")), ("CAST(? AS time)", pa.time32("ms")),
        ("CAST(? AS timestamp with time zone)", pa.timestamp("ms", "UTC")), ("CAST(? AS date)", pa.date32()),
        ("CAST(? AS decimal(10,2))", pa.decimal128(10, 2)), ("CAST(? AS varchar)", pa.string()), ("CAST(? AS boolean)", pa.bool_()),
        ("CAST(? AS array(integer))", pa.list_(pa.int32())), ("?", pa.null()),
    ]:
        _, _, parameters = client.prepare(f"SELECT {place} AS x")
        found = parameters.field(0).type
        assert (pa.list_(found.value_type) if pa.types.is_list(found) else found) == kind, place
    for column, kind in [("ts", pa.timestamp("ms")), ("ti", pa.int64()), ("re", pa.float64()), ("da", pa.date32()), ("va", pa.binary())]:
        _, _, parameters = client.prepare(f"SELECT count(*) AS n FROM types WHERE {column} = ?")
        assert parameters.field(0).type == kind, column


NOON = datetime.datetime(2024, 2, 29, 12, 0, 0, 123456)


@pytest.mark.parametrize("place, array, value", [
    # Of every unit, the time that it is.
    ("CAST(? AS timestamp)", pa.array([NOON.replace(microsecond=0)], pa.timestamp("s")), NOON.replace(microsecond=0)),
    ("CAST(? AS timestamp)", pa.array([NOON.replace(microsecond=123000)], pa.timestamp("ms")), NOON.replace(microsecond=123000)),
    ("CAST(? AS timestamp)", pa.array([NOON], pa.timestamp("us")), NOON.replace(microsecond=123000)),
    ("CAST(? AS timestamp)", pa.array([NOON], pa.timestamp("ns")), NOON.replace(microsecond=123000)),
    ("CAST(? AS timestamp)", pa.array([NOON.replace(microsecond=500)], pa.timestamp("us")), NOON.replace(microsecond=1000)),
    ("CAST(? AS timestamp(6))", pa.array([NOON], pa.timestamp("us")), NOON),
    ("CAST(? AS timestamp)", pa.array([NOON.date()], pa.date32()), datetime.datetime(2024, 2, 29)),
    ("CAST(? AS timestamp)", pa.array(["2024-02-29 12:00:00.123"]), NOON.replace(microsecond=123000)),
    ("CAST(? AS date)", pa.array([NOON], pa.timestamp("us")), NOON.date()),
    ("CAST(? AS date)", pa.array([NOON.date()], pa.date64()), NOON.date()),
    ("CAST(? AS time)", pa.array([NOON.time().replace(microsecond=123000)], pa.time64("us")), NOON.time().replace(microsecond=123000)),
    ("CAST(? AS time)", pa.array([NOON.time().replace(microsecond=0)], pa.time32("s")), NOON.time().replace(microsecond=0)),
    ("CAST(? AS time)", pa.array([NOON.time().replace(microsecond=500)], pa.time64("us")), NOON.time().replace(microsecond=1000)),
    # Nothing is lost on the way to a narrower place, and nothing made of it.
    ("ti = ?", pa.array([2**32 + 127], pa.int64()), 0), ("ti = ?", pa.array([127], pa.int64()), 1), ("ti = ?", pa.array([126.9]), 0),
    ("i = ?", pa.array([2**31 - 1], pa.uint32()), 1), ("i = ?", pa.array([decimal.Decimal(2**31 - 1)]), 1),
    ("re = ?", pa.array([1.5], pa.float16()), 1), ("re = ?", pa.array([1.5000001]), 0), ("bi = ?", pa.array([2**63 - 1], pa.uint64()), 1),
    ("de = ?", pa.array([decimal.Decimal("-0.010")], pa.decimal128(20, 3)), 1), ("de = ?", pa.array([decimal.Decimal("-0.011")]), 0),
    ("de = ?", pa.array([decimal.Decimal("-0.01")], pa.decimal256(60, 2)), 1),
    ("ts = ?", pa.array([datetime.datetime(2024, 2, 29, 23, 59, 59, 123000)], pa.timestamp("ns")), 1),
    ("ts = ?", pa.array([datetime.datetime(2024, 2, 29, 23, 59, 59, 123001)], pa.timestamp("us")), 0),
    ("ts = ?", pa.array([datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)], pa.timestamp("us")), 1),
    ("da = ?", pa.array([datetime.date(1900, 1, 1)]), 1), ("da = ?", pa.array([datetime.datetime(1900, 1, 1)], pa.timestamp("us")), 1),
    ("da = ?", pa.array([datetime.datetime(1900, 1, 1, 1)], pa.timestamp("us")), 0),
    ("va = ?", pa.array([b"\x00\xff\x10"], pa.binary(3)), 1), ("st = ?", pa.array(["it's \"quoted\" \\ \n\t"], pa.large_string()), 1),
    ("bo = ?", pa.array([True]), 1),
    ("st = ?", pa.array(["none"]).dictionary_encode(), 0), ("i = ?", pa.RunEndEncodedArray.from_arrays([1], pa.array([2**31 - 1], pa.int32())), 1),
    ("ar IS NOT DISTINCT FROM ?", pa.array([[1, None, 3]], pa.list_(pa.int64())), 1), ("ar IS NOT DISTINCT FROM ?", pa.array([[1, None, 3]], pa.list_(pa.int32(), 3)), 1),
], ids=lambda value: str(getattr(value, "type", value)))
def test_a_value_is_what_its_own_type_says(client, place, array, value):
    sql = f"SELECT {place} AS x" if place.startswith("CAST") else f"SELECT count(*) AS x FROM types WHERE {place}"
    handle, *_ = client.prepare(sql)
    batch = pa.RecordBatch.from_arrays([array], names=["0"])
    prepared = command("CommandPreparedStatementQuery", (1, handle))
    client.put(prepared, [batch], batch.schema)
    assert client.read(prepared).to_pylist() == [{"x": value}]


@pytest.mark.parametrize("place, array", [
    # No number is a time, and no time a number.
    ("ts = ?", pa.array([1709251199123], pa.int64())), ("bi = ?", pa.array([NOON], pa.timestamp("us"))),
    ("da = ?", pa.array([NOON.time()], pa.time64("us"))), ("bo = ?", pa.array([1709251199123], pa.int64())),
    # What no type here holds.
    ("bi = ?", pa.array([2**63], pa.uint64())), ("da = ?", pa.array([NOON], pa.timestamp("ms")).view(pa.date64())),
    ("de = ?", pa.array([decimal.Decimal(10) ** 50], pa.decimal256(60, 2))),
], ids=lambda value: str(getattr(value, "type", value)))
def test_a_value_that_would_be_taken_for_another_is_refused(client, place, array):
    handle, *_ = client.prepare(f"SELECT count(*) AS x FROM types WHERE {place}")
    batch = pa.RecordBatch.from_arrays([array], names=["0"])
    prepared = command("CommandPreparedStatementQuery", (1, handle))
    with pytest.raises(REFUSED):
        client.put(prepared, [batch], batch.schema)
        client.read(prepared)


def test_an_updated_handle_works_and_so_does_the_old(client):
    handle, *_ = client.prepare("SELECT CAST(? AS BIGINT) AS x")
    batch = pa.RecordBatch.from_arrays([pa.array([5], pa.int64())], names=["0"])
    answers = client.put(command("CommandPreparedStatementQuery", (1, handle)), [batch], batch.schema)
    updated = [fields(answer).get(1, [handle])[0] for answer in answers if answer] or [handle]
    assert client.read(command("CommandPreparedStatementQuery", (1, updated[0]))).to_pylist() == [{"x": 5}]
    assert client.read(command("CommandPreparedStatementQuery", (1, handle))).to_pylist() == [{"x": 5}]


def test_a_prepared_statement_describes_itself(client):
    handle, schema, _ = client.prepare("SELECT o_orderkey FROM orders WHERE o_orderkey = ?")
    prepared = command("CommandPreparedStatementQuery", (1, handle))
    assert client.connection.get_schema(prepared, client.options()).schema.names == schema.names == ["o_orderkey"]
    handle, schema, _ = client.prepare("CREATE DATABASE never_created")
    assert schema is None or schema.names == []
    assert client.rows("SHOW DATABASES LIKE 'never_created'") == []


def test_unbound_parameters_are_refused(client):
    handle, *_ = client.prepare("SELECT ? AS x")
    with pytest.raises(INVALID, match="1 parameter"):
        client.read(command("CommandPreparedStatementQuery", (1, handle)))
    with pytest.raises(INVALID, match="1 parameter"):
        client.rows("SELECT ? AS x")


def test_closed_and_unknown_handles(client, login):
    handle, *_ = client.prepare("SELECT 1 AS x")
    client.act("ClosePreparedStatement", packed("ActionClosePreparedStatementRequest", message((1, handle))))
    for unknown in (handle, b"", b"x", uuid.uuid4().bytes, b"\x00" * 10_000):
        with pytest.raises((NOT_FOUND, INVALID)):
            client.info(command("CommandPreparedStatementQuery", (1, unknown)))
        # Closing what is not there is no error: a client may close twice.
        client.act("ClosePreparedStatement", packed("ActionClosePreparedStatementRequest", message((1, unknown))))
    handle, *_ = login("root").prepare("SELECT count(*) AS n FROM texts")
    with pytest.raises((NOT_FOUND, INVALID, DENIED)):
        login("ada").info(command("CommandPreparedStatementQuery", (1, handle)))


def test_updates_run_exactly_once_and_count(client):
    assert client.update("CREATE DATABASE by_update") in (-1, 0)
    assert [row["state"] for row in history(client, "CREATE DATABASE by_update")] == ["SUCCEEDED"]
    handle, *_ = client.prepare("DROP DATABASE by_update")
    client.put(command("CommandPreparedStatementUpdate", (1, handle)), [], pa.schema([]))
    assert [row["state"] for row in history(client, "DROP DATABASE by_update")] == ["SUCCEEDED"]
    info = client.info(query("CREATE DATABASE by_query"))
    for endpoint in info.endpoints:
        client.chunks(endpoint.ticket)
    assert [row["state"] for row in history(client, "CREATE DATABASE by_query")] == ["SUCCEEDED"]
    client.update("DROP DATABASE by_query")


# Sessions.

def test_session_options_by_action(client):
    [body] = client.act(set_session_options(schema="sales", time_zone="Europe/Rome", parallel_endpoints=2))
    assert session_errors(body) == {}
    options = client.options_of_session()
    assert (options["catalog"], options["schema"], options["time_zone"], options["parallel_endpoints"]) == (
        "awsdatacatalog", "sales", "Europe/Rome", 2)
    assert client.rows("SELECT n FROM totals") == [{"n": lake.TEXTS}]
    [body] = client.act(set_session_options(no_such_option="x", schema="nowhere", catalog="nowhere", time_zone=1.5))
    assert session_errors(body) == {"no_such_option": 1, "schema": 2, "catalog": 2, "time_zone": 2}
    [body] = client.act(set_session_options(time_zone=None))
    assert session_errors(body) == {} and client.options_of_session()["time_zone"] == "UTC"


def test_a_closed_session_is_gone(client):
    client.act(set_session_options(schema="sales"))
    for _ in range(2):
        [body] = client.act("CloseSession")
        assert fields(body)[1] == [1]
    with pytest.raises(NOT_FOUND, match="totals"):
        client.rows("SELECT n FROM totals")


def test_options_of_a_session_that_never_was(anonymous):
    with Client(anonymous.uri) as client, pytest.raises(UNAUTHENTICATED):
        client.act("GetSessionOptions")


def test_a_forged_cookie_is_no_session(anonymous, client):
    client.act(set_session_options(schema="sales"))
    assert "arrow_flight_session_id" in client.cookies.jar
    with Client(anonymous.uri) as thief:
        thief.cookies.jar["arrow_flight_session_id"] = client.cookies.jar["arrow_flight_session_id"][:-2] + "xx"
        with pytest.raises((NOT_FOUND, UNAUTHENTICATED)):
            thief.rows("SELECT n FROM totals")


def test_sessions_are_keyed_by_token(login):
    client = login("root")
    client.cookies.jar.clear()
    client.act(set_session_options(schema="sales"))
    client.cookies.jar.clear()
    assert client.options_of_session()["schema"] == "sales"
    again = login("root")
    assert again.options_of_session()["schema"] == "default"


# Grants.

def test_what_is_denied_is_not_there(login):
    ada, root = login("ada"), login("root")
    schemas = lambda client: {row["db_schema_name"] for row in client.read(command("CommandGetDbSchemas")).to_pylist()}
    tables = lambda client, **filters: {(row["db_schema_name"], row["table_name"]) for row in client.read(get_tables(**filters)).to_pylist()}
    assert "hidden" in schemas(root) and "hidden" not in schemas(ada) and "sales" in schemas(ada)
    assert ("hidden", "secrets") in tables(root) and ("hidden", "secrets") not in tables(ada)
    for filters in ({"schema": "hidden"}, {"table": "secrets"}, {"schema": "hid%", "include_schema": True}, {"catalog": "awsdatacatalog", "table": "secr_ts"}):
        assert tables(root, **filters) and not tables(ada, **filters)
    assert "hidden" not in {row["database_name"] if "database_name" in row else list(row.values())[0] for row in ada.rows("SHOW DATABASES")}
    for sql in ("SELECT count(*) AS n FROM information_schema.tables WHERE table_schema = 'hidden'",
                "SELECT count(*) AS n FROM information_schema.columns WHERE table_name = 'secrets'",
                "SELECT count(*) AS n FROM information_schema.schemata WHERE schema_name = 'hidden'"):
        assert ada.rows(sql) == [{"n": 0}] and root.rows(sql)[0]["n"] > 0
    key = command("CommandGetPrimaryKeys", (2, "hidden"), (3, "secrets"))
    try:
        assert ada.read(key).num_rows == 0
    except REFUSED:
        pass


@pytest.mark.parametrize("sql", [
    "SELECT * FROM hidden.secrets", "SELECT 1 AS x FROM hidden.secrets", "SELECT * FROM hidden.never_was", "SHOW TABLES IN hidden",
    "DESCRIBE hidden.secrets", "SHOW CREATE TABLE hidden.secrets", "WITH s AS (SELECT id FROM hidden.secrets) SELECT count(*) AS n FROM s",
    "SELECT (SELECT max(id) FROM hidden.secrets) AS n", "EXPLAIN SELECT * FROM hidden.secrets", "DROP TABLE hidden.secrets",
    "USE hidden",
])
def test_what_is_denied_is_not_reached(login, sql):
    ada = login("ada")
    with pytest.raises(DENIED) as error:
        ada.sql(sql)
    assert "text" not in str(error.value).split("gRPC")[0].replace("context", "")
    with pytest.raises(DENIED):
        handle, *_ = ada.prepare(sql)
        ada.read(command("CommandPreparedStatementQuery", (1, handle)))
    try:
        # What is no query has a schema that tells nothing.
        assert sql.split()[0] not in ("SELECT", "WITH") or not ada.connection.get_schema(query(sql), ada.options())
    except OSError as error:
        # pyarrow makes no error of its own of it here.
        assert "denied" in str(error)


def test_reading_is_not_writing(login):
    ada, bea = login("ada"), login("bea")
    rows = pa.table({"id": pa.array([1], pa.int64()), "text": ["x"]})

    def ingest(client, schema, table):
        # Creates if it is not there, appends if it is.
        descriptor = command("CommandStatementIngest", (1, message((1, 1), (2, 2))), (2, table), (3, schema))
        [answer] = client.put(descriptor, rows.to_batches(), rows.schema)
        return fields(answer)[1]

    assert ada.rows("SELECT count(*) AS n FROM sales.figures") == [{"n": lake.TEXTS}]
    for table in ("by_ada", "figures"):
        with pytest.raises(DENIED):
            ingest(ada, "sales", table)
    for sql in ("CREATE DATABASE of_ada", "DROP DATABASE sales", "DROP TABLE sales.figures", "CREATE VIEW sales.v AS SELECT 1 AS x",
                "GRANT INSERT ON SCHEMA sales TO USER ada", "REVOKE ALL ON SCHEMA hidden FROM USER ada", "MSCK REPAIR TABLE sales.figures"):
        with pytest.raises(DENIED):
            ada.update(sql)
        with pytest.raises(DENIED):
            ada.sql(sql)
    assert ingest(bea, "sales", "by_bea") == [1]
    assert bea.rows("SELECT * FROM sales.by_bea") == [{"id": 1, "text": "x"}]
    with pytest.raises(DENIED):
        ingest(bea, "default", "by_bea")


def test_a_group_is_denied_a_table_and_what_reads_it(login):
    cyd = login("cyd")
    names = {row["table_name"] for row in cyd.read(get_tables(schema="sales")).to_pylist()}
    assert "totals" in names and "figures" not in names
    with pytest.raises(DENIED):
        cyd.sql("SELECT * FROM sales.figures")
    with pytest.raises(DENIED):
        cyd.sql("SELECT * FROM sales.totals")
    assert login("ada").rows("SELECT n FROM sales.totals") == [{"n": lake.TEXTS}]


def test_rights_are_looked_at_when_a_statement_runs_again(login):
    root, eve = login("root"), login("eve")
    handle, *_ = eve.prepare("SELECT count(*) AS n FROM hidden.secrets")
    prepared = command("CommandPreparedStatementQuery", (1, handle))
    assert eve.read(prepared).to_pylist() == [{"n": lake.TEXTS}]
    root.update("DENY ALL ON TABLE hidden.secrets TO USER eve")
    with pytest.raises(DENIED):
        eve.read(prepared)
    root.update("REVOKE ALL ON TABLE hidden.secrets FROM USER eve")
    assert eve.read(prepared).to_pylist() == [{"n": lake.TEXTS}]


def test_everybody_sees_their_own_queries_and_administrators_all(login):
    ada, bea, root = login("ada"), login("bea"), login("root")
    sql = "SELECT 'of ada' AS x"
    info = ada.info(query(sql))
    ada.chunks(info.endpoints[0].ticket)
    query_id = info.schema.metadata[b"glaux:query_id"].decode()
    assert [row["user"] for row in history(ada, sql)] == ["ada"] and history(bea, sql) == []
    assert [row["user"] for row in history(root, sql)] == ["ada"]
    assert {row["user"] for row in bea.rows("SELECT DISTINCT \"user\" FROM system.queries")} <= {"bea"}
    assert json.loads(root.act("GetQueryStats", query_id.encode())[0])["query_id"] == query_id
    with pytest.raises((NOT_FOUND, DENIED)):
        bea.act("GetQueryStats", query_id.encode())


def test_an_administrator_ends_the_query_of_another(login):
    ada, bea, root = login("ada"), login("bea"), login("root")
    sql = "SELECT a.text, b.text, 'killed' AS tag FROM texts a CROSS JOIN texts b"
    info = ada.info(query(sql))
    reader = ada.get(info.endpoints[0].ticket)
    assert reader.read_chunk() is not None
    query_id = info.schema.metadata[b"glaux:query_id"].decode()
    with pytest.raises((NOT_FOUND, DENIED)):
        bea.sql(f"KILL QUERY '{query_id}'")
    root.sql(f"KILL QUERY '{query_id}'")
    # Not as if ada had cancelled it: pyarrow would make a KeyboardInterrupt of that.
    with pytest.raises(pa.ArrowException, match="killed by"):
        while True:
            reader.read_chunk()
    assert cancelled(ada, sql)["query_id"] == query_id


# Bad input.

@pytest.mark.parametrize("body", [
    b"", b"garbage", b"\xff" * 1_000, b"\x00" * 1_000, packed("NoSuchCommand"), message((1, "type.googleapis.com/google.protobuf.Empty")),
    packed("CommandStatementQuery", b"\xff\xff\xff"), packed("CommandStatementQuery", message((1, b"\xff\xfe"))),
    packed("CommandStatementSubstraitPlan", message((1, message((1, b"plan"))))),
    packed("CommandGetTables", message((5, 1), (3, "%" * 10_000))), packed("CommandStatementQuery", message((1, "SELECT 1 AS x"), (2, b"transaction"))),
], ids=range(11))
def test_garbage_as_a_command(client, body):
    try:
        client.info(flight.FlightDescriptor.for_command(body))
    except REFUSED as error:
        assert 0 < len(str(error)) < 3_000 and "panic" not in str(error).lower()
    else:
        assert body.startswith(packed("CommandGetTables")[:5])
    with pytest.raises(REFUSED):
        client.info(flight.FlightDescriptor.for_path("a", "path"))
    assert client.rows("SELECT 1 AS x") == [{"x": 1}]


@pytest.mark.parametrize("name", [
    "CreatePreparedStatement", "ClosePreparedStatement", "CancelQuery", "CancelFlightInfo", "RenewFlightEndpoint", "SetSessionOptions",
    "GetQueryStats", "BeginTransaction", "EndTransaction", "CreatePreparedSubstraitPlan", "NoSuchAction", "",
])
def test_garbage_as_an_action(client, name):
    with pytest.raises(REFUSED) as error:
        client.act(name, b"\xff" * 64)
    assert 0 < len(str(error.value)) < 3_000
    assert client.rows("SELECT 1 AS x") == [{"x": 1}]


def test_garbage_as_a_put(client):
    batch = pa.RecordBatch.from_pydict({"x": [1]})
    for descriptor in (flight.FlightDescriptor.for_command(b"garbage"), flight.FlightDescriptor.for_path("a"),
                       command("CommandGetCatalogs"), command("CommandPreparedStatementQuery", (1, b"unknown"))):
        with pytest.raises(REFUSED):
            client.put(descriptor, [batch], batch.schema)
    handle, *_ = client.prepare("SELECT CAST(? AS BIGINT) AS x")
    two = pa.RecordBatch.from_pydict({"x": [1], "y": [2]})
    with pytest.raises(REFUSED):
        client.put(command("CommandPreparedStatementQuery", (1, handle)), [two], two.schema)
        client.read(command("CommandPreparedStatementQuery", (1, handle)))


def test_sql_of_ten_megabytes(client):
    for sql in ("SELECT '" + "x" * 10_000_000 + "' AS x", "SELECT " + "(" * 5_000_000, "x" * 10_000_000):
        with pytest.raises(REFUSED) as error:
            client.info(query(sql))
        assert len(str(error.value)) < 5_000
    assert client.rows("SELECT 1 AS x") == [{"x": 1}]


def test_garbage_on_the_port(anonymous, client):
    import socket

    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + b"\x00" * 500, b"\xff" * 10_000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 100):
        with socket.create_connection(("127.0.0.1", anonymous.port), 10) as connection:
            try:
                connection.sendall(data)
                connection.settimeout(2)
                connection.recv(1_000)
            except OSError:
                pass
    assert client.rows("SELECT 1 AS x") == [{"x": 1}]


def test_many_at_once(anonymous):
    failures = []

    def work():
        try:
            with Client(anonymous.uri) as client:
                for _ in range(5):
                    assert client.rows("SELECT count(*) AS n FROM orders") == [{"n": 15_000}]
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_server_that_is_told_to_stop_lets_streams_end(directory, files):
    path = directory / "drained"
    path.mkdir()
    glaux(path, "sql", "-e", ";\n".join(files))
    server = Server(path)
    with Client(server.uri) as client:
        late = client.info(query("SELECT 1 AS x")).endpoints[0].ticket
        reader = client.get(client.info(query("SELECT id, text FROM texts")).endpoints[0].ticket)
        rows = reader.read_chunk().data.num_rows
        codes = []
        stopping = threading.Thread(target=lambda: codes.append(server.stop()))
        stopping.start()

        def refused():
            try:
                client.info(query("SELECT 1 AS x"))
            except (flight.FlightUnavailableError, flight.FlightCancelledError, flight.FlightInternalError):
                return True

        eventually(refused)
        for chunk in reader:
            rows += chunk.data.num_rows
        assert rows == lake.TEXTS
        with pytest.raises((*REFUSED, flight.FlightUnavailableError)):
            client.chunks(late)
    stopping.join()
    assert codes == [0]

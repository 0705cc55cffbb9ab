"""The dialect `glaux+flightsql://USER:PASSWORD@HOST:PORT/DATABASE?option=value`.

Options: `tls` (`true` or `false`; by default on, except on the loopback), `tls_skip_verify`, `tls_ca` (a file of certificates in PEM), `token`
(instead of user and password). Any other is an error.
"""

import ipaddress
from pathlib import Path

from sqlalchemy import exc, text, types
from sqlalchemy.engine import default
from sqlalchemy.sql import compiler

from . import types as glaux_types

try:
    from sqlalchemy.engine.reflection import cache
except ImportError:  # pragma: no cover - a name of all versions so far
    def cache(function):
        return function

_CLIENT = "adbc.flight.sql.client_option."
_OPTIONS = {"tls", "tls_skip_verify", "tls_ca", "token"}


def _is_loopback(host):
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _flag(query, name, otherwise):
    value = query.get(name)
    if value is None:
        return otherwise
    if value.lower() in ("true", "1", "yes"):
        return True
    if value.lower() in ("false", "0", "no"):
        return False
    raise exc.ArgumentError(f"{name} is true or false, not {value!r}")


class GlauxIdentifierPreparer(compiler.IdentifierPreparer):
    """Names are quoted unless they are plain words in lower case."""

    reserved_words = compiler.RESERVED_WORDS | {
        "alter", "by", "cast", "create", "cross", "cube", "date", "deallocate", "delete", "describe", "drop", "escape", "execute", "exists",
        "extract", "full", "group", "grouping", "insert", "intersect", "interval", "is", "join", "like", "natural", "normalize", "order", "outer",
        "prepare", "rollup", "row", "rows", "skip", "time", "timestamp", "unnest", "values", "with",
    }


class GlauxCompiler(compiler.SQLCompiler):
    def limit_clause(self, select, **options):
        """Trino skips rows before it limits them."""
        clause = ""
        if select._offset_clause is not None:
            clause += "\nOFFSET " + self.process(select._offset_clause, **options)
        if select._limit_clause is not None:
            clause += "\nLIMIT " + self.process(select._limit_clause, **options)
        return clause

    def visit_char_length_func(self, function, **options):
        return "length" + self.function_argspec(function, **options)


class GlauxTypeCompiler(compiler.GenericTypeCompiler):
    def visit_string(self, type_, **_):
        return f"varchar({type_.length})" if type_.length else "varchar"

    visit_VARCHAR = visit_NVARCHAR = visit_unicode = visit_string

    def visit_text(self, type_, **_):
        return "varchar"

    visit_TEXT = visit_CLOB = visit_unicode_text = visit_text

    def visit_FLOAT(self, type_, **_):
        return "real" if type_.precision is not None and type_.precision <= 24 else "double"

    visit_float = visit_double = visit_DOUBLE = visit_DOUBLE_PRECISION = visit_FLOAT

    def visit_REAL(self, type_, **_):
        return "real"

    def visit_large_binary(self, type_, **_):
        return "varbinary"

    visit_BLOB = visit_BINARY = visit_VARBINARY = visit_large_binary

    def visit_datetime(self, type_, **_):
        return "timestamp with time zone" if type_.timezone else "timestamp"

    visit_DATETIME = visit_TIMESTAMP = visit_datetime

    def visit_ARRAY(self, type_, **options):
        return f"array({self.process(type_.item_type, **options)})"

    def visit_MAP(self, type_, **_):
        return type_.get_col_spec()

    visit_ROW = visit_MAP


class _Date(types.Date):
    def literal_processor(self, dialect):
        return lambda value: f"DATE '{value.isoformat()[:10]}'"


class _Binary(types.LargeBinary):
    """Bytes are bound as they are: the driver has no `Binary` to wrap them in."""

    def bind_processor(self, dialect):
        return lambda value: bytes(value) if isinstance(value, (bytearray, memoryview)) else value

    def literal_processor(self, dialect):
        return lambda value: f"X'{bytes(value).hex()}'"


class _DateTime(types.DateTime):
    def literal_processor(self, dialect):
        return lambda value: f"TIMESTAMP '{value.isoformat(sep=' ')}'"


class GlauxDialect(default.DefaultDialect):
    name = "glaux"
    driver = "flightsql"

    statement_compiler = GlauxCompiler
    type_compiler = type_compiler_cls = GlauxTypeCompiler
    preparer = GlauxIdentifierPreparer
    colspecs = {
        types.Date: _Date, types.DateTime: _DateTime, types.LargeBinary: _Binary, types.BINARY: _Binary, types.VARBINARY: _Binary,
    }

    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_views = True
    supports_alter = False
    supports_default_values = False
    supports_empty_insert = False
    supports_pk_autoincrement = False
    supports_sane_rowcount = False
    supports_sane_multi_rowcount = False
    supports_simple_order_by_label = True
    postfetch_lastrowid = False
    requires_name_normalize = False
    # Nothing is read from the server to learn these.
    description_encoding = None
    returns_unicode_strings = True

    @classmethod
    def import_dbapi(cls):
        import adbc_driver_flightsql.dbapi

        return adbc_driver_flightsql.dbapi

    @classmethod
    def dbapi(cls):
        """The name of `import_dbapi` before SQLAlchemy 2."""
        return cls.import_dbapi()

    def create_connect_args(self, url):
        query = dict(url.query)
        if unknown := sorted(set(query) - _OPTIONS):
            raise exc.ArgumentError(f"the URL has unknown options: {', '.join(unknown)}; there are {', '.join(sorted(_OPTIONS))}")
        host = url.host or "127.0.0.1"
        scheme = "grpc+tls" if _flag(query, "tls", not _is_loopback(host)) else "grpc+tcp"
        database = {"adbc.flight.sql.rpc.with_cookie_middleware": "true"}
        if url.username:
            database["username"] = url.username
            database["password"] = str(url.password or "")
        if "token" in query:
            database["adbc.flight.sql.authorization_header"] = f"Bearer {query['token']}"
        if _flag(query, "tls_skip_verify", False):
            database[_CLIENT + "tls_skip_verify"] = "true"
        if "tls_ca" in query:
            database[_CLIENT + "tls_root_certs"] = Path(query["tls_ca"]).read_text()
        connection = {"adbc.connection.db_schema": url.database} if url.database else {}
        address = f"[{host}]" if ":" in host else host
        arguments = {"db_kwargs": database, "conn_kwargs": connection, "autocommit": True}
        return [f"{scheme}://{address}:{url.port or 32010}"], arguments

    # Every statement is a transaction of its own.

    def do_begin(self, dbapi_connection):
        pass

    def do_commit(self, dbapi_connection):
        pass

    def do_rollback(self, dbapi_connection):
        pass

    def do_ping(self, dbapi_connection):
        with dbapi_connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()
        return True

    def is_disconnect(self, error, connection, cursor):
        return any(word in str(error) for word in ("UNAVAILABLE", "Unavailable", "connection is closed", "transport is closing"))

    # What there is, by information_schema.

    def _rows(self, connection, sql, **values):
        return connection.execute(text(sql), values).fetchall()

    def _get_server_version_info(self, connection):
        [[version]] = self._rows(connection, "SELECT version()")
        return tuple(int(part) for part in version.split(".") if part.isdigit())

    def _get_default_schema_name(self, connection):
        raw = connection.connection
        raw = getattr(raw, "dbapi_connection", raw)
        return raw.adbc_current_db_schema or "default"

    def _schema(self, schema):
        return (schema or self.default_schema_name).lower()

    @cache
    def get_schema_names(self, connection, **_):
        return [name for [name] in self._rows(connection, "SELECT schema_name FROM information_schema.schemata ORDER BY 1")]

    def _names(self, connection, schema, kind):
        sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = :schema AND table_type = :kind ORDER BY 1"
        return [name for [name] in self._rows(connection, sql, schema=self._schema(schema), kind=kind)]

    @cache
    def get_table_names(self, connection, schema=None, **_):
        return self._names(connection, schema, "BASE TABLE")

    @cache
    def get_view_names(self, connection, schema=None, **_):
        return self._names(connection, schema, "VIEW")

    def has_table(self, connection, table_name, schema=None, **_):
        sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = :schema AND table_name = :table"
        [[found]] = self._rows(connection, sql, schema=self._schema(schema), table=table_name.lower())
        return found > 0

    @cache
    def get_columns(self, connection, table_name, schema=None, **_):
        sql = (
            "SELECT column_name, data_type, is_nullable, comment FROM information_schema.columns "
            "WHERE table_schema = :schema AND table_name = :table ORDER BY ordinal_position"
        )
        found = self._rows(connection, sql, schema=self._schema(schema), table=table_name.lower())
        if not found:
            raise exc.NoSuchTableError(table_name)
        return [
            {
                "name": name,
                "type": glaux_types.parse(kind),
                "nullable": nullable == "YES",
                "default": None,
                "autoincrement": False,
                "comment": comment,
            }
            for name, kind, nullable, comment in found
        ]

    @cache
    def get_view_definition(self, connection, view_name, schema=None, **_):
        sql = "SELECT view_definition FROM information_schema.views WHERE table_schema = :schema AND table_name = :view"
        found = self._rows(connection, sql, schema=self._schema(schema), view=view_name.lower())
        if not found:
            raise exc.NoSuchTableError(view_name)
        return found[0][0]

    # Lakes have no keys, no indexes and no constraints.

    def get_pk_constraint(self, connection, table_name, schema=None, **_):
        return {"constrained_columns": [], "name": None}

    def get_foreign_keys(self, connection, table_name, schema=None, **_):
        return []

    def get_indexes(self, connection, table_name, schema=None, **_):
        return []

    def get_unique_constraints(self, connection, table_name, schema=None, **_):
        return []

    def get_check_constraints(self, connection, table_name, schema=None, **_):
        return []

    def get_table_comment(self, connection, table_name, schema=None, **_):
        return {"text": None}

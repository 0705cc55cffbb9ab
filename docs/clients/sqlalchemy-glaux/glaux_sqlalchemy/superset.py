"""The engine spec for Apache Superset, which finds it by its entry point."""

from superset.db_engine_specs.base import BaseEngineSpec

from .grains import TIME_GRAINS


class GlauxEngineSpec(BaseEngineSpec):
    engine = "glaux"
    engine_name = "Glaux"
    drivers = {"flightsql": "ADBC's driver for Flight SQL"}
    default_driver = "flightsql"
    sqlalchemy_uri_placeholder = "glaux+flightsql://user:password@host:32010/database"

    allows_alias_in_orderby = True
    allows_alias_in_select = True
    time_groupby_inline = False
    supports_file_upload = False
    supports_dynamic_schema = True

    _time_grain_expressions = TIME_GRAINS

    @classmethod
    def epoch_to_dttm(cls):
        return "from_unixtime({col})"

    @classmethod
    def convert_dttm(cls, target_type, dttm, db_extra=None):
        name = str(target_type).upper()
        if name.startswith("DATE") and not name.startswith("DATETIME"):
            return f"DATE '{dttm.date().isoformat()}'"
        if name.startswith(("TIMESTAMP", "DATETIME")):
            return f"TIMESTAMP '{dttm.isoformat(sep=' ', timespec='milliseconds')}'"
        return None

    @classmethod
    def adjust_engine_params(cls, uri, connect_args, catalog=None, schema=None):
        """A query of another schema begins in it."""
        if schema:
            uri = uri.set(database=schema)
        return uri, connect_args

    @classmethod
    def get_schema_from_engine_params(cls, sqlalchemy_uri, connect_args):
        return sqlalchemy_uri.database or None

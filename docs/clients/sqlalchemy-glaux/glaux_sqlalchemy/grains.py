"""What a time is truncated to in time-series charts, by ISO 8601 durations, in Trino's SQL."""

_TIME = "CAST({col} AS timestamp)"


def _whole(unit):
    return f"date_trunc('{unit}', {_TIME})"


def _parts(of, unit, count, whole):
    """The part of `of` that a time is in: parts of `count` units, of which `of` has `whole`."""
    parts = " ".join(f"WHEN {part} THEN INTERVAL '{part * count}' {unit.upper()}" for part in range(1, whole // count))
    time = _whole(of)
    return f"{time} + CASE extract({unit} FROM {_TIME}) / {count} {parts} ELSE INTERVAL '0' {unit.upper()} END"


def _minutes(count):
    return _parts("hour", "minute", count, 60)


#: None is a chart without a grain.
TIME_GRAINS = {
    None: "{col}",
    "PT1S": _whole("second"),
    "PT1M": _whole("minute"),
    "PT5M": _minutes(5),
    "PT10M": _minutes(10),
    "PT15M": _minutes(15),
    "PT30M": _minutes(30),
    "PT1H": _whole("hour"),
    "PT6H": _parts("day", "hour", 6, 24),
    "P1D": _whole("day"),
    "P1W": _whole("week"),
    "P1M": _whole("month"),
    "P3M": _whole("quarter"),
    "P1Y": _whole("year"),
    # Weeks that begin on a Sunday and on a Monday, and by their last days, Saturday and Sunday.
    "1969-12-28T00:00:00Z/P1W": f"date_trunc('week', {_TIME} + INTERVAL '1' DAY) - INTERVAL '1' DAY",
    "1969-12-29T00:00:00Z/P1W": _whole("week"),
    "P1W/1970-01-03T00:00:00Z": f"date_trunc('week', {_TIME} + INTERVAL '1' DAY) + INTERVAL '5' DAY",
    "P1W/1970-01-04T00:00:00Z": f"date_trunc('week', {_TIME}) + INTERVAL '6' DAY",
}

"""Types of Trino's SQL, as `information_schema.columns` names them, and SQLAlchemy's."""

from sqlalchemy import types


class MAP(types.TypeEngine):
    """`map(key, value)`."""

    __visit_name__ = "MAP"

    def __init__(self, key, value):
        self.key, self.value = key, value

    def get_col_spec(self, **_):
        return f"map({self.key}, {self.value})"


class ROW(types.TypeEngine):
    """`row(name type, ...)`."""

    __visit_name__ = "ROW"

    def __init__(self, fields=""):
        self.fields = fields

    def get_col_spec(self, **_):
        return f"row({self.fields})"


class Real(types.Float):
    __visit_name__ = "REAL"


class Double(types.Float):
    __visit_name__ = "DOUBLE"


_PLAIN = {
    "boolean": types.Boolean,
    "tinyint": types.SmallInteger,
    "smallint": types.SmallInteger,
    "integer": types.Integer,
    "bigint": types.BigInteger,
    "real": Real,
    "double": Double,
    "varbinary": types.LargeBinary,
    "date": types.Date,
}


def _split(text):
    """The parts between the commas that are in no parentheses."""
    parts, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def parse(name):
    """SQLAlchemy's type for Trino's name of one."""
    name = name.strip()
    word, _, rest = name.partition("(")
    inner = rest[: rest.rfind(")")] if rest else ""
    word = word.strip().lower()
    if word in _PLAIN:
        return _PLAIN[word]()
    if word in ("varchar", "char"):
        kind = types.CHAR if word == "char" else types.String
        return kind(int(inner)) if inner else kind()
    if word == "decimal":
        precision, scale = (int(part) for part in inner.split(","))
        return types.Numeric(precision, scale)
    if word == "timestamp":
        return types.DateTime(timezone=name.lower().endswith("with time zone"))
    if word == "time":
        return types.Time(timezone=name.lower().endswith("with time zone"))
    if word.startswith("interval"):
        return types.Interval()
    if word == "array":
        return types.ARRAY(parse(inner))
    if word == "map":
        return MAP(*_split(inner))
    if word == "row":
        return ROW(inner)
    return types.NullType()

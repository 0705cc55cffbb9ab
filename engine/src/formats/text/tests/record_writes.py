#!/usr/bin/env python3
"""Has a Trino write the rows of writes.jsonl, and records there which bytes it makes of them ("file") and whether it reads them back as what they were
("reads"), or its error. Where bytes of ours are given ("ours"), since Trino's do not read back, records whether it reads those ("reads_ours").
With --compare, prints what differs from what is recorded.

Usage: record_writes.py [--compare] URL FOLDER      URL: of a Trino whose catalog `hive` has FOLDER as `local:///`. Standard library only."""
import json, pathlib, re, shutil, sys

import record
from record import ask, literal, parts

WRITES = pathlib.Path(__file__).with_name("writes.jsonl")
TABLE = "text_writes"
record.HEADERS["X-Trino-Session"] = "hive.compression_codec=NONE,hive.timestamp_precision=MICROSECONDS"
record.TYPES["timestamp"] = "timestamp(6)"


def sql(hive, value):
    """A value as an expression of Trino's. Times, dates, decimals and floating-point numbers are text, bytes hexadecimal, maps lists of pairs."""
    kind = record.trino(hive)
    if value is None:
        return f"CAST(NULL AS {kind})"
    nested = re.fullmatch(r"(array|map|struct)<(.*)>", hive)
    if not nested:
        if hive in ("date", "timestamp"):
            return f"CAST({hive} {literal(value)} AS {kind})"
        if hive == "binary":
            return f"X'{value}'"
        return f"CAST({literal(value) if isinstance(value, str) else str(value).lower()} AS {kind})"
    inner = parts(nested.group(2))
    if nested.group(1) == "array":
        return f"CAST(ARRAY[{', '.join(sql(inner[0], each) for each in value)}] AS {kind})"
    if nested.group(1) == "map":
        keys, values = (", ".join(sql(inner[at], pair[at]) for pair in value) for at in (0, 1))
        return f"CAST(MAP(ARRAY[{keys}], ARRAY[{values}]) AS {kind})"
    fields = ", ".join(sql(field.split(":", 1)[1], each) for field, each in zip(inner, value))
    return f"CAST(ROW({fields}) AS {kind})"


def answer(url, folder, case):
    path = pathlib.Path(folder) / TABLE
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    properties, names = case["properties"], [name for name, _ in case["columns"]]
    columns = ", ".join(f"{name} {record.trino(kind)}" for name, kind in case["columns"])
    extra = f", extra_properties = MAP(ARRAY[{', '.join(map(literal, properties))}], ARRAY[{', '.join(map(literal, properties.values()))}])"
    rows = ", ".join(f"ROW({', '.join(sql(kind, value) for (_, kind), value in zip(case['columns'], row))})" for row in case["rows"])
    values = f"(VALUES {rows}) AS t ({', '.join(names)})"
    # Where NULL and the empty text have one form, either is read as the other.
    is_same = case["format"] == "CSV" or properties.get("serialization.null.format") == ""
    shown = {name: name for name in names}
    for name, kind in case["columns"]:
        if kind.startswith("map<"):
            shown[name] = f"map_entries({name})"
        elif is_same and kind == "string":
            shown[name] = f"coalesce({name}, '')"
    query = f"SELECT {', '.join(shown.values())} FROM "

    def reads():
        try:
            return ask(url, query + TABLE) == ask(url, query + values)
        except ValueError:
            return False

    ask(url, f"DROP TABLE IF EXISTS {TABLE}")
    try:
        ask(url, f"CREATE TABLE {TABLE} ({columns}) WITH (external_location = 'local:///{TABLE}', format = '{case['format']}'{extra if properties else ''})")
        ask(url, f"INSERT INTO {TABLE} SELECT * FROM {values}")
    except ValueError as error:
        return {"error": str(error)}
    [file] = [each for each in path.iterdir() if each.is_file()]
    data = file.read_bytes()
    try:
        found = {"file": data.decode()}
    except UnicodeDecodeError:
        found = {"hex": data.hex()}
    found["reads"] = reads()
    if "ours" in case:
        file.write_text(case["ours"], encoding="utf-8", newline="")
        found["reads_ours"] = reads()
    return found


def main(arguments):
    compare = arguments[:1] == ["--compare"]
    url, folder = arguments[compare:]
    lines, differ = [], 0
    for line in WRITES.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        known = {key: case.pop(key) for key in ("file", "hex", "reads", "reads_ours", "error") if key in case}
        found = answer(url, folder, case)
        if compare and found != known:
            differ += 1
            print(json.dumps(case | {"known": known, "found": found}, ensure_ascii=True))
        lines.append(json.dumps(case | found, ensure_ascii=True))
    if compare:
        sys.exit(differ > 0)
    WRITES.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1:])

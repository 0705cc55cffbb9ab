#!/usr/bin/env python3
"""Asks a Trino how it reads the files of answers.jsonl, and writes its answers there, or with --compare prints where they differ.

Usage: record.py [--compare] URL FOLDER      URL: of a Trino whose catalog `hive` has FOLDER as `local:///`. Standard library only."""
import json, pathlib, re, shutil, sys, urllib.request

ANSWERS = pathlib.Path(__file__).with_name("answers.jsonl")
HEADERS = {"X-Trino-User": "text", "X-Trino-Catalog": "hive", "X-Trino-Schema": "default", "X-Trino-Time-Zone": "UTC",
           "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME"}
TYPES = {"string": "varchar", "int": "integer", "float": "real", "binary": "varbinary"}
TABLE = "text_answers"


def fetch(url, body=None):
    request = urllib.request.Request(url, data=body, headers=HEADERS, method="POST" if body is not None else "GET")
    with urllib.request.urlopen(request, timeout=120) as response:
        # Text that is no UTF-8 comes as it is in the file.
        return json.loads(response.read().decode("utf-8", "replace"))


def ask(url, sql):
    """The rows of a statement; raises the name of its error."""
    answer, rows = fetch(url.rstrip("/") + "/v1/statement", sql.encode()), []
    while True:
        if "error" in answer:
            raise ValueError(answer["error"]["errorName"])
        rows += answer.get("data", [])
        if "nextUri" not in answer:
            return rows
        answer = fetch(answer["nextUri"])


def parts(text):
    """What stands between the commas of a type's parameters."""
    depth, found = 0, [""]
    for c in text:
        depth += (c in "<(") - (c in ">)")
        if c == "," and depth == 0:
            found.append("")
        else:
            found[-1] += c
    return found


def trino(hive):
    """A type of Hive's as Trino's."""
    nested = re.fullmatch(r"(array|map|struct)<(.*)>", hive)
    if not nested:
        return TYPES.get(hive, hive)
    inner = parts(nested.group(2))
    if nested.group(1) == "struct":
        return "row(" + ", ".join(f"{name} {trino(kind)}" for name, kind in (field.split(":", 1) for field in inner)) + ")"
    return f"{nested.group(1)}({', '.join(map(trino, inner))})"


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def exact(value):
    """Numbers with a point as text, so that no reader of JSON loses a digit."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return [exact(element) for element in value]
    if isinstance(value, dict):
        return {key: exact(element) for key, element in value.items()}
    return value


def answer(url, folder, case):
    path = pathlib.Path(folder) / TABLE
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    data = bytes.fromhex(case["hex"]) if "hex" in case else case["file"].encode()
    (path / case.get("name", "f")).write_bytes(data)
    columns = ", ".join(f"{name} {trino(kind)}" for name, kind in case["columns"])
    properties = case["properties"]
    extra = f", extra_properties = MAP(ARRAY[{', '.join(map(literal, properties))}], ARRAY[{', '.join(map(literal, properties.values()))}])"
    # Entries in their order, with keys of any type.
    shown = ", ".join(f"map_entries({name})" if kind.startswith("map<") else name for name, kind in case["columns"])
    ask(url, f"DROP TABLE IF EXISTS {TABLE}")
    try:
        ask(url, f"CREATE TABLE {TABLE} ({columns}) WITH (external_location = 'local:///{TABLE}', format = '{case['format']}'{extra if properties else ''})")
        return {"rows": exact(ask(url, f"SELECT {shown} FROM {TABLE}"))}
    except ValueError as error:
        return {"error": str(error)}


def main(arguments, path=ANSWERS, answer=answer, answers=("rows", "error")):
    """Has each case of a file answered. `answers` are the fields of a case that are found out."""
    compare = arguments[:1] == ["--compare"]
    url, folder = arguments[compare:]
    lines, differ = [], 0
    for line in path.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        known = {key: case.pop(key) for key in answers if key in case}
        found = answer(url, folder, case)
        if compare and found != known:
            differ += 1
            print(json.dumps(case | {"known": known, "found": found}, ensure_ascii=True))
        lines.append(json.dumps(case | found, ensure_ascii=True))
    if compare:
        sys.exit(differ > 0)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1:])

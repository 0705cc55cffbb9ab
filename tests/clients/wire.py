"""Messages of Flight SQL by hand, for what no library offers: protobuf's wire format, commands, actions, and calls with their metadata."""

import struct
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.flight as flight

from server import PATIENCE

PREFIX = "type.googleapis.com/arrow.flight.protocol.sql."


# Protobuf.

def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def message(*fields):
    """Encodes (number, value) pairs: text, bytes and messages by length, integers and booleans as varints, floats as doubles; no None."""
    out = b""
    for number, value in fields:
        if value is None:
            continue
        if isinstance(value, str):
            value = value.encode()
        if isinstance(value, bytes):
            out += varint(number << 3 | 2) + varint(len(value)) + value
        elif isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<d", value)
        else:
            out += varint(number << 3) + varint(int(value))
    return out


def fields(data):
    """Decodes a message into lists of values by field number; nested messages stay bytes."""
    data, at, found = bytes(data), 0, {}

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = number()
        match key & 7:
            case 0:
                value = number()
            case 1:
                value, at = data[at:at + 8], at + 8
            case 2:
                length = number()
                value, at = data[at:at + length], at + length
            case other:
                raise ValueError(f"wire type {other}")
        found.setdefault(key >> 3, []).append(value)
    return found


def packed(name, body=b""):
    """A message of Flight SQL in an Any."""
    return message((1, PREFIX + name), (2, body))


def unpacked(name, data):
    any_message = fields(data)
    assert any_message[1] == [(PREFIX + name).encode()]
    return fields(any_message.get(2, [b""])[0])


# Commands.

def command(name, *parts):
    return flight.FlightDescriptor.for_command(packed(name, message(*parts)))


def query(sql):
    return command("CommandStatementQuery", (1, sql))


def get_tables(catalog=None, schema=None, table=None, types=(), include_schema=False):
    return command("CommandGetTables", (1, catalog), (2, schema), (3, table), *((4, name) for name in types), (5, include_schema or None))


# Session options: a text, a boolean, an integer, a float, or None to unset.

def set_session_options(**options):
    def value(option):
        match option:
            case None:
                return b""
            case str():
                return message((1, option))
            case bool():
                return varint(2 << 3) + varint(option)
            case int():
                return varint(3 << 3 | 1) + struct.pack("<q", option)
            case float():
                return message((4, option))
    return flight.Action("SetSessionOptions", message(*((1, message((1, name), (2, value(option)))) for name, option in options.items())))


def session_options(body):
    """What GetSessionOptions answered, by name."""
    found = {}
    for entry in fields(body).get(1, []):
        entry = fields(entry)
        option = fields(entry.get(2, [b""])[0])
        name = entry[1][0].decode()
        match option:
            case {1: [text]}:
                found[name] = text.decode()
            case {2: [flag]}:
                found[name] = bool(flag)
            case {3: [number]}:
                found[name] = struct.unpack("<q", number)[0]
            case {4: [number]}:
                found[name] = struct.unpack("<d", number)[0]
            case _:
                found[name] = None
    return found


def session_errors(body):
    """Names and codes of the options that SetSessionOptions refused."""
    errors = {}
    for entry in fields(body).get(1, []):
        entry = fields(entry)
        errors[entry[1][0].decode()] = fields(entry.get(2, [b""])[0]).get(1, [0])[0]
    return errors


# Calls.

class Headers(flight.ClientMiddlewareFactory):
    """Keeps what each call brought back: `calls` is a list of (method, [headers, trailers...])."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def start_call(self, info):
        received = []
        self.calls.append((info.method, received))

        class Middleware(flight.ClientMiddleware):
            def received_headers(self, headers):
                received.append({name.lower(): values for name, values in headers.items()})

        return Middleware()

    def of(self, method):
        """Headers and trailers of the last call of a method, merged: a list of values by name."""
        merged = {}
        for received in [received for called, received in self.calls if called == method][-1]:
            for name, values in received.items():
                merged.setdefault(name, []).extend(values)
        return merged


class Cookies(flight.ClientMiddlewareFactory):
    """Sends back the cookies that the server set."""

    def __init__(self):
        super().__init__()
        self.jar = {}

    def start_call(self, info):
        jar = self.jar

        class Middleware(flight.ClientMiddleware):
            def sending_headers(self):
                return {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}

            def received_headers(self, headers):
                for name, values in headers.items():
                    if name.lower() == "set-cookie":
                        for value in values:
                            key, _, rest = value.partition(";")[0].partition("=")
                            jar[key.strip()] = rest.strip()

        return Middleware()


@dataclass
class Client:
    """A connection of pyarrow's that keeps cookies, and sends a bearer token if it has one."""

    uri: str
    token: bytes | None = None
    limit: int | None = None
    connection: flight.FlightClient = field(init=False)
    headers: Headers = field(init=False, default_factory=Headers)
    cookies: Cookies = field(init=False, default_factory=Cookies)

    def __post_init__(self):
        options = [("grpc.max_receive_message_length", self.limit)] if self.limit else None
        self.connection = flight.FlightClient(self.uri, middleware=[self.headers, self.cookies], generic_options=options)

    @classmethod
    def login(cls, uri, user, password, **options):
        client = cls(uri, **options)
        name, value = client.connection.authenticate_basic_token(user, password)
        assert name == b"authorization" and value.startswith(b"Bearer ")
        client.token = value
        return client

    def options(self, timeout=PATIENCE):
        return flight.FlightCallOptions(timeout=timeout, headers=[(b"authorization", self.token)] if self.token else [])

    def info(self, descriptor):
        return self.connection.get_flight_info(descriptor, self.options())

    def get(self, ticket, timeout=PATIENCE):
        return self.connection.do_get(ticket, self.options(timeout))

    def chunks(self, ticket):
        """Every message of a stream: batches with their metadata."""
        return list(self.get(ticket))

    def read(self, descriptor):
        """A command's result."""
        info = self.info(descriptor)
        return pa.concat_tables([self.get(endpoint.ticket).read_all() for endpoint in info.endpoints])

    def sql(self, sql):
        return self.read(query(sql))

    def rows(self, sql):
        return self.sql(sql).to_pylist()

    def act(self, name, body=b""):
        """Bodies of an action's results."""
        action = name if isinstance(name, flight.Action) else flight.Action(name, body)
        return [result.body.to_pybytes() for result in self.connection.do_action(action, self.options())]

    def prepare(self, sql):
        """Handle, schema of the result and schema of the parameters."""
        [body] = self.act("CreatePreparedStatement", packed("ActionCreatePreparedStatementRequest", message((1, sql))))
        result = unpacked("ActionCreatePreparedStatementResult", body)
        schemas = [result.get(number, [b""])[0] for number in (2, 3)]
        return result[1][0], *(pa.ipc.read_schema(pa.py_buffer(data)) if data else None for data in schemas)

    def put(self, descriptor, batches, schema):
        """The answers to a DoPut."""
        writer, reader = self.connection.do_put(descriptor, schema, self.options())
        answers = []
        with writer:
            for batch in batches:
                writer.write_batch(batch)
            writer.done_writing()
            while (answer := reader.read()) is not None:
                answers.append(answer.to_pybytes())
        return answers

    def update(self, sql):
        """Runs a statement that gives no rows; how many it changed."""
        [answer] = self.put(command("CommandStatementUpdate", (1, sql)), [], pa.schema([]))
        [count] = fields(answer).get(1, [0])
        return count - (1 << 64) if count >> 63 else count

    def options_of_session(self):
        [body] = self.act("GetSessionOptions")
        return session_options(body)

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

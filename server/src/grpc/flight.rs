//! Flight described for reflection: its service, methods, messages and enumerations, by the names and numbers that are on the wire.

use super::descriptor::{
    EnumType, File, FileSet,
    Kind::{Bool, Bytes, Double, Enum, Int32, Int64, Message, String, Uint64},
    MessageType, Method, ServiceType,
    Times::{Many, Maybe, One},
    enumeration, message,
};

const PACKAGE: &str = "arrow.flight.protocol";
const TIMESTAMP_FILE: &str = "google/protobuf/timestamp.proto";

const DESCRIPTOR: &str = ".arrow.flight.protocol.FlightDescriptor";
const INFO: &str = ".arrow.flight.protocol.FlightInfo";
const ENDPOINT: &str = ".arrow.flight.protocol.FlightEndpoint";
const TIMESTAMP: &str = ".google.protobuf.Timestamp";

/// Method, what it takes and whether that is a stream, what it gives and whether that is a stream.
const METHODS: [(&str, &str, bool, &str, bool); 10] = [
    ("Handshake", "HandshakeRequest", true, "HandshakeResponse", true),
    ("ListFlights", "Criteria", false, "FlightInfo", true),
    ("GetFlightInfo", "FlightDescriptor", false, "FlightInfo", false),
    ("PollFlightInfo", "FlightDescriptor", false, "PollInfo", false),
    ("GetSchema", "FlightDescriptor", false, "SchemaResult", false),
    ("DoGet", "Ticket", false, "FlightData", true),
    ("DoPut", "FlightData", true, "PutResult", true),
    ("DoExchange", "FlightData", true, "FlightData", true),
    ("DoAction", "Action", false, "Result", true),
    ("ListActions", "Empty", false, "ActionType", true),
];

/// `Flight.proto` and what it stands on.
pub(super) fn file_descriptor_set() -> FileSet {
    let timestamp = File {
        name: Some(TIMESTAMP_FILE.to_owned()),
        package: Some("google.protobuf".to_owned()),
        message_type: vec![message("Timestamp", &[("seconds", 1, Int64, One), ("nanos", 2, Int32, One)])],
        syntax: Some("proto3".to_owned()),
        ..File::default()
    };
    let flight = File {
        name: Some("Flight.proto".to_owned()),
        package: Some(PACKAGE.to_owned()),
        dependency: vec![TIMESTAMP_FILE.to_owned()],
        message_type: messages(),
        enum_type: vec![cancel_status()],
        service: vec![service()],
        syntax: Some("proto3".to_owned()),
    };
    FileSet { file: vec![timestamp, flight] }
}

fn service() -> ServiceType {
    let full = |name: &str| Some(format!(".{PACKAGE}.{name}"));
    let method = |(name, takes, takes_stream, gives, gives_stream): (&str, &str, bool, &str, bool)| Method {
        name: Some(name.to_owned()),
        input_type: full(takes),
        output_type: full(gives),
        client_streaming: takes_stream.then_some(true),
        server_streaming: gives_stream.then_some(true),
    };
    ServiceType { name: Some("FlightService".to_owned()), method: METHODS.into_iter().map(method).collect() }
}

fn cancel_status() -> EnumType {
    let values =
        ["CANCEL_STATUS_UNSPECIFIED", "CANCEL_STATUS_CANCELLED", "CANCEL_STATUS_CANCELLING", "CANCEL_STATUS_NOT_CANCELLABLE"];
    enumeration("CancelStatus", &values)
}

fn messages() -> Vec<MessageType> {
    let descriptor_type = Enum(".arrow.flight.protocol.FlightDescriptor.DescriptorType");
    let handshake = [("protocol_version", 1, Uint64, One), ("payload", 2, Bytes, One)];
    let mut descriptor =
        message("FlightDescriptor", &[("type", 1, descriptor_type, One), ("cmd", 2, Bytes, One), ("path", 3, String, Many)]);
    descriptor.enum_type = vec![enumeration("DescriptorType", &["UNKNOWN", "PATH", "CMD"])];
    vec![
        message("HandshakeRequest", &handshake),
        message("HandshakeResponse", &handshake),
        message("BasicAuth", &[("username", 2, String, One), ("password", 3, String, One)]),
        message("Empty", &[]),
        message("ActionType", &[("type", 1, String, One), ("description", 2, String, One)]),
        message("Criteria", &[("expression", 1, Bytes, One)]),
        message("Action", &[("type", 1, String, One), ("body", 2, Bytes, One)]),
        message("CancelFlightInfoRequest", &[("info", 1, Message(INFO), One)]),
        message("RenewFlightEndpointRequest", &[("endpoint", 1, Message(ENDPOINT), One)]),
        message("Result", &[("body", 1, Bytes, One)]),
        message("CancelFlightInfoResult", &[("status", 1, Enum(".arrow.flight.protocol.CancelStatus"), One)]),
        message("SchemaResult", &[("schema", 1, Bytes, One)]),
        descriptor,
        message(
            "FlightInfo",
            &[
                ("schema", 1, Bytes, One),
                ("flight_descriptor", 2, Message(DESCRIPTOR), One),
                ("endpoint", 3, Message(ENDPOINT), Many),
                ("total_records", 4, Int64, One),
                ("total_bytes", 5, Int64, One),
                ("ordered", 6, Bool, One),
                ("app_metadata", 7, Bytes, One),
            ],
        ),
        message(
            "PollInfo",
            &[
                ("info", 1, Message(INFO), One),
                ("flight_descriptor", 2, Message(DESCRIPTOR), One),
                ("progress", 3, Double, Maybe),
                ("expiration_time", 4, Message(TIMESTAMP), One),
            ],
        ),
        message(
            "FlightEndpoint",
            &[
                ("ticket", 1, Message(".arrow.flight.protocol.Ticket"), One),
                ("location", 2, Message(".arrow.flight.protocol.Location"), Many),
                ("expiration_time", 3, Message(TIMESTAMP), One),
                ("app_metadata", 4, Bytes, One),
            ],
        ),
        message("Location", &[("uri", 1, String, One)]),
        message("Ticket", &[("ticket", 1, Bytes, One)]),
        message(
            "FlightData",
            &[
                ("flight_descriptor", 1, Message(DESCRIPTOR), One),
                ("data_header", 2, Bytes, One),
                ("app_metadata", 3, Bytes, One),
                ("data_body", 1000, Bytes, One),
            ],
        ),
        message("PutResult", &[("app_metadata", 1, Bytes, One)]),
    ]
}

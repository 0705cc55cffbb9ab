//! Over a connection: what tools list and describe, and what probes receive.

use futures::{StreamExt, stream};
use tokio::{net::TcpListener, sync::oneshot};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use super::{
    descriptor::{File, FileSet, MessageType},
    *,
};

/// A server of only these services; it drains when the sender sends or goes.
async fn serve() -> (Channel, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (drain, draining) = oneshot::channel::<()>();
    let routes = add_services(Routes::default(), async {
        let _ = draining.await;
    });
    let server = Server::builder().add_routes(routes.await.unwrap());
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    (Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap(), drain)
}

async fn ask(channel: &Channel, asked: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(asked) };
    let mut client = ServerReflectionClient::new(channel.clone());
    let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    answers.next().await.unwrap().unwrap().message_response.unwrap()
}

/// The file that a symbol is in.
async fn file_of(channel: &Channel, symbol: &str) -> File {
    match ask(channel, MessageRequest::FileContainingSymbol(symbol.to_owned())).await {
        MessageResponse::FileDescriptorResponse(files) => File::decode(files.file_descriptor_proto[0].as_slice()).unwrap(),
        other => panic!("{symbol}: {other:?}"),
    }
}

#[tokio::test]
async fn tools_find_the_services_and_their_descriptions() {
    let (channel, _drain) = serve().await;
    let MessageResponse::ListServicesResponse(listed) = ask(&channel, MessageRequest::ListServices(String::new())).await else {
        panic!("no list");
    };
    let names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
    for name in [FLIGHT, catalog_rpc::NAME, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let flight = file_of(&channel, FLIGHT).await;
    assert_eq!((flight.name.as_deref(), flight.service[0].method.len()), (Some("Flight.proto"), 10));
    for symbol in ["arrow.flight.protocol.FlightService.DoGet", "arrow.flight.protocol.FlightDescriptor.DescriptorType"] {
        assert_eq!(file_of(&channel, symbol).await, flight);
    }
    let catalog = file_of(&channel, catalog_rpc::NAME).await;
    assert_eq!(catalog.package.as_deref(), Some("glaux.catalog.v1"));
    // Tools fetch what a file stands on by its name.
    let asked = MessageRequest::FileByFilename(flight.dependency[0].clone());
    assert!(matches!(ask(&channel, asked).await, MessageResponse::FileDescriptorResponse(_)));
}

#[tokio::test]
async fn probes_are_told_that_a_draining_server_serves_nothing() {
    let (channel, drain) = serve().await;
    let mut client = HealthClient::new(channel);
    let request = |service: &str| HealthCheckRequest { service: service.to_owned() };
    for service in ["", FLIGHT, catalog_rpc::NAME] {
        let status = client.check(request(service)).await.unwrap().into_inner().status();
        assert_eq!(status as i32, ServingStatus::Serving as i32, "{service}");
    }
    let unknown = client.check(request("nonsense")).await.unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);
    let mut watched = client.watch(request(FLIGHT)).await.unwrap().into_inner();
    assert_eq!(watched.next().await.unwrap().unwrap().status, 1);
    drop(drain);
    assert_eq!(watched.next().await.unwrap().unwrap().status, 2);
}

/// Every name that a field or method points to is described.
#[test]
fn the_description_of_flight_is_whole() {
    let set = FileSet::decode(flight::file_descriptor_set().encode_to_vec().as_slice()).unwrap();
    let mut known = Vec::new();
    for file in &set.file {
        let package = file.package.clone().unwrap();
        known.extend(file.enum_type.iter().map(|kind| format!(".{package}.{}", kind.name.clone().unwrap())));
        for message in &file.message_type {
            let name = format!(".{package}.{}", message.name.clone().unwrap());
            known.extend(message.enum_type.iter().map(|kind| format!("{name}.{}", kind.name.clone().unwrap())));
            known.push(name);
        }
    }
    let messages = || set.file.iter().flat_map(|file| &file.message_type);
    for name in messages().flat_map(|message| &message.field).filter_map(|field| field.type_name.as_ref()) {
        assert!(known.contains(name), "{name}");
    }
    for method in &set.file[1].service[0].method {
        assert!(known.contains(method.input_type.as_ref().unwrap()) && known.contains(method.output_type.as_ref().unwrap()));
    }
    let duplicated = |message: &MessageType| {
        let mut numbers: Vec<_> = message.field.iter().map(|field| field.number).collect();
        numbers.sort_unstable();
        numbers.windows(2).any(|pair| pair[0] == pair[1])
    };
    assert!(!messages().any(duplicated));
    let poll = messages().find(|message| message.name.as_deref() == Some("PollInfo")).unwrap();
    assert_eq!(
        poll.field[2].oneof_index.map(|index| poll.oneof_decl[index as usize].name.clone()),
        Some(Some("_progress".into()))
    );
}

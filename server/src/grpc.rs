//! The services that every gRPC server of ours has in addition to its own: health, and reflection, by which tools discover its API. `intake`
//! limits what is read of requests.

mod catalog;
mod descriptor;
mod flight;
mod intake;
mod repair;

pub(crate) use catalog::service as catalog_service;
use glaux_catalog::grpc as catalog_rpc;
use glaux_engine::{Error, Result};
pub(crate) use intake::IntakeLayer;
use prost::Message;
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};
use tonic_reflection::server::Builder;

/// The service by which Flight SQL is spoken.
pub(crate) const FLIGHT: &str = "arrow.flight.protocol.FlightService";

async fn set(health: &HealthReporter, status: ServingStatus) {
    for service in ["", FLIGHT, catalog_rpc::NAME] {
        health.set_service_status(service, status).await;
    }
}

/// Adds health and reflection to a server's routes. Health serves from now on until `draining` is ready.
///
/// # Errors
/// `Internal` if the descriptions of the services do not fit together.
pub(crate) async fn add_services(routes: Routes, draining: impl Future<Output = ()> + Send + 'static) -> Result<Routes> {
    let (reporter, health) = tonic_health::server::health_reporter();
    set(&reporter, ServingStatus::Serving).await;
    tokio::spawn(async move {
        draining.await;
        set(&reporter, ServingStatus::NotServing).await;
    });
    let described = flight::file_descriptor_set().encode_to_vec();
    let configured = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(&described)
            .register_encoded_file_descriptor_set(catalog_rpc::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let failed = |error| Error::internal("the services cannot be described").with_source(error);
    // Older tools know only the alpha version.
    let (v1, v1alpha) = (configured().build_v1().map_err(failed)?, configured().build_v1alpha().map_err(failed)?);
    Ok(routes.add_service(health).add_service(v1).add_service(v1alpha))
}

#[cfg(test)]
mod tests;

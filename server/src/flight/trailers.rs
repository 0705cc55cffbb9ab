//! Trailers of successful streams, which tonic has no place for: a layer puts a slot into every request, and what a handler writes into the
//! slot joins the trailers frame that ends the answer.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use futures::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use tonic::metadata::MetadataMap;
use tower::{Layer, Service};

/// The slot of one request. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Trailers(Arc<Mutex<MetadataMap>>);

impl Trailers {
    /// Fills the slot.
    pub(super) fn write(&self, fill: impl FnOnce(&mut MetadataMap)) {
        fill(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn take(&self) -> http::HeaderMap {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_headers()
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TrailersLayer;

impl<S> Layer<S> for TrailersLayer {
    type Service = TrailersService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TrailersService(inner)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct TrailersService<S>(S);

impl<S, In, Out> Service<http::Request<In>> for TrailersService<S>
where
    S: Service<http::Request<In>, Response = http::Response<Out>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    Out: 'static,
{
    type Response = http::Response<WithTrailers<Out>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<In>) -> Self::Future {
        let trailers = Trailers::default();
        request.extensions_mut().insert(trailers.clone());
        let response = self.0.call(request);
        Box::pin(async move { Ok(response.await?.map(|body| WithTrailers { body, trailers })) })
    }
}

/// A body whose trailers frame gets what the slot holds by then.
#[derive(Debug)]
pub(crate) struct WithTrailers<B> {
    body: B,
    trailers: Trailers,
}

impl<B: Body + Unpin> Body for WithTrailers<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let frame = frame.map(|frame| {
            frame.map(|mut frame| {
                if let Some(trailers) = frame.trailers_mut() {
                    trailers.extend(self.trailers.take());
                }
                frame
            })
        });
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

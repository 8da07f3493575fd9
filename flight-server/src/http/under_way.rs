//! The requests that are being answered, to the last byte of their answers: a shutdown waits for them.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::HttpContext;

/// Counts a request until its answer has been sent, or nobody wants it any more.
pub(super) async fn layer(State(context): State<Arc<HttpContext>>, request: Request, next: Next) -> Response {
    let token = context.requests.token();
    next.run(request).await.map(|body| Body::new(Counted { body, _token: token }))
}

/// The body of an answer.
struct Counted {
    body: Body,
    _token: TaskTrackerToken,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

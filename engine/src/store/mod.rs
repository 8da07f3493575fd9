//! The one door to stored bytes: WAL, Parquet and Delta log all go through [`Store`].

use std::sync::Arc;

use bytes::Bytes;
use object_store::{ObjectMeta, ObjectStore, PutPayload, path::Path};

use crate::error::Result;

/// How a put-if-absent ended when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// This call created the object, durably.
    Created,
    /// The object was there before; it was not touched.
    AlreadyExists,
}

/// Durable objects under one root; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
}

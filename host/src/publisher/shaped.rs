//! A destination whose messages get their stream's shape just before they are appended.
//!
//! Only the payload, the headers and the key change, so that what is above it, ids and
//! places in a batch above all, knows nothing of it.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::destination::{AppendError, Destination, Message, Offset, Range, Tail, Wanted};
use super::shape::Shape;

/// A destination and the shape of its messages.
pub struct ShapedDestination {
    inner: Box<dyn Destination>,
    shape: Shape,
    /// Whether a message without a key was reported, which is done once.
    keyless_reported: bool,
}

impl ShapedDestination {
    /// The destination with messages of this shape, itself where the shape changes nothing.
    pub fn around(inner: Box<dyn Destination>, shape: Shape) -> Box<dyn Destination> {
        if shape.is_plain() {
            return inner;
        }
        Box::new(Self {
            inner,
            shape,
            keyless_reported: false,
        })
    }

    fn report_keyless(&mut self, dressed: &[Message]) {
        let Some(key) = &self.shape.key else { return };
        if !self.keyless_reported && dressed.iter().any(|message| message.key.is_none()) {
            self.keyless_reported = true;
            let (stream, topic) = self.inner.name();
            tracing::warn!(
                stream,
                topic,
                key,
                "a document has no text, number or boolean as its partitioning key: such documents go to the partitions in turn"
            );
        }
    }
}

impl Destination for ShapedDestination {
    fn name(&self) -> (&str, &str) {
        self.inner.name()
    }

    fn readable(&self) -> bool {
        self.inner.readable()
    }

    fn append<'a>(
        &'a mut self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Range>, AppendError>> {
        let dress = |message| self.shape.dress(message);
        let dressed: Vec<Message> = messages.iter().map(dress).collect();
        self.report_keyless(&dressed);
        async move { self.inner.append(&dressed).await }.boxed()
    }

    fn ends(&mut self) -> BoxFuture<'_, Result<Vec<Offset>, AppendError>> {
        self.inner.ends()
    }

    fn read<'a>(&'a mut self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Tail, AppendError>> {
        self.inner.read(wanted)
    }

    fn abandon(&mut self) -> Duration {
        self.inner.abandon()
    }
}

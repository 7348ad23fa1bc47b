//! Counts messages and forgets them: the output for measuring everything before it.
//!
//! It remembers nothing, not even ids, so what it says it read back is empty.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};

use super::destination::{AppendError, Destination, Message, Offset, Range, Tail, Wanted};

/// One stream and topic that go nowhere.
#[derive(Debug)]
pub struct DiscardDestination {
    stream: String,
    topic: String,
    count: u64,
}

impl DiscardDestination {
    /// Takes any names.
    pub fn new(stream: &str, topic: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            topic: topic.to_owned(),
            count: 0,
        }
    }

    fn end(&self) -> Vec<Offset> {
        vec![Offset {
            partition: 0,
            next: self.count,
        }]
    }
}

impl Destination for DiscardDestination {
    fn name(&self) -> (&str, &str) {
        (&self.stream, &self.topic)
    }

    fn append<'a>(
        &'a mut self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Range>, AppendError>> {
        let from = self.count;
        self.count += messages.len() as u64;
        let written = Range {
            partition: 0,
            from,
            to: self.count,
        };
        ready(Ok(vec![written])).boxed()
    }

    fn ends(&mut self) -> BoxFuture<'_, Result<Vec<Offset>, AppendError>> {
        ready(Ok(self.end())).boxed()
    }

    fn read<'a>(&'a mut self, _wanted: &'a Wanted) -> BoxFuture<'a, Result<Tail, AppendError>> {
        ready(Ok(Tail {
            ids: Vec::new(),
            end: self.end(),
        }))
        .boxed()
    }

    fn abandon(&mut self) -> Duration {
        Duration::ZERO
    }
}

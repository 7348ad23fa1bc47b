//! Messages as lines on standard output, for looking and for pipes.
//!
//! Whoever reads the pipe is not asked what arrived, so nothing can be read back and
//! delivery is at least once. The format is that of [`super::file`].

use std::io::Write;
use std::time::Duration;

use anyhow::anyhow;
use futures::FutureExt;
use futures::future::{BoxFuture, ready};

use super::destination::{
    AppendError, Committed, Destination, Message, Offset, Range, Tail, Unfit, Wanted,
};
use super::ndjson;

/// One stream and topic on standard output; several of them share it line by line.
#[derive(Debug)]
pub struct StdoutDestination {
    stream: String,
    topic: String,
}

impl StdoutDestination {
    /// Takes any names: they are not part of the lines.
    pub fn new(stream: &str, topic: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            topic: topic.to_owned(),
        }
    }
}

/// Writes all lines at once, so that those of two destinations do not mix.
async fn write(lines: Vec<u8>) -> anyhow::Result<()> {
    let written = tokio::task::spawn_blocking(move || {
        let mut out = std::io::stdout().lock();
        out.write_all(&lines)?;
        out.flush()
    });
    Ok(written.await??)
}

impl Destination for StdoutDestination {
    fn name(&self) -> (&str, &str) {
        (&self.stream, &self.topic)
    }

    fn readable(&self) -> bool {
        false
    }

    fn append<'a>(
        &'a mut self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Range>, AppendError>> {
        async move {
            let mut lines = Vec::new();
            messages
                .iter()
                .for_each(|message| ndjson::encode(message, &mut lines));
            write(lines).await.map_err(|cause| AppendError {
                committed: Committed::Unknown,
                transient: false,
                unfit: Unfit::None,
                cause: cause.context("cannot write to standard output, is its reader gone?"),
            })?;
            Ok(Vec::new())
        }
        .boxed()
    }

    fn ends(&mut self) -> BoxFuture<'_, Result<Vec<Offset>, AppendError>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn read<'a>(&'a mut self, _wanted: &'a Wanted) -> BoxFuture<'a, Result<Tail, AppendError>> {
        ready(Err(AppendError::permanent(anyhow!(
            "standard output cannot be read back: set delivery = \"at_least_once\", \
             or choose another output"
        ))))
        .boxed()
    }

    fn abandon(&mut self) -> Duration {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reading_back_is_refused_and_names_the_way_out() {
        let mut destination = StdoutDestination::new("s", "t");
        assert!(!destination.readable());
        assert_eq!(destination.ends().await.unwrap(), []);
        let error = destination.read(&Wanted::default()).await.unwrap_err();
        assert!(!error.transient);
        assert!(
            error.to_string().contains("delivery = \"at_least_once\""),
            "{error}"
        );
    }
}

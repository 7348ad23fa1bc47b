//! Messages as lines of a file, `PATH/STREAM/TOPIC.ndjson`, for runs without a server.
//!
//! A message counts once its bytes are on the disk: every append ends with an fsync.
//! The next offset of a message is the file's length in bytes. An OS lock keeps a
//! second writer out and is freed when its holder dies. Files only grow: nothing here
//! rotates or deletes. What is done to an open file is in `storage`.

mod storage;

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Mutex;

use super::destination::{AppendError, Destination, Message, Offset, Range, Tail, Wanted};
use super::ndjson;
use storage::Storage;

/// The longest name of a stream or topic, in bytes; file systems stop at 255.
const NAME_MAX: usize = 240;

/// The file of one stream and topic. It is opened by the first call.
#[derive(Debug)]
pub struct FileDestination {
    stream: String,
    topic: String,
    path: PathBuf,
    storage: Option<Arc<Storage>>,
    /// Taken before a call's thread begins and kept until it ends, so that a call whose
    /// caller is gone comes before the next one.
    turn: Arc<Mutex<()>>,
}

impl FileDestination {
    /// Names the file; touches nothing yet.
    ///
    /// # Errors
    /// When the stream or the topic is not the name of a file: empty, `..`, with a `/`,
    /// a `\`, or a zero byte, or longer than 240 bytes.
    pub fn new(root: &Path, stream: &str, topic: &str) -> anyhow::Result<Self> {
        check_name("stream", stream)?;
        check_name("topic", topic)?;
        Ok(Self {
            stream: stream.to_owned(),
            topic: topic.to_owned(),
            path: root.join(stream).join(format!("{topic}.ndjson")),
            storage: None,
            turn: Arc::default(),
        })
    }

    /// Where the messages are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn storage(&mut self) -> Result<Arc<Storage>, AppendError> {
        if let Some(storage) = &self.storage {
            return Ok(Arc::clone(storage));
        }
        let path = self.path.clone();
        let storage = Arc::new(self.blocking(move || Storage::open(&path)).await?);
        Ok(Arc::clone(self.storage.insert(storage)))
    }

    /// A file system call blocks its thread for as long as the disk likes.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AppendError> + Send + 'static,
    ) -> Result<T, AppendError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let outcome = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        let outcome = outcome.await;
        outcome.unwrap_or_else(|stopped| Err(AppendError::unknown(stopped.into())))
    }

    async fn append_lines(&mut self, lines: Vec<u8>) -> Result<Vec<Range>, AppendError> {
        let storage = self.storage().await?;
        let written = self.blocking(move || storage.append(&lines)).await?;
        Ok(vec![Range {
            partition: 0,
            from: written.start,
            to: written.end,
        }])
    }

    async fn length(&mut self) -> Result<u64, AppendError> {
        let storage = self.storage().await?;
        self.blocking(move || storage.length()).await
    }

    async fn tail(&mut self, wanted: Wanted) -> Result<Tail, AppendError> {
        check_partition(&wanted)?;
        let storage = self.storage().await?;
        let (ids, length) = self.blocking(move || storage.read(&wanted)).await?;
        let end = end(length);
        Ok(Tail { ids, end })
    }
}

fn end(length: u64) -> Vec<Offset> {
    vec![Offset {
        partition: 0,
        next: length,
    }]
}

fn check_name(kind: &str, name: &str) -> anyhow::Result<()> {
    let mut parts = Path::new(name).components();
    let plain = matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(part)), None) if part == name
    );
    if !plain || name.contains(['\\', '\0']) || name.len() > NAME_MAX {
        bail!(
            "{kind} {name:?} cannot be the name of a file: choose a name of at most \
             {NAME_MAX} bytes without slashes"
        );
    }
    Ok(())
}

fn check_partition(wanted: &Wanted) -> Result<(), AppendError> {
    let from = wanted.from.iter().map(|offset| offset.partition);
    let mut partitions = from.chain(wanted.ranges.iter().map(|range| range.partition));
    match partitions.find(|partition| *partition != 0) {
        None => Ok(()),
        Some(other) => Err(AppendError::permanent(anyhow!(
            "a file has the partition 0 only, and the saved state names partition {other}: is it \
             that of another output?"
        ))),
    }
}

impl Destination for FileDestination {
    fn name(&self) -> (&str, &str) {
        (&self.stream, &self.topic)
    }

    fn append<'a>(
        &'a mut self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Range>, AppendError>> {
        let mut lines = Vec::new();
        messages
            .iter()
            .for_each(|message| ndjson::encode(message, &mut lines));
        self.append_lines(lines).boxed()
    }

    fn ends(&mut self) -> BoxFuture<'_, Result<Vec<Offset>, AppendError>> {
        async move { self.length().await.map(end) }.boxed()
    }

    fn read<'a>(&'a mut self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Tail, AppendError>> {
        self.tail(wanted.clone()).boxed()
    }

    /// Nothing to wait for, and the lock stays: the next call waits until a write that is
    /// still under way is over.
    fn abandon(&mut self) -> Duration {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests;

//! `log`: a component's lines among the program's own, of a limited length and number.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::component::HasData;

use crate::bindings::iggy::connector::log as wit;
use crate::capability::text::shown;

/// The most fields of one line.
const FIELDS_MAX: usize = 64;
/// The longest line of a component, with its fields, in bytes as they are written.
const LINE_MAX: usize = 16 * 1024;
/// The time for which lines are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// What a source's lines need; all its instances share it.
#[derive(Debug, Clone)]
pub struct LogCtx {
    source: Arc<str>,
    lines: Arc<Mutex<Lines>>,
}

/// The lines of one second.
#[derive(Debug)]
struct Lines {
    most: u32,
    began: Instant,
    written: u32,
    left_out: u64,
}

/// The view that implements the import. Lines carry the span of the source that runs.
pub struct LogView<'a> {
    /// The source's context.
    pub ctx: &'a mut LogCtx,
}

/// Names the view for the linker.
pub struct Log;

impl HasData for Log {
    type Data<'a> = LogView<'a>;
}

impl LogCtx {
    /// Up to so many lines a second, of the source of this name.
    pub fn new(source: &str, lines_per_second: u32) -> Self {
        Self {
            source: source.into(),
            lines: Arc::new(Mutex::new(Lines {
                most: lines_per_second,
                began: Instant::now(),
                written: 0,
                left_out: 0,
            })),
        }
    }

    /// The source's name.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Says how many lines were left out, if a second is over or nothing more is to come.
    pub(crate) fn settle(&self, is_end: bool) {
        let mut lines = self.lines();
        if is_end || lines.began.elapsed() >= WINDOW {
            lines.begin(&self.source);
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more line may be written now.
    fn admits(&self) -> bool {
        let mut lines = self.lines();
        if lines.began.elapsed() >= WINDOW {
            lines.begin(&self.source);
        }
        let admits = lines.written < lines.most;
        match admits {
            true => lines.written += 1,
            false => lines.left_out += 1,
        }
        admits
    }
}

impl Lines {
    /// Another second begins, unless nothing was left out of this one and it is not over.
    fn begin(&mut self, source: &str) {
        let (left_out, most) = (self.left_out, self.most);
        if left_out > 0 {
            tracing::warn!(
                left_out,
                "the component wrote more lines than {most} in a second, the others are left out: if it may, raise log_lines in [sources.{source}.limits]"
            );
        }
        if self.began.elapsed() >= WINDOW {
            (self.began, self.written) = (Instant::now(), 0);
        }
        self.left_out = 0;
    }
}

impl wit::Host for LogView<'_> {
    fn write(
        &mut self,
        level: wit::Level,
        message: String,
        fields: Vec<wit::Field>,
    ) -> wasmtime::Result<()> {
        if !is_read(level) || !self.ctx.admits() {
            return Ok(());
        }
        let message = shown(&message);
        let fields = written(&fields, LINE_MAX.saturating_sub(length(&message)));
        match level {
            wit::Level::Debug => tracing::debug!(fields, "{message}"),
            wit::Level::Info => tracing::info!(fields, "{message}"),
            wit::Level::Warn => tracing::warn!(fields, "{message}"),
            wit::Level::Error => tracing::error!(fields, "{message}"),
        }
        Ok(())
    }
}

/// The fields in one text, as many of them as there is room for.
fn written(fields: &[wit::Field], room: usize) -> String {
    let mut room = room;
    let texts = fields.iter().take(FIELDS_MAX);
    let texts = texts.map(|field| format!("{}={:?}", shown(&field.name), shown(&field.value)));
    let fitting = texts.map_while(|text| {
        room = room.checked_sub(length(&text) + 1)?;
        Some(text)
    });
    let mut texts: Vec<_> = fitting.collect();
    let more = fields.len() - texts.len();
    texts.extend((more > 0).then(|| format!(".. and {more} more fields")));
    texts.join(" ")
}

/// How long a text is where it is written, whose quotes and escapes are escaped there.
fn length(text: &str) -> usize {
    format!("{text:?}").len()
}

/// Lines that nobody reads are no lines.
fn is_read(level: wit::Level) -> bool {
    match level {
        wit::Level::Debug => tracing::enabled!(tracing::Level::DEBUG),
        wit::Level::Info => tracing::enabled!(tracing::Level::INFO),
        wit::Level::Warn => tracing::enabled!(tracing::Level::WARN),
        wit::Level::Error => tracing::enabled!(tracing::Level::ERROR),
    }
}

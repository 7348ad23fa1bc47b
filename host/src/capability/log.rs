//! `log`: a component's lines among the program's own.

use wasmtime::component::HasData;

use crate::bindings::iggy::connector::log as wit;

/// The longest message or field that is written, in bytes.
const TEXT_MAX: usize = 4_096;

/// The view that implements the import. Lines carry the span of the source that runs.
pub struct LogView;

/// Names the view for the linker.
pub struct Log;

impl HasData for Log {
    type Data<'a> = LogView;
}

impl wit::Host for LogView {
    fn write(
        &mut self,
        level: wit::Level,
        message: String,
        fields: Vec<wit::Field>,
    ) -> wasmtime::Result<()> {
        let fields: Vec<_> = fields
            .iter()
            .map(|field| format!("{}={:?}", cut(&field.name), cut(&field.value)))
            .collect();
        let (message, fields) = (cut(&message), fields.join(" "));
        match level {
            wit::Level::Debug => tracing::debug!(fields, "{message}"),
            wit::Level::Info => tracing::info!(fields, "{message}"),
            wit::Level::Warn => tracing::warn!(fields, "{message}"),
            wit::Level::Error => tracing::error!(fields, "{message}"),
        }
        Ok(())
    }
}

fn cut(text: &str) -> &str {
    let end = (0..=TEXT_MAX.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

//! Why an instance ended, in words: the limit that it went beyond, the rule that it broke, and
//! what it had to say itself.

use wasmtime::Trap;
use wasmtime::component::ResourceTableError;

use crate::capability::text::shown;
use crate::config::{show_duration, show_size};
use crate::over_limit::OverLimit;
use crate::source_state::SourceState;

/// What ended the instance of this state.
pub(crate) fn explain(state: &SourceState, error: &wasmtime::Error) -> String {
    let source = state.log.source();
    let cause = match over_limit(state, error) {
        Some(over) => over.of(source),
        None => broken_rule(error),
    };
    match state.last_words() {
        said if said.is_empty() => cause,
        said => format!("{cause} ({said})"),
    }
}

/// A limit of the host's own, or one that wasmtime keeps for it.
fn over_limit(state: &SourceState, error: &wasmtime::Error) -> Option<OverLimit> {
    let limits = &state.limits;
    let over = error.downcast_ref::<OverLimit>();
    if let Some(over) = over {
        return Some(over.clone());
    }
    if let Some(Trap::Interrupt) = error.downcast_ref() {
        let most = show_duration(limits.guest_time);
        let what = format!("it did not return within {most} of computing");
        return Some(OverLimit::new("guest_time", what));
    }
    // The type of this error is not public.
    let cause = error.root_cause().to_string();
    if cause.contains("fuel allocated for hostcalls") {
        let most = show_size(limits.call_bytes as u64);
        let what = format!("it hands over more than {most} in one call");
        return Some(OverLimit::new("call_bytes", what));
    }
    let is_full = matches!(error.downcast_ref(), Some(ResourceTableError::Full));
    if is_full || cause.contains("store handle limit exceeded") {
        let most = limits.handles;
        let what = format!("it holds on to more than {most} requests, bodies and publishes");
        return Some(OverLimit::new("handles", what));
    }
    None
}

fn broken_rule(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            "its calls are nested deeper than its stack allows, which has a fixed size".to_owned()
        }
        Some(Trap::UnreachableCodeReached) => "it panicked".to_owned(),
        _ => shown(&error.root_cause().to_string()),
    }
}

//! `[sources.NAME.limits]`: how much of the machine a source may use.

use std::time::Duration;

use super::section::Section;
use super::value::{duration, integer, size};

/// Limits of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory of the component in bytes, 16 MiB to 4 GiB; 256 MiB by default.
    pub memory: u64,
    /// The most pages of one poll, 1 to 10,000; 64 by default.
    pub poll_pages: u32,
    /// How long one poll goes on reading pages, 10 ms to an hour; 1 s by default.
    pub poll_time: Duration,
    /// How long one call may compute inside the component, waiting not counted, 100 ms
    /// to 10 minutes; 10 s by default.
    pub guest_time: Duration,
}

pub(super) fn read(section: &Section<'_>) -> Limits {
    let ms = Duration::from_millis;
    let memory = section.optional("memory", size(16 << 20..=4 << 30));
    let poll_pages = section.optional("poll_pages", integer(1..=10_000));
    let poll_time = section.optional("poll_time", duration(ms(10)..=ms(3_600_000)));
    let guest_time = section.optional("guest_time", duration(ms(100)..=ms(600_000)));
    Limits {
        memory: memory.unwrap_or(256 << 20),
        poll_pages: poll_pages.unwrap_or(64),
        poll_time: poll_time.unwrap_or(ms(1_000)),
        guest_time: guest_time.unwrap_or(ms(10_000)),
    }
}

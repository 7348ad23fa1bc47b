//! `[sources.NAME.limits]`: how much of the machine a source may use.

use std::time::Duration;

use super::section::Section;
use super::units::show_size;
use super::value::{duration, integer, size};

/// Limits of one source. What goes beyond `memory`, `guest_time`, `call_time`, `table_elements`,
/// `call_bytes`, `handles`, `requests`, `held_bytes` or `messages` ends the instance; another
/// one takes its place, after a wait that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory of the component in bytes, of all its modules together, 16 MiB to 4 GiB;
    /// 256 MiB by default.
    pub memory: u64,
    /// The most pages of one poll, 1 to 10,000; 64 by default.
    pub poll_pages: u32,
    /// How long one poll goes on reading pages, 10 ms to an hour; 1 s by default.
    pub poll_time: Duration,
    /// How long one call may compute inside the component, waiting not counted, 100 ms
    /// to 10 minutes; 10 s by default.
    pub guest_time: Duration,
    /// How long one call may take in all, waiting included, 1 s to a day; an hour by default.
    pub call_time: Duration,
    /// Elements of all tables together, 1,000 to 10,000,000; 100,000 by default.
    pub table_elements: u32,
    /// Bytes that the component may hand over in one call, as the host has them, 1 MiB to
    /// 1 GiB; 128 MiB by default.
    pub call_bytes: u64,
    /// Requests, bodies, publishes and saves that the component may hold on to at once, 16 to
    /// 100,000; 256 by default.
    pub handles: u32,
    /// Requests under way at once, 1 to 1,000; 32 by default.
    pub requests: u32,
    /// Bytes of answers, of requests under way and of messages that are not acknowledged,
    /// which the host holds for the source, 1 MiB to 64 GiB, and no less than its pages may
    /// be; 512 MiB by default, or as much as these.
    pub held_bytes: u64,
    /// Messages that are submitted and not acknowledged, 1,000 to 4,000,000; 262,144 by
    /// default.
    pub messages: u32,
    /// Lines of the log in a second, 1 to 100,000; 100 by default. The others are counted, and
    /// left out.
    pub log_lines: u32,
}

/// `pages`: the bytes of answers that the host may have to hold at once.
pub(super) fn read(section: &Section<'_>, pages: u64) -> Limits {
    let ms = Duration::from_millis;
    let count = |key, range, default| section.optional(key, integer(range)).unwrap_or(default);
    let bytes = |key, range, default| section.optional(key, size(range)).unwrap_or(default);
    let held_bytes = section.optional("held_bytes", size(1 << 20..=64 << 30));
    if held_bytes.is_some_and(|held| held < pages) {
        let least = show_size(pages);
        section.refuse(
            "held_bytes",
            &format!(
                "is less than the answers that may be under way at once, {least} by max_response_bytes and slices: write \"{least}\" or more, or lower these"
            ),
        );
    }
    let time = |key, range, default| section.optional(key, duration(range)).unwrap_or(default);
    Limits {
        memory: bytes("memory", 16 << 20..=4 << 30, 256 << 20),
        poll_pages: count("poll_pages", 1..=10_000, 64),
        poll_time: time("poll_time", ms(10)..=ms(3_600_000), ms(1_000)),
        guest_time: time("guest_time", ms(100)..=ms(600_000), ms(10_000)),
        call_time: time("call_time", ms(1_000)..=ms(86_400_000), ms(3_600_000)),
        table_elements: count("table_elements", 1_000..=10_000_000, 100_000),
        call_bytes: bytes("call_bytes", 1 << 20..=1 << 30, 128 << 20),
        handles: count("handles", 16..=100_000, 256),
        requests: count("requests", 1..=1_000, 32),
        held_bytes: held_bytes.unwrap_or(pages.max(512 << 20)),
        messages: count("messages", 1_000..=4_000_000, 262_144),
        log_lines: count("log_lines", 1..=100_000, 100),
    }
}

//! What the host holds for one source: bodies, requests and messages.
//!
//! All instances of a source share one account, since what a publish holds outlives the
//! instance that asked for it. Whatever is held gives its share back when it is dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::config::show_size;
use crate::over_limit::OverLimit;

/// How much may be held at once.
#[derive(Debug, Clone, Copy)]
pub struct Holding {
    /// Bytes of answers, of requests under way, and of messages that are not acknowledged.
    pub bytes: usize,
    /// Messages that were submitted and are not acknowledged.
    pub messages: usize,
}

impl Default for Holding {
    fn default() -> Self {
        Self {
            bytes: 512 << 20,
            messages: 262_144,
        }
    }
}

/// The account of one source.
#[derive(Debug, Clone, Default)]
pub struct Account(Arc<Ledger>);

#[derive(Debug, Default)]
struct Ledger {
    limits: Holding,
    sum: Mutex<Sum>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    bytes: usize,
    messages: usize,
}

/// A part of what is held, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    ledger: Arc<Ledger>,
    part: Sum,
}

impl Account {
    /// An account with nothing in it.
    pub fn new(limits: Holding) -> Self {
        Self(Arc::new(Ledger {
            limits,
            sum: Mutex::default(),
        }))
    }

    /// Holds so many bytes.
    pub(crate) fn bytes(&self, bytes: usize) -> Result<Share, OverLimit> {
        self.take(Sum { bytes, messages: 0 })
    }

    /// Holds so many messages, with the bytes of their own that they have.
    pub(crate) fn messages(&self, messages: usize, bytes: usize) -> Result<Share, OverLimit> {
        self.take(Sum { bytes, messages })
    }

    /// These bytes, held until the last part of them is gone.
    pub(crate) fn keep(&self, bytes: Bytes) -> Result<Bytes, OverLimit> {
        let share = self.bytes(bytes.len())?;
        Ok(Bytes::from_owner(Kept {
            bytes,
            _share: share,
        }))
    }

    fn take(&self, part: Sum) -> Result<Share, OverLimit> {
        let Holding { bytes, messages } = self.0.limits;
        let mut sum = self.0.sum();
        let more = Sum {
            bytes: sum.bytes.saturating_add(part.bytes),
            messages: sum.messages.saturating_add(part.messages),
        };
        if more.bytes > bytes {
            let most = show_size(bytes as u64);
            let what = format!(
                "it has the host hold more than {most} of answers, requests and messages at once"
            );
            return Err(OverLimit::new("held_bytes", what));
        }
        if more.messages > messages {
            let what = format!("it has more than {messages} messages under way at once");
            return Err(OverLimit::new("messages", what));
        }
        *sum = more;
        Ok(Share {
            ledger: Arc::clone(&self.0),
            part,
        })
    }
}

impl Ledger {
    fn sum(&self) -> MutexGuard<'_, Sum> {
        self.sum.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut sum = self.ledger.sum();
        sum.bytes = sum.bytes.saturating_sub(self.part.bytes);
        sum.messages = sum.messages.saturating_sub(self.part.messages);
    }
}

struct Kept {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_counts_until_its_last_part_is_gone() {
        let limits = Holding {
            bytes: 10,
            messages: 2,
        };
        let account = Account::new(limits);
        let body = account.keep(Bytes::from_static(b"12345678")).unwrap();
        let span = body.slice(2..4);
        drop(body);
        let refused = account.bytes(3).unwrap_err();
        assert!(
            refused
                .of("a")
                .contains("raise held_bytes in [sources.a.limits]")
        );
        drop(span);
        let _all = account.bytes(10).unwrap();
        let two = account.messages(2, 0).unwrap();
        assert_eq!(account.messages(1, 0).unwrap_err().key, "messages");
        drop(two);
        account.messages(1, 0).unwrap();
        assert_eq!(account.bytes(usize::MAX).unwrap_err().key, "held_bytes");
    }
}

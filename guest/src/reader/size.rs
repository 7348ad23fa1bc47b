//! How many hits a page asks for: fewer where they are large, more again slowly.

use super::{Ahead, Reader};
use crate::error::Error;
use crate::host::{Host, Level};

/// The least: a page begins with the hits at the last one's end.
const SIZE_MIN: u64 = 2;
/// A page may grow by this part of it.
const GROWTH: u64 = 8;

/// The size to ask for after a page of so many hits and bytes.
fn fitting(size: u64, hits: u64, bytes: u64, (size_max, bytes_max): (u64, u64)) -> u64 {
    if bytes > bytes_max && hits > 0 {
        let fitting = u128::from(hits) * u128::from(bytes_max) / u128::from(bytes);
        return u64::try_from(fitting).unwrap_or(size).clamp(SIZE_MIN, size);
    }
    let larger = size.saturating_add((size / GROWTH).max(1));
    larger.min(size_max).max(size)
}

impl<H: Host> Reader<'_, H> {
    /// Fits the next pages to the bytes of this one. A scroll keeps the size that it began with.
    pub(super) fn fit(&mut self, slice: usize, hits: u64, bytes: u64) -> Result<(), Error> {
        let most = (self.config.batch_size, self.config.batch_bytes);
        let in_scroll = self.in_scroll(slice);
        let Some(pass) = &mut self.progress(slice)?.pass else {
            return Ok(());
        };
        let size = fitting(pass.size, hits, bytes, most).max(pass.too_few + 1);
        if !in_scroll {
            pass.size = size;
        }
        *self.page_size = size.min(most.0);
        Ok(())
    }

    /// A page was more than the cluster, or the way from it, can carry.
    ///
    /// # Errors
    /// The given one, where it needs a wait, or where no smaller page can be asked for.
    pub(super) fn shrink(
        &mut self,
        slice: usize,
        ahead: &mut Ahead<H::Fetch>,
        error: Error,
    ) -> Result<(), Error> {
        ahead.remove(&slice);
        let pass = self.pass(slice)?;
        let smaller = (pass.size / 2).max(SIZE_MIN);
        if pass.size <= SIZE_MIN || smaller <= pass.too_few {
            return Err(error);
        }
        let fields = [
            ("documents", smaller.to_string()),
            ("reason", error.to_string()),
        ];
        let host = &mut self.client.host;
        host.log(
            Level::Warn,
            "a page was too large, asking for smaller ones",
            &fields,
        );
        *self.page_size = smaller;
        if self.in_scroll(slice) {
            if let Some(scroll) = self.progress(slice)?.reopen(smaller) {
                self.client.close(&scroll);
            }
        } else if let Some(pass) = &mut self.progress(slice)?.pass {
            pass.size = smaller;
        }
        match error {
            Error::TooLarge(_) => Ok(()),
            needs_a_wait => Err(needs_a_wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_shrink_to_the_bytes_at_once_and_grow_again_slowly() {
        let rows = [
            ("much too large", (1_000, 1_000, 40_000), 250),
            ("a little too large", (1_000, 1_000, 11_000), 909),
            ("never below two", (8, 8, 1_000_000), 2),
            ("small, and full grown", (1_000, 1_000, 100), 1_000),
            ("small", (80, 80, 100), 90),
            ("empty", (2, 0, 300), 3),
            ("near its limit", (950, 950, 100), 1_000),
            (
                "grown as it brought nothing new",
                (2_000, 2_000, 100),
                2_000,
            ),
        ];
        for (what, (size, hits, bytes), expected) in rows {
            assert_eq!(
                fitting(size, hits, bytes, (1_000, 10_000)),
                expected,
                "{what}"
            );
        }
    }
}

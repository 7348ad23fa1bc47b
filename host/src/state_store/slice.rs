//! Slices: several processes read one source, each with a state of its own.
//!
//! ```text
//! STATE_ID            the state of a process that reads everything
//! STATE_ID.i-of-n     those of n processes that read a slice each
//! STATE_ID.slices     how many there are; not there, if it was never more than one
//! ```
//!
//! **Invariant:** the states of any other number than the record says are none. So changing
//! the number is one swap of that record: what is written before, or removed after it, may be
//! cut off anywhere.

use std::fmt;

use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use super::{OnConflict, Records, States, StoreError, check_id};

/// The most processes that read one source.
const SLICES_MAX: u32 = 64;

/// One of the slices of a source, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    number: u32,
    of: u32,
}

/// `STATE_ID.slices`
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    slices: u32,
}

impl Slice {
    /// All of a source.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// `"1/3"` is the second of three.
    ///
    /// # Errors
    /// What is wrong with the text, without a place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read = || {
            let (number, of) = text.split_once('/')?;
            let slice = Self {
                number: number.parse().ok()?,
                of: of.parse().ok()?,
            };
            let is_part = slice.number < slice.of && (2..=SLICES_MAX).contains(&slice.of);
            (is_part && slice.to_string() == text).then_some(slice)
        };
        read().ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            format!(
                "is a number from 0 and how many there are, 2 to {SLICES_MAX}, like \"0/3\", and not {shown:?}"
            )
        })
    }

    /// All slices of so many, in order; the whole, if that is one.
    pub fn all(of: u32) -> impl Iterator<Item = Self> {
        (0..of).map(move |number| Self { number, of })
    }

    /// Which one, from 0.
    pub fn number(self) -> u32 {
        self.number
    }

    /// How many there are; 1 is none.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether others read the rest.
    pub fn is_part(self) -> bool {
        self.of > 1
    }

    /// The name of its state, where that of the whole has this one.
    pub fn state_id(self, whole: &str) -> String {
        match self.is_part() {
            true => format!("{whole}.{}-of-{}", self.number, self.of),
            false => whole.to_owned(),
        }
    }

    /// The name of the whole's state, and which slice of it has this one.
    pub fn find(state_id: &str) -> (&str, Self) {
        let read = || {
            let (whole, slice) = state_id.rsplit_once('.')?;
            let slice = Self::parse(&slice.replacen("-of-", "/", 1)).ok()?;
            (slice.state_id(whole) == state_id).then_some((whole, slice))
        };
        read().unwrap_or((state_id, Self::WHOLE))
    }

    /// Whether a source may give this name to its state.
    ///
    /// # Errors
    /// What is wrong with the name, without a place.
    pub fn check_id(self, whole: &str) -> Result<(), String> {
        if Self::find(whole).1.is_part() {
            return Err(format!(
                "a state can not be called {whole:?}, as that is the name of the state of a slice: choose another state_id"
            ));
        }
        check_id(whole).and_then(|()| check_id(&self.state_id(whole)))
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

fn record_of(whole: &str) -> String {
    format!("{whole}.slices")
}

/// How many slices the source of this state has, and the revision of the record that says so;
/// none, if nothing says so.
pub(crate) async fn recorded(
    records: &dyn Records,
    whole: &str,
) -> Result<Option<(u32, String)>, StoreError> {
    let name = record_of(whole);
    let Some(stored) = records.load(&name).await? else {
        return Ok(None);
    };
    let record: Record = serde_json::from_slice(&stored.bytes).map_err(|cause| {
        StoreError::Corrupt(anyhow!(
            "{} does not say how many slices there are ({cause}): see how many states there are beside it, and write {{\"slices\":3}} for three",
            records.describe(&name)
        ))
    })?;
    Ok(Some((record.slices, stored.revision)))
}

/// That the source of this state has so many slices, or has not begun.
///
/// # Errors
/// [`StoreError::Invalid`] says how to change that.
pub(crate) async fn check_number(
    records: &dyn Records,
    whole: &str,
    slice: Slice,
) -> Result<(), StoreError> {
    let known = match recorded(records, whole).await? {
        Some((known, _)) => known,
        // Where nobody has said so, a state is that of the whole.
        None if slice.is_part() && records.load(whole).await?.is_some() => 1,
        None => return Ok(()),
    };
    match known == slice.of {
        true => Ok(()),
        false => Err(StoreError::Invalid(other_number(
            records, whole, known, slice,
        ))),
    }
}

fn other_number(records: &dyn Records, whole: &str, known: u32, slice: Slice) -> anyhow::Error {
    let name = |of: u32| match of {
        1 => "without slices".to_owned(),
        of => format!("in {of} slices"),
    };
    let as_written = |of: u32| match of {
        1 => "no slice".to_owned(),
        of => format!("slice = \"0/{of}\""),
    };
    let place = match known {
        1 => records.describe(whole),
        _ => records.describe(&record_of(whole)),
    };
    anyhow!(
        "the source was read {} so far, as {place} says, and does not go on {} by itself: stop all its processes and run `state migrate OLD --to NEW`, where OLD is the configuration with {} and NEW the one with {}, or `state reset` to begin anew",
        name(known),
        name(slice.of),
        as_written(known),
        as_written(slice.of)
    )
}

/// Says from now on that there are so many slices, where it said something else.
pub(crate) async fn set_number(
    records: &dyn Records,
    whole: &str,
    of: u32,
    expected: Option<&str>,
) -> Result<(), StoreError> {
    let record = serde_json::to_vec(&Record { slices: of });
    let bytes = record.map_err(|cause| StoreError::Invalid(cause.into()))?;
    let name = record_of(whole);
    let saved = records.save(&name, bytes.into(), expected).await;
    saved.map(drop)
}

/// Says no more how many there are, so that any number may begin.
pub(crate) async fn forget_number(
    records: &dyn Records,
    whole: &str,
    expected: &str,
) -> Result<(), StoreError> {
    records.remove(&record_of(whole), expected).await
}

impl States {
    /// Makes sure that a process may read this slice, whose state it holds: the first one
    /// says how many there are.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if there are more or fewer; says how to change that.
    pub(crate) async fn claim(&self, whole: &str, slice: Slice) -> Result<(), StoreError> {
        let records = self.records().as_ref();
        check_number(records, whole, slice).await?;
        if !slice.is_part() || recorded(records, whole).await?.is_some() {
            return Ok(());
        }
        let held = self
            .hold_record(&record_of(whole), OnConflict::Wait)
            .await?;
        let claimed = async {
            check_number(records, whole, slice).await?;
            match recorded(records, whole).await? {
                None => set_number(records, whole, slice.of, None).await,
                Some(_) => Ok(()),
            }
        };
        let claimed = claimed.await;
        held.release().await;
        claimed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_of_slices_are_named_after_that_of_the_whole() {
        let slice = Slice::parse("1/3").unwrap();
        assert_eq!(slice.state_id("logs"), "logs.1-of-3");
        assert_eq!(Slice::find("logs.1-of-3"), ("logs", slice));
        assert_eq!(Slice::WHOLE.state_id("logs"), "logs");
        for whole in [
            "logs",
            "logs.3-of-3",
            "logs.0-of-1",
            "logs.01-of-3",
            "1-of-3",
            "logs.1/3",
        ] {
            assert_eq!(Slice::find(whole), (whole, Slice::WHOLE));
        }
        assert!(slice.check_id("logs").is_ok());
        for (whole, part) in [
            ("logs.1-of-3", "of a slice"),
            ("logs.slices", ".slices"),
            (&"x".repeat(195), "longer than"),
        ] {
            let error = slice.check_id(whole).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}

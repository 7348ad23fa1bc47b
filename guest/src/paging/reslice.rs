//! Another number of processes: what each of them goes on from.
//!
//! The shards fall into classes so small that each lies in one slice of before and in one of
//! after: by their number modulo a common multiple. A class goes on from where the slice of
//! before is that it was in, so that it does not matter how far the processes had come.
//!
//! ```text
//! shard      0   1   2   3   4   5      of 3 processes to 2: six classes
//! before    0/3 1/3 2/3 0/3 1/3 2/3
//! after     0/2 1/2 0/2 1/2 0/2 1/2     0/2 reads three parts of 6: shards 0, 2 and 4
//! ```
//!
//! The edge of a class holds documents of the others in its slice, too, which does no harm.
//! How many documents were delivered in each minute is not known for a class: reading goes on
//! at the first place from which on the edge knows all that is delivered, which brings what is
//! late as far as the edge reaches, and what stands before it when the new number begins is
//! as good as delivered.

#[cfg(test)]
mod tests;

use super::minutes::Minutes;
use super::progress::Progress;
use super::sightings::Sightings;
use super::slices::Slices;
use crate::cluster::shards::{SHARDS_MAX, Slice};
use crate::error::Error;
use crate::key::{Key, Point};

/// The most classes of one process, which reads all of them side by side at first.
const CLASSES_MAX: u64 = 64;

/// Whether a slice of before has shards of this one of after.
pub fn shares(number: u32, before: u32, after: Slice) -> bool {
    let divisor = greatest_divisor(before.into(), after.of.into());
    divisor > 0 && u64::from(number) % divisor == u64::from(after.number) % divisor
}

/// What a slice of after begins with. Those of before are in the order of their numbers, each
/// with the slices that its process read side by side.
///
/// # Errors
/// Permanent, if there would be too many classes, or a group of equal timestamps was only
/// counted and is divided; says what to do first.
pub fn reslice(before: &[&Slices], after: Slice) -> Result<Slices, Error> {
    let before: Vec<_> = before.iter().map(|slices| at_rest(slices)).collect();
    let number_of =
        |slices: &Slices| (before.len() as u64).saturating_mul(slices.slices.len() as u64);
    let classes = before.iter().fold(u64::from(after.of), |classes, slices| {
        least_multiple(classes, number_of(slices))
    });
    let own = classes / u64::from(after.of).max(1);
    if classes > SHARDS_MAX.into() || own > CLASSES_MAX {
        return Err(too_many(before.len(), after));
    }
    let class = |class: u64| {
        let number = u64::from(after.number) + u64::from(after.of) * class;
        let process = before.get(usize::try_from(number % before.len() as u64).ok()?)?;
        let part = number / before.len() as u64 % process.slices.len() as u64;
        let slice = process.slices.get(usize::try_from(part).ok()?)?;
        Some(go_on(slice, number_of(process) == classes))
    };
    let slices = (0..own).filter_map(class);
    let begins = before.iter().map(|slices| &slices.minutes.begin);
    let begin = begins.min().cloned();
    let is_complete = |(number, slices): (usize, &Slices)| {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        slices.is_complete || !shares(number, before.len() as u32, after)
    };
    Ok(Slices {
        slices: slices.collect::<Result<_, _>>()?,
        cycle: None,
        minutes: Minutes::unknown(begin.unwrap_or(Point::MIN)),
        missed: 0,
        sightings: Sightings::default(),
        is_complete: before.iter().enumerate().all(is_complete),
    })
}

/// What a process knows without the read under way, as one slice if all have come equally far.
fn at_rest(slices: &Slices) -> Slices {
    let mut slices = slices.clone();
    slices.abandon();
    slices.divide_into(1);
    slices
}

/// Where a slice goes on, whole or as one class of several. What was only counted of a group is
/// not divided; where reading has left the group behind, all of it is forgotten.
fn go_on(slice: &Progress, whole: bool) -> Result<Progress, Error> {
    let mut slice = slice.clone();
    slice.edge.begin_pass();
    if let Some(crowd) = slice.crowd.take_if(|_| !whole) {
        let behind = Key::behind(&crowd.point);
        if slice.start < behind || slice.position.as_ref() < Some(&behind) {
            return Err(Error::permanent(CROWD));
        }
        slice.edge.forget_before(&behind);
        slice.gone.forget_before(&behind);
        slice.known_from = behind;
    }
    slice.start = slice.known_from.clone();
    slice.pass = None;
    Ok(slice)
}

const CROWD: &str = "more documents than \"edge_max\" have the timestamp of the last one, so that they are only counted and can not be divided: raise \"edge_max\", or wait until there is a later document, let every process run until it has caught up (`run --once`), and try again";

fn too_many(before: usize, after: Slice) -> Error {
    let after = after.of;
    Error::permanent(format!(
        "going from {before} slices to {after} needs too many parts: let every process run until it has caught up (`run --once`), then change to a number that divides both first, or to no slices"
    ))
}

fn greatest_divisor(a: u64, b: u64) -> u64 {
    match b {
        0 => a,
        _ => greatest_divisor(b, a % b),
    }
}

fn least_multiple(a: u64, b: u64) -> u64 {
    match greatest_divisor(a, b) {
        0 => 0,
        divisor => a.saturating_mul(b / divisor),
    }
}

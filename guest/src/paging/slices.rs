//! The slices of a source, which a cycle reads side by side up to the same horizon.
//!
//! A slice is a part of the shards, so that a document never changes its slice. Most sources
//! have one, which is all of them.

#[cfg(test)]
pub(super) mod tests;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::context::Context;
use super::minutes::Minutes;
use super::progress::{Crowd, Progress};
use super::sightings::Sightings;
use crate::edge::Edge;
use crate::key::{Key, Point};
use crate::time::Unit;

/// All that is read, slice by slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slices {
    /// How far each of them has come; one at least.
    #[serde(deserialize_with = "one_at_least")]
    pub slices: Vec<Progress>,
    /// The read under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<Cycle>,
    /// What was delivered lately, by the minute.
    pub minutes: Minutes,
    /// Late documents that appeared where they could not be told from delivered ones, ever.
    #[serde(default)]
    pub missed: u64,
    /// An export has ended: there is nothing more to read.
    #[serde(default)]
    pub is_complete: bool,
    /// The largest value over time, where values only grow.
    #[serde(default, skip_serializing_if = "Sightings::is_empty")]
    pub sightings: Sightings,
}

fn one_at_least<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Progress>, D::Error> {
    let slices = Vec::deserialize(deserializer)?;
    match slices.is_empty() {
        true => Err(de::Error::invalid_length(0, &"one slice at least")),
        false => Ok(slices),
    }
}

/// One scheduled read, to the horizon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// The value at which it ends, exclusive.
    pub horizon: Point,
    /// The time to which all is offered then, in milliseconds.
    pub until_ms: u64,
    /// Documents published in it.
    #[serde(default)]
    pub documents: u64,
    /// Whether late documents were looked for before it.
    #[serde(default)]
    pub looked: bool,
}

/// How a cycle reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The value at which it ends, exclusive.
    pub horizon: Point,
    /// What is delivered from this value on is remembered, as far as the edge reaches.
    pub keep_from: Point,
    /// Hits in a page.
    pub size: u64,
    /// Whether to read everything again that the edge knows.
    pub again: bool,
    /// The time to which all is offered then, in milliseconds.
    pub until_ms: u64,
}

impl Slices {
    /// A source that has delivered everything before `start`. What is no time has no use for
    /// what stands before that but to know that it was there.
    pub fn from(start: Key, unit: Unit) -> Self {
        let begin = start.point.clone();
        let minutes = match (start == Key::MIN, unit.is_time()) {
            (true, _) => Minutes::since(i64::MIN, begin),
            (false, true) => Minutes::since(unit.minute(&begin), begin),
            (false, false) => Minutes::unknown(Point::MIN),
        };
        Self {
            slices: vec![Progress::from(start)],
            cycle: None,
            minutes,
            missed: 0,
            is_complete: false,
            sightings: Sightings::default(),
        }
    }

    /// Takes up another number of slices, between two finished cycles only: then all have come
    /// equally far, so that no document is between two of them.
    pub fn divide_into(&mut self, slices: u32) {
        let is_between = self.cycle.is_none() && self.has_one_place();
        if self.slices.len() != slices as usize && is_between {
            self.divide(slices);
        }
    }

    /// Begins a cycle. False if there is nothing before the horizon.
    pub fn begin(&mut self, plan: Plan) -> bool {
        let Plan {
            horizon,
            keep_from,
            size,
            again,
            until_ms,
        } = plan;
        let mut begun = false;
        for slice in &mut self.slices {
            if again {
                slice.start = slice.known_from.clone();
            }
            begun |= slice.begin(horizon.clone(), keep_from.clone(), size);
        }
        self.cycle = begun.then_some(Cycle {
            horizon,
            until_ms,
            documents: 0,
            looked: false,
        });
        begun
    }

    /// Where reading goes on: everything before is delivered.
    pub fn start(&self) -> Key {
        self.slices
            .iter()
            .map(|slice| &slice.start)
            .max()
            .map_or(Key::MIN, Key::clone)
    }

    /// The last delivered document.
    pub fn position(&self) -> Option<Key> {
        let positions = self
            .slices
            .iter()
            .filter_map(|slice| slice.position.as_ref());
        positions.max().cloned()
    }

    /// From this place on it is known what is delivered, in every slice.
    pub fn known_from(&self) -> Key {
        self.slices
            .iter()
            .map(|slice| &slice.known_from)
            .max()
            .map_or(Key::MIN, Key::clone)
    }

    /// Whether every slice is read to the horizon.
    pub fn is_over(&self) -> bool {
        self.slices.iter().all(|slice| slice.pass.is_none())
    }

    /// Every slice is read to the horizon: all go on at the watermark, wherever the last
    /// document of theirs stands. The watermark may be later than the horizon, if a slice was
    /// read further before a clock was set back.
    pub fn finish(&mut self) -> Option<Cycle> {
        let cycle = self.cycle.take()?;
        if let Some(position) = self.position() {
            let read = Key::at(position.point.min(cycle.horizon.clone()));
            for slice in &mut self.slices {
                slice.start = read.clone().max(slice.start.clone());
            }
        }
        Some(cycle)
    }

    /// Gives up the read, not what was delivered in it. Returns what the cluster keeps for it.
    pub fn abandon(&mut self) -> Vec<Context> {
        self.cycle = None;
        let contexts = self.slices.iter_mut().filter_map(Progress::abandon);
        contexts.collect()
    }

    /// Whether no document that is delivered stands before one that is still to be read in
    /// another slice.
    pub fn has_one_place(&self) -> bool {
        let watermark = self.position().map_or(Key::MIN, |at| at.group());
        let has_come = |slice: &Progress| slice.start >= watermark;
        self.slices.len() == 1 || self.slices.iter().all(has_come)
    }

    /// Every slice gets all that is known, since it is not known which document is in which;
    /// the first one also what is only counted.
    fn divide(&mut self, slices: u32) {
        let (mut edge, mut gone) = (Edge::default(), Edge::default());
        for slice in &self.slices {
            edge.join(&slice.edge);
            gone.join(&slice.gone);
        }
        let known_from = self.known_from();
        // A group that is read in part is read again, which shows which of it are whose.
        let start = match self.start() {
            start if start.begins_group() => start,
            start => start.group().max(known_from.clone()),
        };
        edge.begin_pass();
        let crowd = self.joined_crowd(&edge);
        edge.forget_before(&known_from);
        gone.forget_before(&known_from);
        let slice = Progress {
            start,
            known_from,
            position: self.position(),
            edge,
            gone,
            crowd: None,
            pass: None,
        };
        self.slices = vec![slice; slices as usize];
        if let Some(first) = self.slices.first_mut() {
            first.crowd = crowd;
        }
    }

    /// What all of them have forgotten, or are about to, of the group of equal timestamps that is
    /// cut off there.
    fn joined_crowd(&self, edge: &Edge) -> Option<Crowd> {
        let known_from = self.known_from();
        let crowds = || self.slices.iter().filter_map(|slice| slice.crowd.as_ref());
        let is_left_behind = |crowd: &&Crowd| Key::behind(&crowd.point) == known_from;
        let point = match known_from.begins_group() {
            true => crowds().find(is_left_behind)?.point.clone(),
            false => known_from.point.clone(),
        };
        let counted = crowds().filter(|crowd| crowd.point == point);
        let cut_off = edge.between(&Key::at(point.clone()), &known_from).count() as u64;
        let count = counted.map(|crowd| crowd.count).sum::<u64>() + cut_off;
        (count > 0).then_some(Crowd { point, count })
    }
}

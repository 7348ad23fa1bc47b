//! Processes whose number changes, wherever they are, against a cluster of a few lines.

use super::*;
use crate::paging::progress::Crowd;
use crate::paging::progress::tests::{Document, Snapshot, all, read_pages, sorted, spread};
use crate::paging::slices::Plan;
use crate::paging::slices::tests::{look_behind, returned};
use crate::time::Unit;

const UNIT: Unit = Unit::Ms;
const MINUTE: i64 = 60_000;
const SHARDS: u128 = 7;
const EDGE_MAX: u64 = 200;
/// Documents in a minute.
const EACH: u128 = 700;

/// What is there, and processes that read it together.
struct World {
    documents: Vec<Document>,
    processes: Vec<Slices>,
    delivered: Vec<u128>,
    /// Another number each time.
    chance: u32,
}

impl World {
    fn new(processes: usize) -> Self {
        Self {
            documents: Vec::new(),
            processes: vec![Slices::from(Key::MIN, UNIT); processes],
            delivered: Vec::new(),
            chance: 1,
        }
    }

    fn any_of(&mut self, number: u32) -> u32 {
        self.chance = self
            .chance
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        (self.chance >> 16) % number
    }

    /// Adds documents in this minute, some with equal timestamps.
    fn add(&mut self, minute: i64) {
        let timestamps = (0..EACH as i64).map(|n| minute * MINUTE + n / 7 * 500);
        let before = self.documents.len();
        let more = spread(timestamps, SHARDS).into_iter();
        self.documents.extend(more.map(|mut document| {
            document.id += before as u128;
            document.key.seq_no += before as i64;
            document
        }));
    }

    fn add_one(&mut self, timestamp: i64) {
        let mut documents = spread([timestamp], SHARDS);
        documents[0].id = self.documents.len() as u128;
        documents[0].key.seq_no = 9_999;
        self.documents.extend(documents);
    }

    fn of(&self, slice: Slice) -> Vec<Document> {
        let shard = |document: &Document| document.id % EACH % SHARDS;
        let is_own =
            |document: &&Document| shard(document) % u128::from(slice.of) == slice.number.into();
        self.documents.iter().filter(is_own).cloned().collect()
    }

    /// Whether a process finds something behind the place where it goes on.
    fn finds_late(&mut self, process: usize) -> bool {
        let own = self.of(slice(process, self.processes.len()));
        look_behind(&mut self.processes[process], &own) != (false, 0)
    }

    /// What a process reads in one of its slices, to this horizon or some pages far.
    fn read(&mut self, process: usize, number: usize, pages: usize) {
        let of = self.processes[process].slices.len();
        let own = slice(process, self.processes.len()).part(number as u32, of as u32);
        let documents = self.of(own);
        let mut snapshot = Snapshot::new(documents.clone());
        let progress = &mut self.processes[process].slices[number];
        let gone = progress.gone.clone();
        let read = read_pages(progress, &mut snapshot, EDGE_MAX, pages).unwrap();
        for key in returned(&gone, progress, &documents) {
            self.processes[process].deliver(&key, UNIT);
        }
        for id in read {
            let found = self.documents.iter().find(|document| document.id == id);
            let key = found.unwrap().key.clone();
            self.processes[process].deliver(&key, UNIT);
            self.delivered.push(id);
        }
    }

    /// A process reads up to a horizon, as one or more slices.
    fn cycle(&mut self, process: usize, horizon: i64, slices: u32) {
        self.cut_off_cycle(process, horizon, slices, |_| usize::MAX);
    }

    /// The same, so many pages of each slice.
    fn cut_off_cycle(
        &mut self,
        process: usize,
        horizon: i64,
        slices: u32,
        pages: impl Fn(&mut Self) -> usize,
    ) {
        let reading = &mut self.processes[process];
        reading.divide_into(slices);
        reading.begin(Plan {
            horizon: horizon.into(),
            keep_from: (horizon - MINUTE).into(),
            size: 16,
            again: false,
            until_ms: 0,
        });
        for number in 0..self.processes[process].slices.len() {
            let pages = pages(self);
            self.read(process, number, pages);
        }
        let reading = &mut self.processes[process];
        if reading.is_over() {
            reading.finish();
        }
    }

    fn reslice(&mut self, of: usize) {
        let before: Vec<_> = self.processes.iter().collect();
        let after = (0..of).map(|number| reslice(&before, slice(number, of)).unwrap());
        self.processes = after.collect();
    }
}

fn slice(number: usize, of: usize) -> Slice {
    Slice {
        number: number as u32,
        of: of as u32,
    }
}

/// Every process stops at another place: early in a cycle, at its end, or never having read.
#[test]
fn wherever_processes_stop_another_number_of_them_loses_and_repeats_nothing() {
    for slices in [1, 2, 3] {
        for numbers in [[1, 3, 2], [3, 2, 4], [2, 5, 3], [4, 1, 7], [3, 6, 2]] {
            let mut world = World::new(numbers[0]);
            for (minute, of) in (0..).zip(numbers.into_iter().skip(1)) {
                world.add(minute);
                for process in 0..world.processes.len() {
                    let horizon = minute * MINUTE + i64::from(world.any_of(60_000));
                    let width = 1 + world.any_of(slices);
                    let pages = |world: &mut World| world.any_of(10) as usize;
                    world.cut_off_cycle(process, horizon, width, pages);
                }
                world.reslice(of);
            }
            for process in 0..world.processes.len() {
                for _ in 0..2 {
                    world.cycle(process, 99 * MINUTE, slices);
                    assert!(!world.finds_late(process), "{numbers:?}, {slices}");
                }
                assert_eq!(world.processes[process].slices.len(), slices as usize);
            }
            assert_eq!(
                sorted(world.delivered.clone()),
                all(&world.documents),
                "{numbers:?}, {slices}"
            );
        }
    }
}

#[test]
fn what_became_visible_meanwhile_is_delivered_as_far_as_the_edge_reaches() {
    let mut world = World::new(2);
    world.add(5);
    for process in 0..2 {
        world.cycle(process, 6 * MINUTE, 1);
    }
    let known_from = world.processes.iter().map(|process| process.known_from());
    let late = known_from.max().unwrap().point.number().unwrap() + 1;
    world.add_one(late);
    world.reslice(3);
    for process in 0..3 {
        world.cycle(process, 6 * MINUTE, 1);
        assert!(
            world.processes[process].has_one_place(),
            "nothing is late any more"
        );
    }
    assert_eq!(sorted(world.delivered.clone()), all(&world.documents));
}

#[test]
fn what_comes_too_late_is_reported_by_one_of_the_new_processes() {
    let mut world = World::new(2);
    world.add(5);
    world.add(6);
    for process in 0..2 {
        world.cycle(process, 7 * MINUTE, 1);
    }
    world.reslice(3);
    let missed = |world: &mut World| {
        let missed = (0..3).map(|process| {
            world.cycle(process, 7 * MINUTE, 1);
            let own = world.of(slice(process, 3));
            look_behind(&mut world.processes[process], &own).1
        });
        missed.sum::<u64>()
    };
    assert_eq!(missed(&mut world), 0);
    world.add_one(5 * MINUTE + 1);
    assert_eq!(missed(&mut world), 1);
    assert_eq!(missed(&mut world), 0, "once");
}

#[test]
fn every_slice_gets_the_parts_of_those_it_has_shards_of() {
    let of = |processes: usize, after| {
        let before = vec![Slices::from(Key::MIN, UNIT); processes];
        let before: Vec<_> = before.iter().collect();
        reslice(&before, after).map(|slices| slices.slices.len())
    };
    let rows = [
        (1, (2, 3), 1),
        (3, (0, 1), 3),
        (3, (1, 2), 3),
        (6, (1, 4), 3),
        (4, (1, 2), 2),
        (64, (0, 1), 64),
        (64, (0, 32), 2),
    ];
    for (before, (number, after), parts) in rows {
        assert_eq!(
            of(before, slice(number, after)),
            Ok(parts),
            "{before} {after}"
        );
    }
    let error = of(64, slice(0, 63)).unwrap_err().to_string();
    assert!(error.contains("from 64 slices to 63"), "{error}");
    let contributing = |before| {
        let numbers = 0..before;
        let numbers = numbers.filter(|number| shares(*number, before, slice(1, 4)));
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(contributing(6), [1, 3, 5]);
    assert_eq!(contributing(1), [0]);
}

#[test]
fn a_group_that_was_only_counted_is_not_divided() {
    let mut crowded = Slices::from(Key::at(7), UNIT);
    crowded.slices[0].crowd = Some(Crowd {
        point: 6.into(),
        count: 99,
    });
    let free = Slices::from(Key::at(7), UNIT);
    let together = reslice(&[&crowded, &free], Slice::WHOLE).unwrap();
    assert_eq!(together.slices[0].crowd, crowded.slices[0].crowd);
    let error = reslice(&[&crowded, &free], slice(0, 4)).unwrap_err();
    assert!(error.to_string().contains("edge_max"), "{error}");
    crowded.slices[0].position = Some((9, 5).into());
    crowded.slices[0].known_from = (6, 3).into();
    let divided = reslice(&[&crowded, &free], slice(0, 4)).unwrap();
    let slice = &divided.slices[0];
    assert_eq!((&slice.crowd, &slice.start), (&None, &Key::at(7)));
}

//! Cycles over slices, and late documents, against a cluster of a few lines.

use super::*;
use crate::paging::late::Found;
use crate::paging::minutes::Counts;
use crate::paging::progress::tests::{Document, Snapshot, all, read_pass, sorted, spread};

const UNIT: Unit = Unit::Ms;
const MINUTE: i64 = 60_000;

fn timestamp(document: &Document) -> i64 {
    document.key.point.number().unwrap()
}

/// Documents that are there, and a source that reads them.
struct World {
    documents: Vec<Document>,
    source: Slices,
    plan: Plan,
    slices: u32,
    edge_max: u64,
    delivered: Vec<u128>,
}

impl World {
    fn new(slices: u32, overlap: i64, edge_max: u64) -> Self {
        let horizon = 20 * MINUTE;
        Self {
            documents: Vec::new(),
            source: Slices::from(Key::MIN, UNIT),
            plan: Plan {
                horizon: horizon.into(),
                keep_from: (horizon - overlap).into(),
                size: 10,
                again: false,
                until_ms: 0,
            },
            slices,
            edge_max,
            delivered: Vec::new(),
        }
    }

    fn add(&mut self, timestamps: impl IntoIterator<Item = i64>) {
        let before = self.documents.len();
        let more = spread(timestamps, 2).into_iter();
        self.documents.extend(more.map(|mut document| {
            document.id += before as u128;
            document.key.seq_no += before as i64;
            document
        }));
    }

    fn counts(&self, (from, to): (Point, Point)) -> Counts {
        let timestamps = self.documents.iter().map(|document| &document.key.point);
        let within = timestamps.filter(|at| (&from..&to).contains(at));
        within.map(|at| (UNIT.minute(at), 1)).collect()
    }

    /// One cycle. Returns what it found to be late, and what it could not deliver of that.
    fn cycle(&mut self) -> (Option<Found>, u64) {
        self.source.divide_into(self.slices);
        let hour = self.source.last_hour(UNIT);
        let found = hour.and_then(|hour| {
            let counts = self.counts(hour);
            self.source.take_note(&counts, UNIT)
        });
        self.source.begin(self.plan.clone());
        for number in 0..self.source.slices.len() {
            self.read(number);
        }
        self.source.finish();
        (found, self.source.end_late())
    }

    fn read(&mut self, number: usize) {
        let slices = self.source.slices.len() as i64;
        let mine = |document: &&Document| timestamp(document) % slices == number as i64;
        let mine: Vec<_> = self.documents.iter().filter(mine).cloned().collect();
        let slice = &mut self.source.slices[number];
        let read = read_pass(slice, &mut Snapshot::new(mine), self.edge_max).unwrap();
        for id in &read {
            let key = self
                .documents
                .iter()
                .find(|document| document.id == *id)
                .unwrap()
                .key
                .clone();
            self.source.deliver(&key, UNIT);
        }
        self.delivered.extend(read);
    }

    fn assert_holds_all(&self) {
        assert_eq!(sorted(self.delivered.clone()), all(&self.documents));
    }
}

#[test]
fn late_documents_inside_the_overlap_are_delivered_once_by_any_number_of_slices() {
    for slices in [1, 2, 5] {
        let mut world = World::new(slices, 10 * MINUTE, 10_000);
        world.add((0..300).map(|n| n * 4_000));
        assert_eq!(world.cycle(), (None, 0));
        for late in [
            vec![11 * MINUTE],
            vec![19 * MINUTE + 1, 19 * MINUTE + 2],
            vec![12 * MINUTE + 5; 30],
        ] {
            let number = late.len() as u64;
            world.add(late);
            let (found, missed) = world.cycle();
            let found = found.unwrap();
            assert_eq!(
                (found.documents, found.within_reach, missed),
                (number, true, 0)
            );
            world.assert_holds_all();
            assert_eq!(world.cycle(), (None, 0), "what was late is not late again");
        }
        world.assert_holds_all();
    }
}

#[test]
fn late_documents_beyond_the_edge_are_reported_once_and_never_repeated() {
    let mut world = World::new(1, 0, 10_000);
    world.add((0..300).map(|n| n * 4_000));
    world.cycle();
    world.add([MINUTE, MINUTE, 5 * MINUTE]);
    let (found, _) = world.cycle();
    assert_eq!(
        found.map(|found| (found.documents, found.within_reach)),
        Some((3, false))
    );
    assert_eq!((world.source.missed, world.cycle()), (3, (None, 0)));
    assert_eq!(world.delivered.len(), 300);
}

#[test]
fn of_a_minute_that_the_edge_knows_in_part_the_known_part_is_delivered() {
    let mut world = World::new(1, 2 * MINUTE + 30_000, 10_000);
    world.add((0..300).map(|n| n * 4_000));
    world.cycle();
    world.add([17 * MINUTE + 1, 17 * MINUTE + 45_000]);
    let (found, missed) = world.cycle();
    assert_eq!(
        found.map(|found| (found.documents, found.within_reach)),
        Some((2, true))
    );
    assert_eq!(
        (missed, world.source.missed, world.delivered.len()),
        (1, 1, 301)
    );
    assert_eq!(world.cycle(), (None, 0));
}

#[test]
fn deleted_documents_are_no_reason_to_read_again_and_do_not_hide_late_ones() {
    let mut world = World::new(1, 10 * MINUTE, 10_000);
    world.add((0..300).map(|n| n * 4_000));
    world.cycle();
    let all = world.documents.clone();
    world
        .documents
        .retain(|document| timestamp(document) % 8_000 == 0);
    assert_eq!(world.cycle(), (None, 0));
    world.documents = all;
    world.documents.retain(|document| document.id < 280);
    assert!(world.cycle().0.is_some(), "they are there again");
    assert_eq!(world.delivered.len(), 300, "and were delivered before");
}

#[test]
fn another_number_of_slices_loses_and_repeats_nothing() {
    let mut world = World::new(1, 5 * MINUTE, 200);
    let mut from = 0;
    for slices in [1, 4, 4, 3, 1, 2] {
        world.slices = slices;
        world.add((from..from + 37).map(|n| n * 1_500));
        from += 37;
        world.cycle();
        assert_eq!(world.source.slices.len(), slices as usize);
        world.assert_holds_all();
    }
}

#[test]
fn while_slices_have_come_to_different_places_their_number_stays() {
    let mut world = World::new(2, 5 * MINUTE, 10_000);
    world.add((0..300).map(|n| n * 3_999));
    world.plan.horizon = (5 * MINUTE).into();
    world.cycle();
    world.plan.horizon = (20 * MINUTE).into();
    world.source.begin(world.plan.clone());
    world.read(1);
    world.source.abandon();
    world.slices = 1;
    assert_eq!((world.cycle(), world.source.slices.len()), ((None, 0), 2));
    world.cycle();
    assert_eq!(world.source.slices.len(), 1);
    world.assert_holds_all();
}

#[test]
fn a_slice_that_came_further_before_a_clock_was_set_back_takes_no_other_with_it() {
    let mut world = World::new(2, 5 * MINUTE, 10_000);
    world.add((0..300).map(|n| n * 3_999));
    world.source.divide_into(world.slices);
    world.source.begin(world.plan.clone());
    world.read(1);
    world.source.abandon();
    for horizon in [9, 15, 20] {
        world.plan.horizon = (horizon * MINUTE).into();
        world.cycle();
    }
    world.assert_holds_all();
}

#[test]
fn late_documents_are_noticed_after_the_number_of_slices_changed_inside_a_minute() {
    let mut world = World::new(2, 15 * MINUTE, 10_000);
    world.add((0..30).map(|n| 10 * MINUTE + n / 2));
    world.cycle();
    world.slices = 5;
    world.cycle();
    world.add((0..30).map(|n| 10 * MINUTE + 20 + n));
    assert_eq!(world.cycle(), (None, 0));
    world.add([10 * MINUTE + 30]);
    let (found, _) = world.cycle();
    assert_eq!(found.map(|found| found.documents), Some(1));
    world.assert_holds_all();
}

#[test]
fn an_update_that_is_read_with_late_documents_hides_no_later_one() {
    let mut world = World::new(1, 10 * MINUTE, 10_000);
    world.add((0..300).map(|n| n * 4_000));
    world.cycle();
    let updated = world
        .documents
        .iter_mut()
        .find(|document| timestamp(document) == 15 * MINUTE);
    let updated = updated.unwrap();
    (updated.id, updated.key.seq_no) = (10_000, 10_000);
    world.add([15 * MINUTE + 1]);
    world.cycle();
    assert_eq!(world.delivered.len(), 302, "the update and the late one");
    world.add([15 * MINUTE + 2]);
    assert!(world.cycle().0.is_some());
    assert_eq!(world.delivered.len(), 303);
}

#[test]
fn late_documents_beyond_a_horizon_that_was_set_back_are_read_by_the_next_cycle() {
    let mut world = World::new(1, 15 * MINUTE, 10_000);
    world.add((0..300).map(|n| n * 4_000));
    world.cycle();
    world.add([8 * MINUTE + 1, 12 * MINUTE + 1]);
    for horizon in [10, 20] {
        world.plan.horizon = (horizon * MINUTE).into();
        world.cycle();
    }
    world.assert_holds_all();
    world.add([12 * MINUTE + 2]);
    assert!(world.cycle().0.is_some(), "nothing was counted twice");
    world.assert_holds_all();
}

#[test]
fn late_documents_in_the_minute_of_the_start_are_noticed_but_nothing_before_it() {
    let mut world = World::new(1, 15 * MINUTE, 10_000);
    let start = 10 * MINUTE + 20_000;
    world.source = Slices::from(Key::at(start), UNIT);
    world.add((0..100).map(|n| start + n * 1_000));
    world.cycle();
    world.add([start + 1]);
    world.cycle();
    world.assert_holds_all();
    world.add([start - 1]);
    assert_eq!((world.cycle(), world.delivered.len()), ((None, 0), 101));
}

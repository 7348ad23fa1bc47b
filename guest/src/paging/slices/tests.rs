//! Cycles over slices, and late documents, against a cluster of a few lines.

use super::*;
use crate::paging::minutes::Counts;
use crate::paging::progress::tests::{Document, Snapshot, all, read_pass, sorted, spread};

const UNIT: Unit = Unit::Ms;
const MINUTE: i64 = 60_000;

/// Whether a source reads again what its edge reaches, and how many it reports to be missed.
pub(in crate::paging) fn look_behind(source: &mut Slices, documents: &[Document]) -> (bool, u64) {
    let Some(look) = source.look(UNIT) else {
        return (false, 0);
    };
    let keys = || documents.iter().map(|document| &document.key);
    let (from, to) = &look.reach;
    let before = keys().filter(|key| key.point >= look.from && key.point < from.point);
    let minutes = before.map(|key| (UNIT.minute(&key.point), 1)).collect();
    let border = source.border(UNIT);
    let missed = source.take_note(&minutes, &border, UNIT);
    let within = keys().filter(|key| *key >= from && *key < to);
    let counted = within.map(|key| (look.minute(&key.point, UNIT), 1));
    let counted: Counts = counted.collect();
    let again = counted != source.known_in(&look, UNIT);
    if again {
        source.read_again();
    }
    (again, missed.map_or(0, |missed| missed.documents))
}

/// What had gone, and was read again.
pub(in crate::paging) fn returned(
    gone: &Edge,
    slice: &Progress,
    documents: &[Document],
) -> Vec<Key> {
    let is_back = |document: &&Document| {
        let Document { key, id, .. } = document;
        gone.holds(key, *id) && slice.edge.holds(key, *id)
    };
    let back = documents.iter().filter(is_back);
    back.map(|document| document.key.clone()).collect()
}

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

    /// One cycle. Returns whether it read the reach again, and what it reported to be missed.
    fn cycle(&mut self) -> (bool, u64) {
        self.source.divide_into(self.slices);
        let (again, missed) = look_behind(&mut self.source, &self.documents);
        self.source.begin(self.plan.clone());
        for number in 0..self.source.slices.len() {
            self.read(number);
        }
        self.source.finish();
        (again, missed)
    }

    fn read(&mut self, number: usize) {
        let slices = self.source.slices.len() as i64;
        let mine = |document: &&Document| timestamp(document) % slices == number as i64;
        let mine: Vec<_> = self.documents.iter().filter(mine).cloned().collect();
        let slice = &mut self.source.slices[number];
        let gone = slice.gone.clone();
        let read = read_pass(slice, &mut Snapshot::new(mine.clone()), self.edge_max).unwrap();
        for key in returned(&gone, slice, &mine) {
            self.source.deliver(&key, UNIT);
        }
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
        assert_eq!(world.cycle(), (false, 0));
        for late in [
            vec![11 * MINUTE],
            vec![19 * MINUTE + 1, 19 * MINUTE + 2],
            vec![12 * MINUTE + 5; 30],
        ] {
            world.add(late);
            assert_eq!(world.cycle(), (true, 0));
            world.assert_holds_all();
            assert_eq!(world.cycle(), (false, 0), "what was late is not late again");
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
    assert_eq!(world.cycle(), (false, 3));
    assert_eq!(world.cycle(), (false, 0));
    assert_eq!(world.delivered.len(), 300);
}

#[test]
fn of_a_minute_that_the_edge_knows_in_part_the_known_part_is_delivered() {
    let mut world = World::new(1, 2 * MINUTE + 30_000, 10_000);
    world.add((0..300).map(|n| n * 4_000));
    world.cycle();
    world.add([17 * MINUTE + 1, 17 * MINUTE + 45_000]);
    assert_eq!(world.cycle(), (true, 1));
    assert_eq!(world.delivered.len(), 301);
    assert_eq!(world.cycle(), (false, 0));
}

#[test]
fn deleted_documents_hide_no_late_one_and_do_not_come_again() {
    let mut world = World::new(1, 10 * MINUTE, 10_000);
    world.add((0..300).map(|n| n * 4_000));
    world.cycle();
    let all = world.documents.clone();
    world
        .documents
        .retain(|document| timestamp(document) % 8_000 == 0);
    // As many as one went come, where the edge reaches.
    world.add([15 * MINUTE + 1]);
    assert_eq!(world.cycle(), (true, 0));
    assert_eq!(world.delivered.len(), 301);
    assert_eq!(world.cycle(), (false, 0), "what went is known to be gone");
    world.add([16 * MINUTE + 1]);
    assert_eq!(world.cycle(), (true, 0));
    assert_eq!(world.delivered.len(), 302);
    world
        .documents
        .extend(all.into_iter().filter(|d| d.id % 2 == 1));
    assert!(world.cycle().0, "they are there again");
    assert_eq!(world.delivered.len(), 302, "and were delivered before");
    assert!(!world.cycle().0);
}

#[test]
fn an_update_of_the_last_document_hides_no_late_one() {
    let mut world = World::new(1, 10 * MINUTE, 10_000);
    world.add((0..300).map(|n| n * 4_000));
    world.cycle();
    let last = world.documents.last_mut().unwrap();
    (last.id, last.key.seq_no) = (10_000, 10_000);
    world.cycle();
    assert_eq!(world.delivered.len(), 301);
    world.add([19 * MINUTE + 59_000]);
    world.cycle();
    world.add([19 * MINUTE + 50_001]);
    assert_eq!(world.cycle(), (true, 0));
    assert_eq!(world.delivered.len(), 303);
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
    assert_eq!((world.cycle(), world.source.slices.len()), ((false, 0), 2));
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
    assert_eq!(world.cycle(), (false, 0));
    world.add([10 * MINUTE + 30]);
    assert!(world.cycle().0);
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
    assert!(world.cycle().0);
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
    assert!(world.cycle().0, "nothing was counted twice");
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
    assert_eq!((world.cycle(), world.delivered.len()), ((false, 0), 101));
}

//! The pure steps against a cluster of a few lines: every page, every receipt, every order
//! of small numbers, without a wire.

mod scroll;

use std::collections::BTreeMap;

use super::{Arrived, Next, Pass, Progress, Seen, Settled};
use crate::error::Error;
use crate::key::{Key, Point};

/// A document of the snapshot: its sort value, and another date that it also has.
#[derive(Debug, Clone)]
pub(in crate::paging) struct Document {
    pub(in crate::paging) key: Key,
    pub(in crate::paging) id: u128,
    also: Option<i64>,
}

/// A point in time. `hide` says for which search (counted from 0) to leave out which hit.
pub(in crate::paging) struct Snapshot {
    documents: Vec<Document>,
    hide: BTreeMap<usize, usize>,
    searches: usize,
}

impl Snapshot {
    pub(in crate::paging) fn new(mut documents: Vec<Document>) -> Self {
        documents.sort_by_key(|document| (document.key.clone(), document.id));
        Self {
            documents,
            hide: BTreeMap::new(),
            searches: 0,
        }
    }

    /// As a range over all values of a field selects.
    fn selects(document: &Document, from: &Key, to: &Key) -> bool {
        let within = |key: &Key| key >= from && key < to;
        within(&document.key)
            || document
                .also
                .is_some_and(|timestamp| within(&Key::at(timestamp)))
    }

    fn page(&mut self, progress: &Progress, pass: &Pass) -> (Vec<Seen>, u64, u64) {
        let end = pass.end();
        let selected = self
            .documents
            .iter()
            .filter(|d| Self::selects(d, &progress.start, &end));
        let total = selected.clone().count() as u64;
        let after = pass.after.clone().map(|after| Key {
            seq_no: after.seq_no - 1,
            ..after
        });
        let follows =
            |document: &&Document| after.as_ref().is_none_or(|after| document.key > *after);
        let hits = selected.filter(follows).map(|d| Seen {
            key: d.key.clone(),
            id: d.id,
        });
        let mut hits: Vec<_> = hits.take(usize::try_from(pass.size).unwrap()).collect();
        if let Some(hidden) = self.hide.get(&self.searches).filter(|at| **at < hits.len()) {
            hits.remove(*hidden);
        }
        self.searches += 1;
        (hits, total, pass.size)
    }

    fn count(&self, from: &Key, to: &Key) -> u64 {
        self.documents
            .iter()
            .filter(|d| Self::selects(d, from, to))
            .count() as u64
    }
}

/// Reads one cycle and returns what it delivered, in order.
fn cycle(
    progress: &mut Progress,
    snapshot: &mut Snapshot,
    horizon: i64,
    size: u64,
    edge_max: u64,
) -> Result<Vec<u128>, Error> {
    cycle_with(progress, snapshot, (horizon, 0), size, edge_max)
}

/// The same, with an overlap.
fn cycle_with(
    progress: &mut Progress,
    snapshot: &mut Snapshot,
    (horizon, overlap): (i64, i64),
    size: u64,
    edge_max: u64,
) -> Result<Vec<u128>, Error> {
    if !progress.begin(horizon.into(), (horizon - overlap).into(), size) {
        return Ok(Vec::new());
    }
    read_pass(progress, snapshot, edge_max)
}

/// Reads a pass that has begun.
pub(in crate::paging) fn read_pass(
    progress: &mut Progress,
    snapshot: &mut Snapshot,
    edge_max: u64,
) -> Result<Vec<u128>, Error> {
    read_pages(progress, snapshot, edge_max, usize::MAX)
}

/// Reads so many pages of a pass that has begun.
pub(in crate::paging) fn read_pages(
    progress: &mut Progress,
    snapshot: &mut Snapshot,
    edge_max: u64,
    pages: usize,
) -> Result<Vec<u128>, Error> {
    let mut delivered = Vec::new();
    for _ in 0..pages {
        let Some(pass) = progress.pass.clone() else {
            break;
        };
        let (hits, total, size) = snapshot.page(progress, &pass);
        let page = Arrived {
            hits: &hits,
            total: Some(total),
            size,
            exact: false,
            is_last: false,
        };
        let plan = progress.plan(page);
        delivered.extend(plan.publish.iter().map(|(_, id)| *id));
        if let Next::Receipt(to) = progress.apply(page, edge_max) {
            progress.settle(&to, snapshot.count(&progress.start, &to))?;
        }
        assert!(snapshot.searches < 10_000, "reading does not end");
        assert!(progress.edge.len() as u64 <= edge_max, "the edge is full");
    }
    Ok(delivered)
}

/// `documents` spread over shards, each of which counts its own sequence numbers.
pub(in crate::paging) fn spread(
    timestamps: impl IntoIterator<Item = i64>,
    shards: u128,
) -> Vec<Document> {
    let mut next = BTreeMap::new();
    let document = |(id, timestamp): (u128, i64)| {
        let seq_no = next.entry(id % shards).or_insert(-1);
        *seq_no += 1;
        Document {
            key: (timestamp, *seq_no).into(),
            id,
            also: None,
        }
    };
    (0..).zip(timestamps).map(document).collect()
}

pub(in crate::paging) fn all(documents: &[Document]) -> Vec<u128> {
    let mut ids: Vec<_> = documents.iter().map(|document| document.id).collect();
    ids.sort_unstable();
    ids
}

pub(in crate::paging) fn sorted(mut ids: Vec<u128>) -> Vec<u128> {
    ids.sort_unstable();
    ids
}

#[test]
fn every_shape_of_ties_pages_edges_and_shards_is_read_exactly_once() {
    for shards in [1, 2, 3, 5] {
        for per in [1, 2, 7, 50, 1_000] {
            for size in [2, 3, 7, 10, 100] {
                for (edge_max, overlap) in [
                    (2 * size, 0),
                    (3 * size + 1, 0),
                    (1_000, 0),
                    (3 * size, 900),
                    (90, 960),
                    (1_000, 1_000),
                ] {
                    let edge_max = edge_max.max(2 * size);
                    let documents = spread((0..200).map(|n| 10 + n / per), shards);
                    let mut snapshot = Snapshot::new(documents.clone());
                    let mut progress = Progress::from(Key::MIN);
                    let shape = format!(
                        "{shards} shards, {per} per timestamp, pages of {size}, edge of {edge_max}, overlap of {overlap}"
                    );
                    let mut read = || {
                        let until = (1_000, overlap);
                        cycle_with(&mut progress, &mut snapshot, until, size, edge_max).unwrap()
                    };
                    assert_eq!(sorted(read()), all(&documents), "{shape}");
                    assert_eq!(read(), Vec::<u128>::new(), "{shape}");
                }
            }
        }
    }
}

#[test]
fn what_comes_between_cycles_is_read_once_at_the_watermark_too() {
    let early = spread((0..50).map(|n| n / 7), 3);
    let both: Vec<_> = spread((0..90).map(|n| n / 7), 3);
    let mut progress = Progress::from(Key::MIN);
    let first = cycle(
        &mut progress,
        &mut Snapshot::new(early.clone()),
        100,
        10,
        40,
    )
    .unwrap();
    let second = cycle(&mut progress, &mut Snapshot::new(both.clone()), 100, 10, 40).unwrap();
    assert_eq!(sorted([first, second].concat()), all(&both));
    assert_eq!(progress.position.map(|key| key.point), Some(12.into()));
}

#[test]
fn nothing_at_or_after_the_horizon_is_read() {
    let documents = spread(0..20, 2);
    let mut progress = Progress::from(Key::MIN);
    let read = cycle(
        &mut progress,
        &mut Snapshot::new(documents.clone()),
        10,
        5,
        20,
    )
    .unwrap();
    assert_eq!(read.len(), 10);
    let read = cycle(
        &mut progress,
        &mut Snapshot::new(documents.clone()),
        5,
        5,
        20,
    )
    .unwrap();
    assert!(read.is_empty(), "a clock that went back reads nothing");
    let read = cycle(&mut progress, &mut Snapshot::new(documents), 20, 5, 20).unwrap();
    assert_eq!(read.len(), 10);
}

#[test]
fn a_document_that_a_page_hides_is_found_by_the_receipt() {
    for hidden_in in 0..12 {
        for at in 0..5 {
            for edge_max in [20, 1_000] {
                let documents = spread((0..100).map(|n| n / 3), 3);
                let mut snapshot = Snapshot::new(documents.clone());
                snapshot.hide.insert(hidden_in, at);
                let mut progress = Progress::from(Key::MIN);
                let read = cycle(&mut progress, &mut snapshot, 1_000, 10, edge_max).unwrap();
                assert_eq!(
                    sorted(read),
                    all(&documents),
                    "hit {at} of search {hidden_in}"
                );
            }
        }
    }
}

#[test]
fn a_cluster_that_always_hides_one_stops_the_source_with_both_figures() {
    let documents = spread(0..30, 1);
    let mut snapshot = Snapshot::new(documents);
    snapshot.documents.remove(29);
    let mut progress = Progress::from(Key::MIN);
    progress.begin(100.into(), 100.into(), 10);
    let mut rereads = 0;
    let error = loop {
        let now = progress.pass.clone().unwrap();
        let (hits, total, size) = snapshot.page(&progress, &now);
        let page = Arrived {
            hits: &hits,
            total: Some(total),
            size,
            exact: false,
            is_last: false,
        };
        if let Next::Receipt(to) = progress.apply(page, 1_000) {
            match progress.settle(&to, 30) {
                Ok(settled) => {
                    assert_eq!(settled, Settled::Reread);
                    rereads += 1;
                }
                Err(error) => break error.to_string(),
            }
        }
    };
    assert_eq!(rereads, 3);
    assert!(
        error.contains("counts 30 documents but returned 29"),
        "{error}"
    );
}

/// Where a field breaks ties, and does not.
#[test]
fn as_many_documents_at_one_place_as_a_page_holds_are_an_error_that_names_the_field() {
    for (more, is_read) in [(9_999, true), (10_000, false), (10_001, false)] {
        let mut documents = spread(std::iter::repeat_n(5, more).chain([6]), 1);
        for document in &mut documents {
            document.key.seq_no = 7;
        }
        let mut progress = Progress::from(Key::MIN);
        let read = cycle(&mut progress, &mut Snapshot::new(documents), 9, 500, 65_536);
        match read.map(|ids| ids.len()) {
            Ok(read) => assert_eq!((read, is_read), (more + 1, true)),
            Err(error) => {
                let error = error.to_string();
                assert!(!is_read, "{error}");
                assert!(
                    error.contains("name a field there that tells them apart"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn documents_with_several_dates_are_read_once_and_receipts_add_up() {
    for edge_max in [20, 45, 1_000] {
        let mut documents = spread((0..120).map(|n| n / 3), 3);
        // Every tenth is also found by a later date, far behind its sort value.
        for document in documents.iter_mut().step_by(10) {
            document.also = document.key.point.number().map(|at| at + 17);
        }
        let mut snapshot = Snapshot::new(documents.clone());
        let mut progress = Progress::from(Key::MIN);
        let first = cycle(&mut progress, &mut snapshot, 25, 10, edge_max).unwrap();
        let second = cycle(&mut progress, &mut snapshot, 1_000, 10, edge_max).unwrap();
        let third = cycle(&mut progress, &mut snapshot, 1_000, 10, edge_max).unwrap();
        assert_eq!(
            sorted([first, second, third].concat()),
            all(&documents),
            "edge of {edge_max}"
        );
    }
}

#[test]
fn a_group_larger_than_the_edge_is_counted_and_left_behind() {
    let documents = spread(std::iter::repeat_n(5, 300), 3);
    let mut progress = Progress::from(Key::MIN);
    let read = cycle(
        &mut progress,
        &mut Snapshot::new(documents.clone()),
        100,
        10,
        30,
    )
    .unwrap();
    assert_eq!(sorted(read), all(&documents));
    let crowd = progress.crowd.clone().unwrap();
    assert_eq!(
        (crowd.point, crowd.count, progress.start.clone()),
        (5.into(), 300, Key::at(6))
    );
    let mut later = documents;
    later.push(Document {
        key: (6, 100).into(),
        id: 1_000,
        also: None,
    });
    let read = cycle(&mut progress, &mut Snapshot::new(later), 100, 10, 30).unwrap();
    assert_eq!((read, progress.crowd), (vec![1_000], None));
}

#[test]
fn what_is_forgotten_of_a_group_that_is_cut_off_is_counted_whichever_cycle_forgot_it() {
    let mut documents = spread(std::iter::repeat_n(5, 27), 3);
    let mut progress = Progress::from(Key::MIN);
    for later in 0..8 {
        documents.extend(spread([6 + later], 1).into_iter().map(|mut document| {
            document.id = 100 + later as u128;
            document
        }));
        progress.start = progress.known_from.clone();
        let mut snapshot = Snapshot::new(documents.clone());
        cycle_with(&mut progress, &mut snapshot, (7 + later, 99), 5, 20).unwrap();
        let known_from = &progress.known_from;
        let group = Key::at(known_from.point.clone());
        let forgotten = snapshot.count(&group, known_from);
        let crowd = progress.crowd.as_ref().map_or(0, |crowd| crowd.count);
        assert_eq!(crowd, forgotten, "{later}: {:?}", progress.crowd);
    }
    assert!(progress.known_from > Key::at(5), "the group was cut off");
}

/// Without a tiebreaker, all of them have the last place of their timestamp.
#[test]
fn what_has_the_last_place_of_a_group_larger_than_the_edge_is_counted_with_it() {
    let mut documents = spread(std::iter::repeat_n(5, 300), 3);
    for document in documents.iter_mut().skip(280) {
        document.key.seq_no = i64::MAX;
    }
    let mut progress = Progress::from(Key::MIN);
    let mut snapshot = Snapshot::new(documents.clone());
    let read = cycle(&mut progress, &mut snapshot, 100, 25, 60).unwrap();
    assert_eq!(sorted(read), all(&documents));
    let crowd = progress.crowd.unwrap();
    assert_eq!((crowd.point, crowd.count), (5.into(), 300));
    assert_eq!((progress.known_from, progress.edge.len()), (Key::at(6), 0));
}

#[test]
fn a_point_in_time_that_is_gone_costs_no_document_and_repeats_none() {
    for lost_at in 1..40 {
        let documents = spread((0..200).map(|n| n / 7), 3);
        let mut snapshot = Snapshot::new(documents.clone());
        let mut progress = Progress::from(Key::MIN);
        let mut delivered = Vec::new();
        progress.begin(1_000.into(), 1_000.into(), 10);
        for _ in 0..lost_at {
            let Some(now) = progress.pass.clone() else {
                break;
            };
            let (hits, total, size) = snapshot.page(&progress, &now);
            let page = Arrived {
                hits: &hits,
                total: Some(total),
                size,
                exact: false,
                is_last: false,
            };
            delivered.extend(progress.plan(page).publish.iter().map(|(_, id)| *id));
            if let Next::Receipt(to) = progress.apply(page, 40) {
                progress
                    .settle(&to, snapshot.count(&progress.start, &to))
                    .unwrap();
            }
        }
        progress.abandon();
        delivered.extend(cycle(&mut progress, &mut snapshot, 1_000, 10, 40).unwrap());
        assert_eq!(
            sorted(delivered),
            all(&documents),
            "lost after {lost_at} pages"
        );
    }
}

#[test]
fn documents_that_are_deleted_between_cycles_leave_the_receipts_right() {
    let documents = spread((0..50).map(|n| n / 7), 3);
    let mut progress = Progress::from(Key::MIN);
    cycle(
        &mut progress,
        &mut Snapshot::new(documents.clone()),
        100,
        10,
        40,
    )
    .unwrap();
    let watermark = progress.position.clone().unwrap().point;
    let mut left = documents;
    left.retain(|document| document.key.point < watermark);
    let mut snapshot = Snapshot::new(left);
    let read = cycle(&mut progress, &mut snapshot, 100, 10, 40).unwrap();
    assert_eq!(
        (read.len(), snapshot.searches),
        (0, 1),
        "nothing is read again"
    );
}

#[test]
fn a_segment_is_settled_after_some_pages_but_not_inside_a_group_of_equal_timestamps() {
    for (ties, expected) in [(1, Some(8)), (7, Some(8)), (20_000, None)] {
        let documents = (0..20_000).map(|n| Seen {
            key: (n / ties, n).into(),
            id: n.unsigned_abs().into(),
        });
        let documents: Vec<_> = documents.collect();
        let mut progress = Progress::from(Key::at(0));
        progress.begin(Point::MAX, Point::MAX, 500);
        let next = documents.chunks(500).map(|hits| {
            let page = Arrived {
                hits,
                total: Some(1_000_000),
                size: 500,
                exact: false,
                is_last: false,
            };
            progress.apply(page, 65_536)
        });
        let settled = next.enumerate().find(|(_, next)| *next != Next::Page);
        assert_eq!(settled.map(|(page, _)| page + 1), expected, "{ties}");
    }
}

#[test]
fn what_was_delivered_behind_the_end_of_a_pass_stays_known_where_all_is_read_again() {
    let documents = spread((0..30).map(|n| n / 3), 3);
    let mut snapshot = Snapshot::new(documents.clone());
    let mut progress = Progress::from(Key::MIN);
    let mut delivered = Vec::new();
    // The clock is set back before the second pass.
    for horizon in [100, 5, 100] {
        progress.start = progress.known_from.clone();
        progress.begin(horizon.into(), Point::MIN, 10);
        delivered.extend(read_pass(&mut progress, &mut snapshot, 1_000).unwrap());
    }
    assert_eq!(sorted(delivered), all(&documents));
}

/// By offset: an index is closed, or a replica lags behind, and is back in a later cycle.
#[test]
fn what_one_cycle_does_not_show_is_known_in_the_next_as_far_as_there_is_room() {
    let documents = spread((0..30).map(|n| n / 3), 3);
    let shown = |hidden: usize| documents.iter().skip(hidden).cloned().collect::<Vec<_>>();
    let rows = [
        ([0, 10, 0], 40, vec![]),
        ([0, 30, 0], 40, vec![]),
        ([10, 0, 0], 30, (0..10).collect()),
        ([0, 10, 0], 30, vec![]),
    ];
    for (hidden, edge_max, expected) in rows {
        let mut progress = Progress::from(Key::MIN);
        let mut delivered = Vec::new();
        for hidden in hidden {
            progress.start = progress.known_from.clone();
            progress.begin(100.into(), Point::MIN, 10);
            let mut snapshot = Snapshot::new(shown(hidden));
            delivered.push(read_pass(&mut progress, &mut snapshot, edge_max).unwrap());
        }
        let again = sorted(delivered.split_off(1).concat());
        assert_eq!(again, expected, "{hidden:?} hidden, edge of {edge_max}");
        let known = (progress.edge.len() + progress.gone.len()) as u64;
        assert!(known <= edge_max, "{known}");
    }
}

#[test]
fn what_is_gone_where_all_is_read_again_is_forgotten_before_what_is_there() {
    let mut progress = Progress::from(Key::MIN);
    for cycle in 0..10 {
        let mut documents = spread(cycle * 10..cycle * 10 + 10, 1);
        for document in &mut documents {
            document.id += 100 * cycle.unsigned_abs() as u128;
        }
        progress.start = progress.known_from.clone();
        progress.begin(1_000.into(), Point::MIN, 5);
        let read = read_pass(&mut progress, &mut Snapshot::new(documents), 25).unwrap();
        assert_eq!(read.len(), 10, "{cycle}");
        let gone = if cycle == 0 { 0 } else { (cycle * 10).min(15) };
        assert_eq!(
            (progress.edge.len(), progress.gone.len()),
            (10, gone as usize),
            "{cycle}"
        );
    }
}

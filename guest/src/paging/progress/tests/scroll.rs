//! Segments of a scroll, which counts itself at its end only, while documents arrive.

use super::super::{Arrived, Next, Progress, Settled};
use super::{Document, Seen, Snapshot, all, sorted, spread};
use crate::error::Error;
use crate::key::Key;
use crate::paging::context::Context;
use crate::paging::scroll;

/// An index that gets three late documents whenever it is asked for a count, as far as that reaches.
struct Busy {
    documents: Vec<Document>,
    late: usize,
}

impl Busy {
    fn within(&self, from: &Key, to: &Key) -> Vec<Document> {
        let within = |document: &&Document| document.key >= *from && document.key < *to;
        self.documents.iter().filter(within).cloned().collect()
    }

    fn count(&mut self, from: &Key, to: &Key) -> u64 {
        for _ in 0..self.late.min(3) {
            self.late -= 1;
            let id = 1_000_000 + self.late as u128;
            let at = from.point.number().unwrap_or(0).max(0) + 1;
            self.documents.push(Document {
                key: (at, 1_000_000 + self.late as i64).into(),
                id,
                also: None,
            });
        }
        self.within(from, to).len() as u64
    }
}

/// Reads one pass in scrolls. Returns what was delivered, and how often a segment was read again.
fn read(index: &mut Busy, size: u64, edge_max: u64) -> Result<(Vec<u128>, usize), Error> {
    let mut progress = Progress::from(Key::MIN);
    progress.begin(1_000_000.into(), 1_000_000.into(), size);
    let (mut delivered, mut again) = (Vec::new(), 0);
    let (mut opened, mut pages) = (Vec::new(), 0);
    while let Some(pass) = &mut progress.pass {
        pass.context = Some(Context::Scroll("one".to_owned()));
        let pass = pass.clone();
        if pass.hits == 0 {
            opened = Snapshot::new(index.within(&progress.start, &pass.end())).documents;
        }
        let hits = opened.iter().skip(pass.hits as usize).take(size as usize);
        let hits = hits.map(|Document { key, id, .. }| Seen {
            key: key.clone(),
            id: *id,
        });
        let hits: Vec<_> = hits.collect();
        let page = Arrived {
            hits: &hits,
            total: Some(opened.len() as u64),
            size,
            exact: true,
            is_last: false,
        };
        pages += 1;
        assert!(pages < 100_000, "reading does not end");
        let plan = progress.plan(page);
        delivered.extend(plan.publish.iter().map(|(_, id)| *id));
        if let Next::Receipt(to) = progress.apply(page, edge_max) {
            let met = progress.edge.met_before(&to);
            let own = scroll::counted(progress.pass.as_ref().unwrap(), met, &to);
            let from = progress.start.clone();
            let counted = own.unwrap_or_else(|| index.count(&from, &to));
            again += usize::from(progress.settle(&to, counted)? == Settled::Reread);
        }
    }
    Ok((delivered, again))
}

/// Each segment is read again once, unless that brings more than the edge holds.
#[test]
fn a_segment_is_read_to_its_end_again_however_many_documents_arrive_meanwhile() {
    let rows = [
        (100, 65_536, 6),
        (1_000, 65_536, 3),
        (1_000, 3_500, 8),
        (20, 90, usize::MAX),
        (10, 20, usize::MAX),
    ];
    for (size, edge_max, most) in rows {
        let mut index = Busy {
            documents: spread((0..20_000).map(|n| 10 + 2 * n), 3),
            late: 300,
        };
        let (delivered, again) = read(&mut index, size, edge_max).unwrap();
        assert!((1..=most).contains(&again), "pages of {size}: {again}");
        let expected = all(&index.documents);
        assert_eq!(sorted(delivered), expected, "pages of {size}");
    }
}

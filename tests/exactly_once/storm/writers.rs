//! Who writes to the cluster while the program is being killed, and what they wrote.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::SETTLE;
use crate::support::servers::Cluster;

/// Writers at the same time, so that sequence numbers and timestamps go different ways.
const WRITERS: u64 = 3;
/// How far behind the clock timestamps are, in milliseconds: some documents are late.
const LAGS_MS: [u64; 6] = [0, 0, 0, 40, 150, 400];
/// Documents that were written so lately may be written again.
const RECENT_MAX: usize = 500;

/// A version of a document, as the cluster numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    pub seq_no: u64,
    pub primary_term: u64,
}

/// Everything that was written.
#[derive(Default)]
pub struct Written {
    pub versions: HashSet<(String, Version)>,
    /// The documents that one write of made visible only after the settle time: the
    /// machine was too slow for what the configuration promises.
    pub excused: HashSet<String>,
    pub too_late: usize,
}

/// Writes until it is over.
pub async fn write(cluster: &Cluster, index: &str, seed: u64, over: &AtomicBool) -> Written {
    let writers = (0..WRITERS).map(async |number| {
        let mut writer = Writer::new(cluster, index, seed, number);
        while !over.load(Ordering::Relaxed) {
            writer.bulk().await;
        }
        writer.written
    });
    let mut all = Written::default();
    for written in futures::future::join_all(writers).await {
        all.versions.extend(written.versions);
        all.excused.extend(written.excused);
        all.too_late += written.too_late;
    }
    let (late, total) = (all.too_late, all.versions.len());
    assert!(
        late * 10 <= total,
        "{late} of {total} were visible too late"
    );
    all
}

struct Writer<'a> {
    cluster: &'a Cluster,
    path: String,
    number: u64,
    random: StdRng,
    recent: Vec<String>,
    documents: usize,
    written: Written,
}

impl<'a> Writer<'a> {
    fn new(cluster: &'a Cluster, index: &str, seed: u64, number: u64) -> Self {
        Self {
            cluster,
            // Answers when everything is visible, which says how long that took.
            path: format!("/{index}/_bulk?refresh=wait_for"),
            number,
            random: StdRng::seed_from_u64(seed ^ (number + 1)),
            recent: Vec::new(),
            documents: 0,
            written: Written::default(),
        }
    }

    async fn bulk(&mut self) {
        let now_ms = now_ms();
        let count = self.random.random_range(1..60);
        let lines: String = (0..count).map(|_| self.document(now_ms)).collect();
        let answer = self.cluster.call("POST", &self.path, lines).await.ok();
        assert_eq!(answer["errors"], false, "{answer}");
        let oldest_ms = now_ms - LAGS_MS.iter().max().unwrap();
        let in_time = Duration::from_millis(self::now_ms() - oldest_ms) < SETTLE;
        for item in answer["items"].as_array().unwrap() {
            self.note(&item["index"], in_time);
        }
        let pause = Duration::from_millis(self.random.random_range(0..100));
        tokio::time::sleep(pause).await;
    }

    /// A new document or, one time in four, a new version of a recent one; a timestamp is
    /// shared by about ten.
    fn document(&mut self, now_ms: u64) -> String {
        let again = self.random.random_bool(0.25);
        let known = self.recent.choose(&mut self.random).filter(|_| again);
        let id = known.cloned().unwrap_or_else(|| {
            self.documents += 1;
            format!("{}-{}", self.number, self.documents)
        });
        let lag_ms = LAGS_MS.choose(&mut self.random).unwrap();
        let timestamp = (now_ms - lag_ms) / 10 * 10;
        let action = json!({"index": {"_id": id}});
        let source = json!({"@timestamp": timestamp, "writer": self.number});
        format!("{action}\n{source}\n")
    }

    fn note(&mut self, item: &Value, in_time: bool) {
        let id = item["_id"].as_str().unwrap().to_owned();
        if !in_time {
            self.written.too_late += 1;
            self.written.excused.insert(id.clone());
        }
        self.written.versions.insert((id.clone(), version(item)));
        self.recent.push(id);
        let surplus = self.recent.len().saturating_sub(RECENT_MAX);
        self.recent.drain(..surplus);
    }
}

/// The version in an item or a hit.
pub fn version(item: &Value) -> Version {
    Version {
        seq_no: item["_seq_no"].as_u64().unwrap(),
        primary_term: item["_primary_term"].as_u64().unwrap(),
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

//! What others do while the source runs: documents written, changed and made visible, and
//! another producer's messages.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Options};
use elasticsearch_source::publisher::destination::Message;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Deserialize;
use serde_json::json;

use super::broker::{Broker, Name};
use super::scenario::Scenario;
use super::stage::BEGIN_MS;

const INDICES: [(&str, usize); 2] = [("logs-a", 2), ("logs-b", 1)];
/// From the beginning to the last write.
const WRITING_MS: u64 = 40_000;
/// A document is visible so long after it was written.
const REFRESH_MS: u64 = 1_000;
/// When every document is old enough to be read.
pub const END_MS: u64 = BEGIN_MS + WRITING_MS + 8_000;

/// Index and `_id`.
pub type Document = (String, String);

/// A value of what orders the documents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(untagged)]
pub enum Point {
    Number(i64),
    Text(String),
}

/// What a document was at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Its sequence number, or where there are none how many versions came before it.
    pub number: u64,
    pub point: Point,
    pub source: Bytes,
}

enum Event {
    Write {
        index: &'static str,
        id: String,
        timestamp_ms: u64,
    },
    Refresh(&'static str, usize),
    Produce(Name, u128),
}

/// Events to come, and what has come of the former ones.
pub struct Workload {
    events: VecDeque<(u64, Event)>,
    /// Every document with all its versions, the last one being what it is now.
    pub written: BTreeMap<Document, Vec<Version>>,
    /// Whether documents may appear behind the watermark.
    pub is_very_late: bool,
    pagination: &'static str,
    /// How often something was written.
    writes: usize,
}

impl Workload {
    /// The cluster at the beginning, and what happens later.
    pub fn begin(scenario: &Scenario, seed: u64) -> (MiniElasticsearch, Self) {
        let cluster = cluster(scenario);
        let mut plan = Plan {
            dice: StdRng::seed_from_u64(seed),
            events: Vec::new(),
            documents: 0,
        };
        plan.initial(scenario);
        plan.later(scenario);
        if scenario.foreign {
            plan.anothers(scenario);
        }
        plan.refreshes();
        let mut events = plan.events;
        events.sort_by_key(|(at_ms, _)| *at_ms);
        let mut workload = Self {
            events: events.into(),
            written: BTreeMap::new(),
            is_very_late: scenario.is_very_late(),
            pagination: scenario.pagination,
            writes: 0,
        };
        // What is there at the beginning is visible.
        workload.catch_up(BEGIN_MS - 1, &cluster, &mut Broker::default());
        cluster.refresh();
        (cluster, workload)
    }

    /// Lets everything happen that is due.
    pub fn catch_up(&mut self, now_ms: u64, cluster: &MiniElasticsearch, broker: &mut Broker) {
        while let Some((_, event)) = self.events.pop_front_if(|(at_ms, _)| *at_ms <= now_ms) {
            match event {
                Event::Write {
                    index,
                    id,
                    timestamp_ms,
                } => self.write(cluster, index, id, timestamp_ms),
                Event::Refresh(index, shard) => cluster.refresh_shard(index, shard),
                Event::Produce(topic, id) => {
                    broker.append(topic, &[anothers(id)]);
                }
            }
        }
    }

    fn write(&mut self, cluster: &MiniElasticsearch, index: &str, id: String, timestamp_ms: u64) {
        self.writes += 1;
        // Two writes share a number, and a text that is longer or shorter than others.
        let number = self.writes / 2;
        let text = format!("{:03}{}", number, "x".repeat(number % 3));
        let versions = self.written.entry((index.to_owned(), id.clone()));
        let versions = versions.or_default();
        let source = format!(
            "{{\"@timestamp\": {timestamp_ms}, \"number\": {number}, \"text\": \"{text}\", \"tie\": {}, \"version\": {}.0}}",
            id.trim_start_matches(['d', '0']).parse().unwrap_or(0),
            versions.len(),
        );
        let source = Bytes::from(source);
        let inserted = cluster.insert(index, Some(&id), source.clone()).unwrap();
        let point = match self.pagination {
            "sequence" | "number" => Point::Number(number as i64),
            "text" => Point::Text(text),
            "document_id" => Point::Text(id),
            _ => Point::Number(timestamp_ms as i64),
        };
        versions.push(Version {
            number: u64::try_from(inserted.seq_no).unwrap_or(versions.len() as u64),
            point,
            source,
        });
    }
}

/// Of all ids of a source without an `id_namespace`.
const ID_PREFIX: u128 = 0xaf55;

fn cluster(scenario: &Scenario) -> MiniElasticsearch {
    let cluster = MiniElasticsearch::without_network(Options {
        product: scenario.product,
        manual_refresh: true,
        recorded_max: 0,
        ..Options::default()
    });
    let mappings = json!({"properties": {
        "@timestamp": {"type": "date"},
        "number": {"type": "long"},
        "tie": {"type": "long"},
        "text": {"type": "keyword"},
    }});
    for (index, shards) in INDICES {
        let mut settings = json!({"number_of_shards": shards});
        if scenario.unnumbered {
            settings["index.disable_sequence_numbers"] = json!(true);
        }
        let created = cluster.create_index_with(index, &settings, &mappings);
        created.unwrap();
    }
    cluster
}

/// A message of the other producer.
fn anothers(id: u128) -> Message {
    Message {
        id,
        key: None,
        payload: Bytes::from_static(b"another's"),
        headers: vec![],
    }
}

struct Plan {
    dice: StdRng,
    events: Vec<(u64, Event)>,
    documents: usize,
}

impl Plan {
    fn initial(&mut self, scenario: &Scenario) {
        for n in 0..scenario.initial {
            let timestamp_ms = BEGIN_MS - 60_000 + 10 * (n / scenario.ties) as u64;
            self.write(BEGIN_MS - 20_000, timestamp_ms);
        }
    }

    fn later(&mut self, scenario: &Scenario) {
        for n in 0..scenario.later {
            let at_ms = BEGIN_MS + WRITING_MS * n as u64 / scenario.later as u64;
            let late_ms = self.dice.random_range(0..=scenario.late_ms);
            // Rounded, so that several share a timestamp.
            let timestamp_ms = (at_ms - late_ms) / 100 * 100;
            if scenario.updates && self.dice.random_bool(0.5) {
                self.update(at_ms, at_ms);
            } else {
                self.write(at_ms, timestamp_ms);
            }
        }
    }

    fn anothers(&mut self, scenario: &Scenario) {
        for _ in 0..self.dice.random_range(0..20) {
            let at_ms = BEGIN_MS + self.dice.random_range(0..WRITING_MS);
            let topic = self.dice.random_range(0..scenario.topics.len());
            let id = self.anothers_id();
            let event = Event::Produce(scenario.topics[topic].0, id);
            self.events.push((at_ms, event));
        }
    }

    /// Half of them look like those of another source with the same namespace.
    fn anothers_id(&mut self) -> u128 {
        let id = self.dice.random::<u128>();
        match self.dice.random_bool(0.5) {
            true => ID_PREFIX << 112 | id >> 16,
            false => id,
        }
    }

    fn refreshes(&mut self) {
        for (index, shards) in INDICES {
            for shard in 0..shards {
                let first = self.dice.random_range(0..REFRESH_MS);
                for at_ms in (first..WRITING_MS + 2 * REFRESH_MS).step_by(REFRESH_MS as usize) {
                    let event = Event::Refresh(index, shard);
                    self.events.push((BEGIN_MS + at_ms, event));
                }
            }
        }
    }

    fn write(&mut self, at_ms: u64, timestamp_ms: u64) {
        let number = self.documents;
        self.documents += 1;
        self.put(number, at_ms, timestamp_ms);
    }

    /// A document that is there already gets another timestamp.
    fn update(&mut self, at_ms: u64, timestamp_ms: u64) {
        if self.documents > 0 {
            let number = self.dice.random_range(0..self.documents);
            self.put(number, at_ms, timestamp_ms);
        }
    }

    fn put(&mut self, number: usize, at_ms: u64, timestamp_ms: u64) {
        let event = Event::Write {
            index: INDICES[number % INDICES.len()].0,
            id: format!("d{number:03}"),
            timestamp_ms,
        };
        self.events.push((at_ms, event));
    }
}

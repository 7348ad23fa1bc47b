//! What is read, and what is difficult about it.

use std::time::Duration;

use elasticsearch_source::mini_elasticsearch::Product;
use elasticsearch_source::publisher::destination::Message;
use elasticsearch_source::publisher::outbox::Delivery;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use super::broker::{Name, Refuses, is_refused};

/// One world to try. Documents come in two indices with three shards in all.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub product: Product,
    /// Documents that are there at the beginning.
    pub initial: usize,
    /// How many of them share a timestamp.
    pub ties: usize,
    /// Documents that come while the source runs.
    pub later: usize,
    /// Those come out of order, so many milliseconds late at most.
    pub late_ms: u64,
    /// Documents change between cycles.
    pub updates: bool,
    /// The indices keep no sequence numbers.
    pub unnumbered: bool,
    /// Another producer writes to the topics.
    pub foreign: bool,
    /// The topics take not every document; the others' dead letters have one of their own.
    pub refusals: bool,
    /// When the source starts for the second time, the clock is so much behind, and the
    /// settle time so much longer.
    pub second_start: SecondStart,
    /// Where they go, with the number of partitions.
    pub topics: &'static [(Name, usize)],
    /// Documents in a page.
    pub batch_size: u64,
    /// Ids that the edge holds.
    pub edge_max: u64,
    /// How to read: a pagination, or what the ids or timestamps are.
    pub pagination: &'static str,
    /// Slices, at the first start of the source and at every second one, and at the others.
    pub slices: (u32, u32),
    /// How long a save is postponed.
    pub auto_save: Option<&'static str>,
    /// After how many messages it comes at the latest.
    pub unsaved_max: u64,
    /// What is promised.
    pub delivery: Delivery,
}

/// What changes between the first two starts of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondStart {
    /// Nothing.
    Same,
    /// The clock is set back, by less than the settle time.
    ClockSetBack,
    /// The settle time is longer.
    SettleRaised,
}

/// A document may be so late, and visible so long after it was written, that it still comes
/// before the settle time of 5 s is over.
pub const LATE_MS: u64 = 3_000;
/// Behind the watermark, but inside the overlap.
const VERY_LATE_MS: u64 = 25_000;
/// By how much the clock is set back: less than the settle time.
const SET_BACK: Duration = Duration::from_secs(3);

const ONE: &[(Name, usize)] = &[(("s", "t"), 1)];
const SPREAD: &[(Name, usize)] = &[(("s", "t"), 3)];
const SEVERAL: &[(Name, usize)] = &[(("s", "t"), 1), (("s", "u"), 3)];

const PLAIN: Scenario = Scenario {
    name: "plain",
    product: Product::Elasticsearch,
    initial: 45,
    ties: 1,
    later: 20,
    late_ms: 0,
    updates: false,
    unnumbered: false,
    foreign: false,
    refusals: false,
    second_start: SecondStart::Same,
    topics: ONE,
    batch_size: 8,
    edge_max: 65_536,
    pagination: "timestamp",
    slices: (1, 1),
    auto_save: None,
    unsaved_max: 65_536,
    delivery: Delivery::ExactlyOnce,
};

/// The ones of which every operation is made to fail.
pub const SCENARIOS: [Scenario; 22] = [
    Scenario {
        name: "ties over pages",
        ties: 7,
        ..PLAIN
    },
    Scenario {
        name: "ties over pages of an opensearch",
        product: Product::OpenSearch,
        ties: 7,
        ..PLAIN
    },
    Scenario {
        name: "a group of equal timestamps larger than the edge",
        ties: 45,
        edge_max: 16,
        ..PLAIN
    },
    Scenario {
        name: "an edge that forgets",
        ties: 3,
        edge_max: 16,
        ..PLAIN
    },
    Scenario {
        name: "documents as late as the settle time allows",
        initial: 20,
        later: 40,
        late_ms: LATE_MS,
        ..PLAIN
    },
    Scenario {
        name: "documents later than the settle time",
        initial: 20,
        later: 40,
        late_ms: VERY_LATE_MS,
        ..PLAIN
    },
    Scenario {
        name: "slices, and another number of them after a restart",
        ties: 3,
        late_ms: VERY_LATE_MS,
        slices: (3, 2),
        ..PLAIN
    },
    Scenario {
        name: "scrolls",
        ties: 3,
        late_ms: LATE_MS,
        pagination: "scroll",
        ..PLAIN
    },
    Scenario {
        name: "scrolls of several segments",
        ties: 3,
        edge_max: 16,
        pagination: "scroll",
        ..PLAIN
    },
    Scenario {
        name: "offsets",
        initial: 20,
        later: 15,
        late_ms: VERY_LATE_MS,
        pagination: "offset",
        ..PLAIN
    },
    Scenario {
        name: "numbers that only grow",
        late_ms: LATE_MS,
        pagination: "sequence",
        ..PLAIN
    },
    Scenario {
        name: "texts that only grow",
        updates: true,
        edge_max: 16,
        pagination: "text",
        ..PLAIN
    },
    Scenario {
        name: "document ids of an opensearch",
        product: Product::OpenSearch,
        pagination: "document_id",
        ..PLAIN
    },
    Scenario {
        name: "updates between cycles",
        initial: 20,
        later: 40,
        updates: true,
        ..PLAIN
    },
    Scenario {
        name: "indices without sequence numbers",
        ties: 7,
        late_ms: LATE_MS,
        updates: true,
        unnumbered: true,
        edge_max: 40,
        ..PLAIN
    },
    Scenario {
        name: "several streams and partitions",
        ties: 3,
        topics: SEVERAL,
        ..PLAIN
    },
    Scenario {
        name: "another producer in the same topic",
        foreign: true,
        topics: SPREAD,
        ..PLAIN
    },
    Scenario {
        name: "documents that a topic refuses",
        initial: 30,
        refusals: true,
        topics: SEVERAL,
        ..PLAIN
    },
    Scenario {
        name: "nothing to publish for long",
        initial: 20,
        later: 0,
        foreign: true,
        ..PLAIN
    },
    Scenario {
        name: "a clock that is set back",
        ties: 3,
        auto_save: Some("25s"),
        second_start: SecondStart::ClockSetBack,
        ..PLAIN
    },
    Scenario {
        name: "a settle time that is raised",
        ties: 3,
        auto_save: Some("25s"),
        second_start: SecondStart::SettleRaised,
        ..PLAIN
    },
    Scenario {
        name: "saves far apart",
        ties: 3,
        foreign: true,
        topics: SEVERAL,
        auto_save: Some("25s"),
        ..PLAIN
    },
];

impl Scenario {
    /// Any mixture of all that.
    pub fn random(seed: u64) -> Self {
        use SecondStart::{ClockSetBack, Same, SettleRaised};
        let mut dice = StdRng::seed_from_u64(seed ^ 0x5ce0_a210);
        let mut coin = |probability| dice.random_bool(probability);
        let (late, very_late, updates, foreign) = (coin(0.5), coin(0.2), coin(0.3), coin(0.4));
        let (sliced, by_scroll, by_offset) = (coin(0.3), coin(0.2), coin(0.1));
        let (by_id, ids_stay) = (coin(0.2), !updates);
        let refusals = coin(0.2);
        let product = [Product::Elasticsearch, Product::OpenSearch][usize::from(coin(0.3))];
        let unnumbered = coin(0.2) && product == Product::Elasticsearch && !refusals;
        let batch_size = dice.random_range(4..=12);
        let initial = dice.random_range(0..=60);
        Self {
            name: "random",
            product,
            initial,
            ties: *[1, 2, 7, 30, initial.max(1)].choose(&mut dice).unwrap(),
            later: dice.random_range(0..=40),
            late_ms: match (late, very_late) {
                // What comes so late and what changes at once can make up for each other.
                (_, true) if !updates => VERY_LATE_MS,
                (true, _) => LATE_MS,
                _ => 0,
            },
            pagination: match (by_scroll && !sliced, by_offset && very_late && !sliced) {
                (true, _) => "scroll",
                (_, true) => "offset",
                _ if by_id && product == Product::OpenSearch && ids_stay => "document_id",
                _ if by_id => ["sequence", "number", "text"].choose(&mut dice).unwrap(),
                _ => "timestamp",
            },
            slices: *[(3, 2), (1, 3)]
                .choose(&mut dice)
                .filter(|_| sliced)
                .unwrap_or(&(1, 1)),
            updates,
            unnumbered,
            foreign,
            refusals,
            second_start: *[Same, Same, ClockSetBack, SettleRaised]
                .choose(&mut dice)
                .unwrap(),
            topics: [ONE, SPREAD, SEVERAL].choose(&mut dice).unwrap(),
            batch_size,
            edge_max: match very_late {
                true => 65_536,
                false => *[2 * batch_size, 40, 65_536].choose(&mut dice).unwrap(),
            },
            auto_save: *[None, Some("0s"), Some("7s"), Some("25s")]
                .choose(&mut dice)
                .unwrap(),
            unsaved_max: *[25, 65_536].choose(&mut dice).unwrap(),
            delivery: match dice.random_bool(0.05) {
                true => Delivery::AtLeastOnce,
                false => Delivery::ExactlyOnce,
            },
        }
    }

    /// One topic says what it refuses, the other refuses the whole request.
    pub fn way_of_refusing(&self, (_, topic): Name) -> Option<Refuses> {
        let way = match topic {
            "t" => Refuses::Named,
            _ => Refuses::Unnamed,
        };
        self.refusals.then_some(way)
    }

    /// Whether the topics refuse this document, or that whose dead letter it is.
    pub fn refuses(&self, message: &Message) -> bool {
        self.refusals && is_refused(message)
    }

    /// By how much the clock is set back before this start.
    pub fn set_back(&self, start: usize) -> Duration {
        match self.second_start {
            SecondStart::ClockSetBack if start == 1 => SET_BACK,
            _ => Duration::ZERO,
        }
    }

    /// Whether a document may appear behind the watermark.
    pub fn is_very_late(&self) -> bool {
        self.late_ms > LATE_MS
    }

    /// The component's part of the configuration, at this start of the source.
    pub fn config(&self, start: usize) -> Value {
        let is_raised = start > 0 && self.second_start == SecondStart::SettleRaised;
        let mut config = json!({
            "index": "logs-*",
            "batch_size": self.batch_size,
            "edge_max": self.edge_max.max(2 * self.batch_size),
            "slices": if start.is_multiple_of(2) { self.slices.0 } else { self.slices.1 },
            "settle": if is_raised { "9s" } else { "5s" },
        });
        let keys: &[(&str, &str)] = match self.pagination {
            "sequence" => &[
                ("timestamp_field", "number"),
                ("timestamp_unit", "sequence"),
            ],
            "number" => &[("pagination", "document_id"), ("id_field", "number")],
            "text" => &[("pagination", "document_id"), ("id_field", "text")],
            "document_id" => &[("pagination", "document_id")],
            way => &[("pagination", way), ("timestamp_field", "@timestamp")],
        };
        keys.iter()
            .for_each(|(key, value)| config[*key] = json!(value));
        if self.unnumbered {
            config["tiebreaker_field"] = json!("tie");
        }
        if let Some(auto_save) = self.auto_save {
            config["state"] =
                json!({"auto_save_interval": auto_save, "unsaved_max": self.unsaved_max});
        }
        config
    }
}

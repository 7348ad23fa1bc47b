//! What the cluster keeps for reading, scrolls and points in time: a body names one by its
//! id, which whoever has it may read and close. A source may use its own.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Deserialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

use super::found::Found;
use crate::component::Digest;
use crate::state_store::envelope::Envelope;

/// How many ids are remembered, the newest of them.
const KNOWN_MAX: usize = 1_024;
/// What servers take for the ids of everybody.
const ALL: &str = "_all";

/// The ids that are a source's own; all its instances share them.
#[derive(Debug, Clone, Default)]
pub struct Contexts(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    answered: Mutex<VecDeque<Digest>>,
    /// What stood in the state that the first instance found, which none had written yet.
    found: OnceLock<Found>,
}

/// A body that goes on with or closes what it names, and says nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(alias = "scroll_id", alias = "pit_id")]
    id: Ids,
    #[serde(rename = "scroll")]
    _scroll: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(String),
    Many(Vec<String>),
}

impl Contexts {
    /// The id in an answer to a request of this source is its own.
    pub fn remember(&self, answer: &[u8]) {
        let Some(id) = id(answer) else { return };
        let digest = Digest::of(id.as_bytes());
        let mut answered = self.answered();
        answered.retain(|known| *known != digest);
        answered.push_back(digest);
        if answered.len() > KNOWN_MAX {
            answered.pop_front();
        }
    }

    /// The ids in the first state that is found are its own, and those of no later one: a
    /// component writes into its state what it likes.
    pub fn restore(&self, state: Option<&Arc<Envelope>>) {
        let found = || state.map(|state| Found::of(state.data()));
        self.0.found.get_or_init(|| found().unwrap_or_default());
    }

    /// Whether all ids that a body names are its own.
    pub(super) fn are_own(&self, body: Option<&[u8]>) -> bool {
        let named = body.and_then(|body| serde_json::from_slice::<Named>(body).ok());
        match named.map(|named| named.id) {
            Some(Ids::One(id)) => self.is_own(&id),
            Some(Ids::Many(ids)) => {
                (1..=KNOWN_MAX).contains(&ids.len()) && ids.iter().all(|id| self.is_own(id))
            }
            None => false,
        }
    }

    pub(crate) fn is_own(&self, id: &str) -> bool {
        let answered = || self.answered().contains(&Digest::of(id.as_bytes()));
        id != ALL && (answered() || self.was_found(id))
    }

    fn was_found(&self, id: &str) -> bool {
        self.0.found.get().is_some_and(|found| found.has(id))
    }

    fn answered(&self) -> MutexGuard<'_, VecDeque<Digest>> {
        let answered = self.0.answered.lock();
        answered.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The id at the top of an answer. Servers write it first, and the rest is not read.
fn id(answer: &[u8]) -> Option<String> {
    let mut id = None;
    let mut answer = serde_json::Deserializer::from_slice(answer);
    // Fails wherever the reading ends early.
    let _ = answer.deserialize_map(Top(&mut id));
    id
}

struct Top<'a>(&'a mut Option<String>);

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut answer: A) -> Result<(), A::Error> {
        while let Some(key) = answer.next_key::<String>()? {
            if matches!(key.as_str(), "_scroll_id" | "id" | "pit_id") {
                *self.0 = Some(answer.next_value()?);
                break;
            }
            answer.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(data: &str) -> Arc<Envelope> {
        let document = format!(r#"{{"id":"s","version":1,"data":{data}}}"#);
        Arc::new(Envelope::read(document.as_bytes()).unwrap())
    }

    #[test]
    fn an_id_is_its_own_if_an_answer_or_the_first_state_has_it() {
        let contexts = Contexts::default();
        for answer in [
            r#"{"id":"opened"}"#,
            r#"{"pit_id":"page","took":1,"hits":{"hits":[{"id":"hit"}]}}"#,
            r#"{"took":1,"_scroll_id":"cut","hits":{"#,
            r#"{"error":{"id":"error"}}"#,
            r#"{"id":{"pit_id":"nested"}}"#,
            r#"{"pit_id":"_all"}"#,
            "[]",
        ] {
            contexts.remember(answer.as_bytes());
        }
        contexts.restore(Some(&state(r#"{"last":"saved","all":"_all"}"#)));
        contexts.restore(Some(&state(r#"{"last":"forged"}"#)));
        let rows = [
            (r#"{"id":"opened"}"#, true),
            (r#"{"scroll_id":"page","scroll":"1m"}"#, true),
            (r#"{"pit_id":["cut","saved"]}"#, true),
            (r#"{"id":"hit"}"#, false),
            (r#"{"id":"error"}"#, false),
            (r#"{"id":"nested"}"#, false),
            (r#"{"id":"forged"}"#, false),
            (r#"{"id":"aved"}"#, false),
            (r#"{"id":"_all"}"#, false),
            (r#"{"pit_id":["opened","forged"]}"#, false),
            (r#"{"pit_id":[]}"#, false),
            (r#"{"id":"opened","pit_id":["forged"]}"#, false),
            (r#"{"id":"opened","ids":["forged"]}"#, false),
            ("{}", false),
            ("id: opened", false),
        ];
        for (body, own) in rows {
            assert_eq!(contexts.are_own(Some(body.as_bytes())), own, "{body}");
        }
        assert!(!contexts.are_own(None));
    }

    #[test]
    fn the_newest_ids_are_remembered_and_no_more_than_a_limit() {
        let contexts = Contexts::default();
        let answer = |number| format!(r#"{{"id":"{number}"}}"#);
        for number in 0..KNOWN_MAX {
            contexts.remember(answer(number).as_bytes());
        }
        contexts.remember(answer(0).as_bytes());
        contexts.remember(answer(KNOWN_MAX).as_bytes());
        let own = [0, 1, 2].map(|number| contexts.is_own(&number.to_string()));
        assert_eq!(own, [true, false, true]);
    }

    #[test]
    fn a_source_that_found_no_state_trusts_none_that_it_wrote() {
        let contexts = Contexts::default();
        contexts.restore(None);
        contexts.restore(Some(&state(r#"{"last":"forged"}"#)));
        assert!(!contexts.is_own("forged"));
    }
}

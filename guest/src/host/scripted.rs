//! A host whose cluster answers as a test has it, and which keeps what is asked and said.

use serde_json::Value;

use super::{Answer, Found, Host, Level, Published, Saved, SavedOutput};
use crate::cluster::request::Request;
use crate::error::Error;
use crate::message::Message;
use crate::state::Mark;

/// See above.
pub(crate) struct Scripted<F> {
    answer: F,
    /// The paths and bodies that were asked for.
    pub(crate) asked: Vec<(String, Value)>,
    /// The messages of the log.
    pub(crate) said: Vec<String>,
}

impl<F: FnMut(&Request) -> (u16, Value)> Scripted<F> {
    /// A host that has no state.
    pub(crate) fn new(answer: F) -> Self {
        Self {
            answer,
            asked: Vec::new(),
            said: Vec::new(),
        }
    }
}

impl<F: FnMut(&Request) -> (u16, Value)> Host for Scripted<F> {
    type Body = ();
    type Fetch = (u16, Value);
    type Publish = ();
    type Save = ();

    fn fetch(&mut self, request: &Request) -> (u16, Value) {
        let body = request.body.clone().unwrap_or_default();
        self.asked.push((request.path.clone(), body));
        (self.answer)(request)
    }

    fn fetched(&mut self, (status, body): (u16, Value)) -> Result<Answer<()>, Error> {
        Ok(Answer {
            status,
            headers: Vec::new(),
            bytes: body.to_string().into_bytes(),
            body: (),
            at_ms: 0,
        })
    }

    fn publish(&mut self, (): &(), _: Vec<Message>) {}

    fn published(&mut self, (): ()) -> Result<Published, Error> {
        Ok(Published {
            position: Vec::new(),
            dead_lettered: 0,
            unclaimed: 0,
            at_ms: 0,
        })
    }

    fn resume(&mut self, _: Option<SavedOutput<'_>>, _: u16) -> Result<Found, Error> {
        Ok(Found {
            ends: Vec::new(),
            unclaimed: 0,
        })
    }

    fn ends(&mut self) -> Result<Vec<Mark>, Error> {
        Ok(Vec::new())
    }

    fn forget_unclaimed(&mut self) {}

    fn load(&mut self) -> Result<Option<Saved>, Error> {
        Ok(None)
    }

    fn save(&mut self, _: Vec<u8>, _: u32, _: Option<&str>) {}

    fn saved(&mut self, (): ()) -> Result<String, Error> {
        Ok("1".to_owned())
    }

    fn log(&mut self, _: Level, message: &str, _: &[(&str, String)]) {
        self.said.push(message.to_owned());
    }
}

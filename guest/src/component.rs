//! The shell: the core's traits over the generated bindings. Nothing else names those.

use std::cell::RefCell;

use crate::cluster::request::{Method, Request};
use crate::cluster::shards::Slice;
use crate::error::Error;
use crate::host::{Answer, Found, Host, Level, Published, Saved, SavedOutput};
use crate::message::{HeaderValue, Message};
use crate::payload::Payload;
use crate::reader::Budget;
use crate::source::Source;
use crate::state::{FORMAT, Mark, State, Stretch};

use self::bindings::exports::iggy::connector::source as exported;
use self::bindings::iggy::connector::{http, log, publisher, state};

#[expect(unsafe_code, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ path: "../wit", world: "source-connector" });
    use super::Component;
    export!(Component);
}

struct Component;

thread_local! {
    static SOURCE: RefCell<Option<Source<Imports>>> = const { RefCell::new(None) };
}

impl exported::Guest for Component {
    fn describe() -> exported::Description {
        exported::Description {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state_format: FORMAT,
        }
    }

    fn open(config: String, now_ms: u64) -> Result<(), exported::Error> {
        let source = Source::open(Imports, &config, now_ms)?;
        SOURCE.set(Some(source));
        Ok(())
    }

    fn poll(now_ms: u64, budget: exported::Budget) -> Result<exported::Polled, exported::Error> {
        let budget = Budget {
            pages: budget.pages,
            milliseconds: budget.milliseconds,
        };
        let done = with_source(|source| source.poll(now_ms, budget))?;
        Ok(exported::Polled {
            documents: done.documents,
            more: done.more,
            wait_hint_ms: done.wait_ms,
        })
    }

    fn backlog(now_ms: u64) -> Result<exported::Undelivered, exported::Error> {
        let backlog = with_source(|source| source.backlog(now_ms))?;
        Ok(exported::Undelivered {
            beyond_horizon: backlog.beyond_horizon,
            without_timestamp: backlog.without_timestamp,
        })
    }

    fn migrate_state(data: Vec<u8>, from_format: u32) -> Result<Vec<u8>, exported::Error> {
        Ok(State::parse(&data, from_format)?.to_json(None)?)
    }

    fn reslice_states(
        before: Vec<exported::SavedState>,
        slice: exported::Slice,
    ) -> Result<Vec<u8>, exported::Error> {
        let before = before.into_iter();
        let before = before.map(|saved| State::parse(&saved.data, saved.format));
        let before = before.collect::<Result<Vec<_>, _>>()?;
        let slice = Slice {
            number: slice.number,
            of: slice.of,
        };
        Ok(State::of_slice(&before, slice)?.to_json(None)?)
    }

    fn close() -> Result<(), exported::Error> {
        with_source(Source::close)?;
        SOURCE.set(None);
        Ok(())
    }
}

fn with_source<T>(call: impl FnOnce(&mut Source<Imports>) -> Result<T, Error>) -> Result<T, Error> {
    SOURCE.with_borrow_mut(|source| match source {
        Some(source) => call(source),
        None => Err(Error::permanent("the source is not open")),
    })
}

/// The host's capabilities.
struct Imports;

impl Host for Imports {
    type Body = http::Body;
    type Fetch = http::Pending;
    type Publish = publisher::Pending;
    type Save = state::Pending;

    fn fetch(&mut self, request: &Request) -> http::Pending {
        let json = http::Header {
            name: "content-type".to_owned(),
            value: "application/json".to_owned(),
        };
        http::submit(&http::Request {
            method: method(request.method),
            path: request.path.clone(),
            headers: request.body.iter().map(|_| json.clone()).collect(),
            body: request
                .body
                .as_ref()
                .map(|body| body.to_string().into_bytes()),
        })
    }

    fn fetched(&mut self, fetch: http::Pending) -> Result<Answer<http::Body>, Error> {
        let response = fetch.wait()?;
        let headers = response
            .headers
            .into_iter()
            .map(|header| (header.name, header.value))
            .collect();
        Ok(Answer {
            status: response.status,
            headers,
            bytes: response.body.read(),
            body: response.body,
            at_ms: response.at_ms,
        })
    }

    fn publish(&mut self, body: &http::Body, messages: Vec<Message>) -> publisher::Pending {
        let messages: Vec<_> = messages.into_iter().map(message).collect();
        publisher::submit(body, &messages)
    }

    fn published(&mut self, publish: publisher::Pending) -> Result<Published, Error> {
        let published = publish.wait()?;
        Ok(Published {
            position: published.position.into_iter().map(mark).collect(),
            dead_lettered: published.dead_lettered,
            unclaimed: published.unclaimed,
            at_ms: published.at_ms,
        })
    }

    fn resume(&mut self, saved: Option<SavedOutput<'_>>, id_prefix: u16) -> Result<Found, Error> {
        let saved = saved.map(|saved| publisher::SavedOutput {
            position: saved.position.iter().map(to_mark).collect(),
            uncovered: saved.uncovered.iter().map(to_stretch).collect(),
            settled: saved.settled,
        });
        let found = publisher::resume(saved.as_ref(), id_prefix)?;
        Ok(Found {
            ends: found.position.into_iter().map(mark).collect(),
            unclaimed: found.unclaimed,
        })
    }

    fn ends(&mut self) -> Result<Vec<Mark>, Error> {
        Ok(publisher::ends()?.into_iter().map(mark).collect())
    }

    fn forget_unclaimed(&mut self) {
        publisher::forget_unclaimed();
    }

    fn load(&mut self) -> Result<Option<Saved>, Error> {
        let saved = state::load()?;
        Ok(saved.map(|saved| Saved {
            data: saved.data,
            format: saved.format,
            revision: saved.revision,
        }))
    }

    fn save(&mut self, data: Vec<u8>, format: u32, expected: Option<&str>) -> state::Pending {
        state::submit(&data, format, expected)
    }

    fn saved(&mut self, save: state::Pending) -> Result<String, Error> {
        Ok(save.wait()?)
    }

    fn log(&mut self, level: Level, message: &str, fields: &[(&str, String)]) {
        let level = match level {
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| log::Field {
                name: (*name).to_owned(),
                value: value.clone(),
            })
            .collect();
        log::write(level, message, &fields);
    }
}

const fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::Get,
        Method::Post => http::Method::Post,
        Method::Delete => http::Method::Delete,
    }
}

fn message(message: Message) -> publisher::Message {
    let high = u64::try_from(message.id >> 64).unwrap_or_default();
    let low = u64::try_from(message.id & u128::from(u64::MAX)).unwrap_or_default();
    publisher::Message {
        id: publisher::MessageId { high, low },
        payload: match message.payload {
            Payload::Span { offset, length } => {
                publisher::Payload::Span(publisher::Span { offset, length })
            }
            Payload::Own(text) => publisher::Payload::Bytes(text.into()),
        },
        headers: message.headers.into_iter().map(header).collect(),
    }
}

fn header((name, value): (&str, HeaderValue)) -> publisher::Header {
    let value = match value {
        HeaderValue::Text(text) => publisher::HeaderValue::Text(text),
        HeaderValue::Unsigned(number) => publisher::HeaderValue::Unsigned(number),
    };
    publisher::Header {
        name: name.to_owned(),
        value,
    }
}

fn mark(mark: publisher::Mark) -> Mark {
    Mark {
        stream: mark.stream,
        topic: mark.topic,
        partition: mark.partition,
        next: mark.next,
    }
}

fn to_mark(mark: &Mark) -> publisher::Mark {
    publisher::Mark {
        stream: mark.stream.clone(),
        topic: mark.topic.clone(),
        partition: mark.partition,
        next: mark.next,
    }
}

fn to_stretch(stretch: &Stretch) -> publisher::Stretch {
    publisher::Stretch {
        stream: stretch.stream.clone(),
        topic: stretch.topic.clone(),
        partition: stretch.partition,
        from: stretch.from,
        to: stretch.to,
    }
}

impl From<Error> for exported::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Transient {
                message,
                retry_after_ms,
            } => Self::Transient(exported::Setback {
                message,
                retry_after_ms,
            }),
            Error::Permanent(message) | Error::TooLarge(message) => Self::Permanent(message),
            Error::InvalidConfig { key, message } => {
                Self::InvalidConfig(exported::WrongKey { key, message })
            }
            Error::Conflict(message) => Self::Conflict(message),
        }
    }
}

impl From<http::HttpError> for Error {
    fn from(error: http::HttpError) -> Self {
        match error {
            http::HttpError::Denied(what) => Self::permanent(what),
            http::HttpError::TooLarge(limit) => Self::TooLarge(format!(
                "an answer of the cluster is larger than {limit} bytes; lower \"batch_size\", or raise \"max_response_bytes\""
            )),
            http::HttpError::Connect(what)
            | http::HttpError::Timeout(what)
            | http::HttpError::Protocol(what) => Self::transient(what),
        }
    }
}

impl From<publisher::PublishError> for Error {
    fn from(error: publisher::PublishError) -> Self {
        if error.transient {
            Self::transient(error.message)
        } else {
            Self::Permanent(error.message)
        }
    }
}

impl From<state::StateError> for Error {
    fn from(error: state::StateError) -> Self {
        match error {
            state::StateError::Conflict(message) => Self::Conflict(message),
            state::StateError::Unavailable(message) => Self::transient(message),
            state::StateError::Corrupt(message) => Self::Permanent(message),
        }
    }
}

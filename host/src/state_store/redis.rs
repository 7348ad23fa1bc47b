//! States in Redis: a hash `KEY_PREFIX` + name, with the fields `state` and `revision`.
//!
//! Compare-and-swap is a script in the server, so that nothing can come in between. A
//! revision is drawn at random by whoever saves: it never comes again, not even after the
//! record was removed. What Redis keeps over a crash is for its own configuration to say
//! (`appendonly`); a server that may evict a state is refused.

mod connection;
mod server;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use redis::{Cmd, cmd};

use super::{
    LISTED_MAX, Listed, Records, STATE_MAX, StoreError, Stored, aside, check_id, check_size,
    check_stored, too_many,
};
use connection::Connection;

/// Saves if the stored revision is the expected one, empty for none; says what it was, `?`
/// if there is something without revision or state.
const SAVE: &str = "
local stored = redis.call('HGET', KEYS[1], 'revision') or ''
if stored == '' or redis.call('HSTRLEN', KEYS[1], 'state') == 0 then
    stored = redis.call('EXISTS', KEYS[1]) == 1 and '?' or ''
end
if stored == ARGV[1] then
    redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'state', ARGV[3])
end
return stored";

/// Removes in the same way.
const REMOVE: &str = "
local stored = redis.call('HGET', KEYS[1], 'revision') or ''
if stored ~= '' and stored == ARGV[1] then redis.call('DEL', KEYS[1]) end
return stored";

/// Renames in the same way; what can not be loaded, whatever it is, has the revision `?`.
const SET_ASIDE: &str = "
local stored, key = '', KEYS[1]
if redis.call('EXISTS', key) == 1 then
    stored = '?'
    if redis.call('TYPE', key).ok == 'hash' then
        local length = redis.call('HSTRLEN', key, 'state')
        local revision = redis.call('HGET', key, 'revision') or ''
        if revision ~= '' and length > 0 and length <= tonumber(ARGV[2]) then
            stored = revision
        end
    end
end
if stored ~= '' and stored == ARGV[1] then redis.call('RENAME', key, KEYS[2]) end
return stored";

/// What stands for the revision of what can not be loaded.
const UNREADABLE: &str = "?";

/// How to reach a Redis.
pub struct RedisConfig {
    /// `redis://` or `rediss://`, with user, password and number of the database.
    pub url: String,
    /// The same without user and password, for messages.
    pub address: String,
    /// What the keys begin with.
    pub key_prefix: String,
    /// How long one call may take, connecting included.
    pub timeout: Duration,
}

/// The records of a Redis under a prefix.
pub struct RedisRecords {
    connection: Connection,
    key_prefix: String,
}

impl RedisRecords {
    /// Connects, and looks at how the server keeps what it is given.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if it evicts keys, or is not to be used like this.
    pub async fn open(config: RedisConfig) -> Result<Self, StoreError> {
        let key_prefix = config.key_prefix.clone();
        let connection = Connection::new(config)?;
        server::check(&connection).await?;
        Ok(Self {
            connection,
            key_prefix,
        })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.key_prefix)
    }

    async fn read(&self, name: &str) -> Result<Option<Stored>, StoreError> {
        let (key, place) = (self.key(name), self.describe(name));
        let mut length = cmd("HSTRLEN");
        length.arg(&key).arg("state");
        if self.connection.query::<usize>(&length, &place).await? > STATE_MAX {
            return Err(StoreError::too_large(&place));
        }
        let mut read = cmd("HMGET");
        read.arg(&key).arg("revision").arg("state");
        let fields: (Option<String>, Option<Vec<u8>>) =
            self.connection.query(&read, &place).await?;
        match fields {
            (None, None) if !self.exists(name).await? => Ok(None),
            (Some(revision), Some(state)) if !revision.is_empty() => {
                check_stored(&place, state.into(), revision).map(Some)
            }
            _ => Err(StoreError::corrupt(
                &place,
                "the hash lacks the field revision or state",
            )),
        }
    }

    /// Whether there is a hash that has neither of the two fields.
    async fn exists(&self, name: &str) -> Result<bool, StoreError> {
        let exists = Cmd::exists(self.key(name));
        self.connection.query(&exists, &self.describe(name)).await
    }

    /// Runs a script on one record, and the name under which it would be set aside, and
    /// compares the revision that it found.
    async fn swap(
        &self,
        script: &str,
        name: &str,
        expected: Option<&str>,
        values: &[&[u8]],
    ) -> Result<(), StoreError> {
        let place = self.describe(name);
        let mut call = cmd("EVAL");
        call.arg(script).arg(2);
        call.arg(self.key(name)).arg(self.key(&aside(name)));
        call.arg(match expected {
            // None that was ever given, while the script takes it for no record.
            Some("") => "-",
            expected => expected.unwrap_or_default(),
        });
        for value in values {
            call.arg(*value);
        }
        let stored: String = self.connection.query(&call, &place).await?;
        let stored = Some(stored.as_str()).filter(|stored| !stored.is_empty());
        match stored == expected {
            true => Ok(()),
            false => Err(StoreError::conflict(&place, stored, expected)),
        }
    }

    async fn states(&self) -> Result<Vec<Listed>, StoreError> {
        let place = self.describe("*");
        let pattern = format!("{}*", literally(&self.key_prefix));
        let (mut names, mut cursor) = (BTreeSet::new(), 0_u64);
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern);
            scan.arg("COUNT").arg(1_000).arg("TYPE").arg("hash");
            let (next, keys): (u64, Vec<Vec<u8>>) = self.connection.query(&scan, &place).await?;
            let keys = keys
                .into_iter()
                .filter_map(|key| String::from_utf8(key).ok());
            names.extend(
                keys.filter_map(|key| Some(key.strip_prefix(&self.key_prefix)?.to_owned())),
            );
            if names.len() > LISTED_MAX {
                return Err(too_many(&place));
            }
            if next == 0 {
                break;
            }
            cursor = next;
        }
        let states = names.into_iter().filter(|name| check_id(name).is_ok());
        Ok(states
            .map(|name| Listed {
                name,
                bytes: None,
                changed: None,
            })
            .collect())
    }
}

/// A prefix as a pattern that stands for itself.
fn literally(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len());
    for character in prefix.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

impl Records for RedisRecords {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.read(name).boxed()
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        async move {
            check_size(&self.describe(name), &bytes)?;
            let revision = format!("{:032x}", rand::random::<u128>());
            let values = [revision.as_bytes(), &bytes];
            self.swap(SAVE, name, expected, &values).await?;
            Ok(revision)
        }
        .boxed()
    }

    fn remove<'a>(
        &'a self,
        name: &'a str,
        expected: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.swap(REMOVE, name, Some(expected), &[]).boxed()
    }

    fn set_aside<'a>(
        &'a self,
        name: &'a str,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        async move {
            let expected = expected.unwrap_or(UNREADABLE);
            let limit = STATE_MAX.to_string();
            self.swap(SET_ASIDE, name, Some(expected), &[limit.as_bytes()])
                .await?;
            Ok(Some(self.describe(&aside(name))))
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>> {
        self.states().boxed()
    }

    fn describe(&self, name: &str) -> String {
        let address = self.connection.address();
        format!("redis key {} at {address}", self.key(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_no_pattern() {
        for (prefix, pattern) in [
            ("connector_states:", "connector_states:"),
            ("a*b?[c]\\", "a\\*b\\?\\[c\\]\\\\"),
        ] {
            assert_eq!(literally(prefix), pattern);
        }
    }
}

//! From a page to messages, and to their acknowledgement.

use super::Reader;
use crate::cluster::answer::Page;
use crate::error::Error;
use crate::host::{Answer, Host};
use crate::message::{Message, headers};
use crate::paging::progress::Plan;
use crate::payload::Payload;

impl<H: Host> Reader<'_, H> {
    /// Publishes what is new in a page, and takes note once it is acknowledged.
    pub(super) fn deliver(
        &mut self,
        answer: &Answer<H::Body>,
        page: &Page<'_>,
        plan: &Plan,
        asked_ms: u64,
    ) -> Result<u64, Error> {
        let hits = plan
            .publish
            .iter()
            .filter_map(|(at, id)| Some((page.hits.get(*at)?, *id)));
        let messages = hits.map(|(hit, id)| {
            Ok(Message {
                id,
                payload: Payload::of(hit, &self.config.content, &answer.bytes)?,
                headers: headers(hit),
            })
        });
        let messages = messages.collect::<Result<Vec<_>, Error>>()?;
        let (documents, bytes) = (
            messages.len() as u64,
            messages.iter().map(|m| m.payload.length()).sum(),
        );
        if documents == 0 {
            return Ok(0);
        }
        let publish = self.client.host.publish(&answer.body, messages);
        let published = self
            .client
            .host
            .published(publish)
            .inspect_err(|_| self.output.failed(self.client.now_ms))?;
        let at_ms = published.at_ms;
        self.client.now_ms = at_ms;
        self.state.dead_lettered += u64::from(published.dead_lettered);
        self.output.acknowledged(published, self.state);
        let last = plan.publish.last().and_then(|(at, _)| page.hits.get(*at));
        self.state.last_document_id = last.map(|hit| hit.id.clone().into_owned());
        self.state
            .count_batch(documents, bytes, at_ms.saturating_sub(asked_ms));
        Ok(documents)
    }
}

//! Documents that are no states make way for those that are.

use reqwest::Method;

use super::ElasticsearchRecords;
use super::answer::{Written, failed, parse};
use crate::state_store::{Records as _, StoreError, aside, check_aside};

impl ElasticsearchRecords {
    /// A copy is kept of what can be read.
    pub(super) async fn move_aside(
        &self,
        name: &str,
        expected: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        let (place, kept) = (self.describe(name), aside(name));
        // Asked for first: what is read after that is this revision, or can not be removed.
        let revision = self.revision(name).await?;
        let loaded = self.read(name).await;
        let Some(stored) = check_aside(&place, loaded, expected)? else {
            return self.delete(name, &revision).await.map(|()| None);
        };
        let path = self.path("_doc", &kept);
        let copied = self.send(&place, Method::PUT, path, Some(stored.bytes));
        match copied.await? {
            copied if matches!(copied.status, 200 | 201) => {}
            refused => return Err(failed(&place, &refused)),
        }
        self.delete(name, &stored.revision).await?;
        Ok(Some(self.describe(&kept)))
    }

    /// That of a document however large, or of none.
    async fn revision(&self, name: &str) -> Result<String, StoreError> {
        let (place, path) = (self.describe(name), self.path("_doc", name));
        let path = format!("{path}?_source=false");
        let answer = self.send(&place, Method::GET, path, None).await?;
        match answer.status {
            200 => Ok(parse::<Written>(&place, &answer.body)?.revision()),
            404 => Ok(String::new()),
            _ => Err(failed(&place, &answer)),
        }
    }
}

//! The backends, each with an empty place of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use elasticsearch_source::cluster::{Cluster, ClusterConfig};
use elasticsearch_source::config::Access;
use elasticsearch_source::mini_elasticsearch::{
    Effect, Fault, MiniElasticsearch, Options, Product,
};
use elasticsearch_source::state_store::{
    ElasticsearchRecords, FileRecords, LeaseTerms, OnConflict, Records, RedisConfig, RedisRecords,
    STATE_MAX, States, StoreError,
};
use reqwest::{Client, Method, Url};

/// Short, so that a test can wait for its end.
pub const TERMS: LeaseTerms = LeaseTerms {
    time: Duration::from_secs(1),
    request: Duration::ZERO,
};

/// Long for a server that is well.
const TIMEOUT: Duration = Duration::from_secs(5);

type Opened = Result<Arc<dyn Records>, StoreError>;

/// What a damaged file or hash may hold.
const DAMAGES: &[&str] = &["", "{\"id\":\"id\",\"ver", "\0\0\0\0"];

/// A backend with an empty place of its own.
pub trait Backend {
    /// The records, over a connection of their own.
    async fn records(&self) -> Opened;

    /// The states, as another process has them.
    async fn states(&self) -> Result<States, StoreError> {
        Ok(States::shared(self.records().await?, TERMS))
    }

    /// What can stand in the place of a state that no save left there.
    fn damages(&self) -> &'static [&'static str] {
        DAMAGES
    }

    /// Puts that there.
    async fn damage(&self, state_id: &str, damage: &'static str);

    /// Takes a state in a place where nothing can be written.
    async fn open_unwritable(&self) -> Result<(), StoreError>;

    /// Removes what is left.
    async fn clean(&self) {}
}

/// A name that no other test has.
fn own_name() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    format!(
        "elasticsearch-source-test-{}-{number}-states",
        std::process::id()
    )
}

/// The address of a server that is real.
fn address(variable: &str) -> Url {
    let url = std::env::var(variable);
    let url = url.unwrap_or_else(|_| {
        panic!("{variable} was set when the tests were built and is not set now")
    });
    url.parse().unwrap()
}

/// A folder.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Backend for Files {
    async fn records(&self) -> Opened {
        Ok(Arc::new(FileRecords::open(self.0.path()).await?))
    }

    async fn states(&self) -> Result<States, StoreError> {
        States::in_files(self.0.path().to_owned()).await
    }

    async fn damage(&self, state_id: &str, damage: &'static str) {
        std::fs::write(self.0.path().join(format!("{state_id}.json")), damage).unwrap();
    }

    /// Below a regular file, where not even root can write.
    async fn open_unwritable(&self) -> Result<(), StoreError> {
        let file = self.0.path().join("file");
        std::fs::write(&file, "").unwrap();
        let states = States::in_files(file.join("states")).await?;
        states.hold("id", OnConflict::Stop).await.map(drop)
    }
}

/// An index of a cluster.
pub struct Clusters {
    pub url: Url,
    mini: Option<MiniElasticsearch>,
    index: String,
}

impl Clusters {
    pub fn in_process(product: Product) -> Self {
        let options = Options {
            product,
            ..Options::default()
        };
        let mini = MiniElasticsearch::start(options).expect("a free port");
        let url = mini.url().parse().unwrap();
        Self::new(url, Some(mini))
    }

    pub fn real(variable: &str) -> Self {
        Self::new(address(variable), None)
    }

    fn new(url: Url, mini: Option<MiniElasticsearch>) -> Self {
        Self {
            url,
            mini,
            index: own_name(),
        }
    }

    /// The records by way of another address.
    pub async fn records_at(&self, url: &Url, timeout: Duration) -> Opened {
        self.open(url, timeout, STATE_MAX as u64 + 65_536).await
    }

    /// The records, as far as answers are not larger than this.
    pub async fn records_up_to(&self, max_response_bytes: u64) -> Opened {
        self.open(&self.url, TIMEOUT, max_response_bytes).await
    }

    async fn open(&self, url: &Url, timeout: Duration, max_response_bytes: u64) -> Opened {
        let cluster = Cluster::new(ClusterConfig {
            access: Access::open(url.clone()),
            timeout,
            max_response_bytes,
        });
        let cluster = Box::new(cluster.unwrap());
        let records = ElasticsearchRecords::open(cluster, url.clone(), &self.index);
        Ok(Arc::new(records.await?))
    }

    /// Has a cluster in this process refuse such a request, once.
    pub fn refuse(&self, method: &str, path: &str) {
        let body = "{\"error\":{\"type\":\"security_exception\"}}".to_owned();
        let refused = Effect::Respond {
            status: 403,
            headers: Vec::new(),
            body,
        };
        let mini = self.mini.as_ref().expect("a cluster in this process");
        mini.inject(Fault::new(refused).method(method).path(path));
    }

    /// A request of the test's own.
    pub async fn call(&self, method: Method, path: &str, body: &'static str) {
        let url = self.url.join(&format!("/{}{path}", self.index)).unwrap();
        let mut request = Client::new().request(method, url);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let answer = request.body(body).send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.unwrap()
        );
    }
}

impl Backend for Clusters {
    async fn records(&self) -> Opened {
        self.records_at(&self.url, TIMEOUT).await
    }

    fn damages(&self) -> &'static [&'static str] {
        &[
            "{}",
            "{\"id\":\"id\"}",
            "{\"id\":\"other\",\"version\":1,\"data\":{}}",
        ]
    }

    async fn damage(&self, state_id: &str, damage: &'static str) {
        self.call(Method::PUT, &format!("/_doc/{state_id}"), damage)
            .await;
    }

    async fn open_unwritable(&self) -> Result<(), StoreError> {
        let states = self.states().await?;
        let block = "{\"index.blocks.write\": true}";
        match &self.mini {
            Some(mini) => {
                let body = "{\"error\":{\"type\":\"cluster_block_exception\"}}".to_owned();
                let refused = Effect::Respond {
                    status: 403,
                    headers: Vec::new(),
                    body,
                };
                mini.inject(Fault::new(refused).method("PUT"));
            }
            None => self.call(Method::PUT, "/_settings", block).await,
        }
        states.hold("id", OnConflict::Stop).await.map(drop)
    }

    async fn clean(&self) {
        if self.mini.is_none() {
            self.call(Method::DELETE, "?ignore_unavailable=true", "")
                .await;
        }
    }
}

/// A prefix in a Redis.
pub struct Redis {
    pub url: Url,
    timeout: Duration,
    key_prefix: String,
}

impl Redis {
    pub fn real() -> Self {
        Self {
            url: address("REDIS_URL"),
            timeout: TIMEOUT,
            key_prefix: format!("{}:*[a]:", own_name()),
        }
    }

    /// The same with another timeout.
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.key_prefix)
    }

    /// Opens the records as what this url says.
    pub async fn open(&self, url: &Url) -> Result<RedisRecords, StoreError> {
        let mut public = url.clone();
        public.set_password(None).unwrap();
        public.set_username("").unwrap();
        RedisRecords::open(RedisConfig {
            url: url.to_string(),
            address: public.to_string(),
            key_prefix: self.key_prefix.clone(),
            timeout: self.timeout,
        })
        .await
    }

    /// A command of the test's own.
    pub async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(address("REDIS_URL")).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command.query_async(&mut connection).await.unwrap()
    }

    /// The name of a user of this test's own.
    fn user(&self) -> String {
        self.key_prefix.replace(|c: char| !c.is_alphanumeric(), "")
    }
}

impl Backend for Redis {
    async fn records(&self) -> Opened {
        Ok(Arc::new(self.open(&self.url).await?))
    }

    /// Whoever changes a state by hand gives it another revision.
    async fn damage(&self, state_id: &str, damage: &'static str) {
        let key = self.key(state_id);
        let _new: i64 = self
            .command(&["HSET", &key, "revision", "by hand", "state", damage])
            .await;
    }

    async fn open_unwritable(&self) -> Result<(), StoreError> {
        let user = self.user();
        let words = [
            "ACL", "SETUSER", &user, "on", ">hunter2", "~*", "+@read", "+ping",
        ];
        let _ok: String = self.command(&words).await;
        let mut url = self.url.clone();
        url.set_username(&user).unwrap();
        url.set_password(Some("hunter2")).unwrap();
        let records = Arc::new(self.open(&url).await?);
        let states = States::shared(records, TERMS);
        states.hold("id", OnConflict::Stop).await.map(drop)
    }

    async fn clean(&self) {
        let pattern = format!(
            "{}*",
            self.key_prefix.replace('*', "?").replace(['[', ']'], "?")
        );
        let keys: Vec<String> = self.command(&["KEYS", &pattern]).await;
        for key in keys {
            let _removed: i64 = self.command(&["DEL", &key]).await;
        }
        let _removed: i64 = self.command(&["ACL", "DELUSER", &self.user()]).await;
    }
}

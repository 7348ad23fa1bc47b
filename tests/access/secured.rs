//! A real Elasticsearch that asks who is there.

use std::sync::atomic::{AtomicU32, Ordering};

use elasticsearch_source::doctor::Level;
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};

use crate::doctor::examine;
use crate::support::world::World;

/// The cluster, its superuser, and an index of the test's own.
struct Secured {
    url: Url,
    user: String,
    password: String,
    index: String,
}

impl Secured {
    async fn start() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let url = std::env::var("SECURED_ELASTICSEARCH_URL")
            .expect("it was set when the tests were built");
        let mut url: Url = url.parse().unwrap();
        let (user, password) = (
            url.username().to_owned(),
            url.password().unwrap().to_owned(),
        );
        url.set_username("").unwrap();
        url.set_password(None).unwrap();
        let index = format!("elasticsearch-source-test-{}-{number}", std::process::id());
        let secured = Self {
            url,
            user,
            password,
            index,
        };
        let mappings = json!({"mappings": {"properties": {"@timestamp": {"type": "date"}}}});
        let path = format!("/{}", secured.index);
        secured.call(Method::PUT, &path, mappings).await;
        secured.write("a").await;
        secured
    }

    async fn write(&self, id: &str) {
        let document = json!({"@timestamp": "2026-01-01T00:00:00Z"});
        let path = format!("/{}/_doc/{id}?refresh=true", self.index);
        self.call(Method::PUT, &path, document).await;
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let request = Client::new().request(method, self.url.join(path).unwrap());
        let request = request.basic_auth(&self.user, Some(&self.password));
        let request = match body {
            Value::Null => request,
            body => request
                .header("content-type", "application/json")
                .body(body.to_string()),
        };
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// A key that may do what reading needs and no more, as `id:key` and encoded.
    async fn api_key(&self) -> [String; 2] {
        self.api_key_with(&["read", "view_index_metadata"]).await
    }

    async fn api_key_with(&self, privileges: &[&str]) -> [String; 2] {
        let may = json!([{"names": [self.index], "privileges": privileges}]);
        let role = json!({"reader": {"cluster": [], "indices": may}});
        let body = json!({"name": self.index, "role_descriptors": role});
        let made = self.call(Method::POST, "/_security/api_key", body).await;
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        [
            format!("{}:{}", text("id"), text("api_key")),
            text("encoded"),
        ]
    }

    async fn revoke(&self, pair: &str) {
        let id = pair.split(':').next().unwrap();
        let body = json!({"ids": [id]});
        self.call(Method::DELETE, "/_security/api_key", body).await;
    }

    async fn remove(self) {
        let path = format!("/{}", self.index);
        self.call(Method::DELETE, &path, Value::Null).await;
    }

    fn reading(&self, keys: &str) -> World {
        World::reading(self.url.as_str(), &self.index)
            .key("settle", "0s")
            .lines(keys)
    }
}

#[tokio::test]
#[cfg_attr(
    not(real_secured_elasticsearch),
    ignore = "needs a real Elasticsearch with users: see README, \"Tests with real servers\""
)]
async fn a_user_and_an_api_key_with_the_documented_privileges_are_let_in() {
    let secured = Secured::start().await;
    let [pair, encoded] = secured.api_key().await;
    for keys in [
        format!(
            "username = '{}'\npassword = '{}'",
            secured.user, secured.password
        ),
        format!("api_key = '{pair}'"),
        format!("api_key = '{encoded}'"),
    ] {
        let world = secured.reading(&keys);
        assert_eq!(world.published_once().await, 1);
    }
    for keys in [
        "",
        "username = 'admin'\npassword = 'wrong'",
        "api_key = 'a:b'",
        "token = 'x'",
    ] {
        let (failure, _) = secured.reading(keys).once().await.unwrap_err();
        assert!(
            failure.to_string().contains("status 401"),
            "{keys}: {failure}"
        );
    }
    secured.remove().await;
}

#[tokio::test]
#[cfg_attr(
    not(real_secured_elasticsearch),
    ignore = "needs a real Elasticsearch with users: see README, \"Tests with real servers\""
)]
async fn a_key_that_was_revoked_is_followed_by_the_one_in_its_file() {
    let secured = Secured::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let ([old, _], [new, _]) = (secured.api_key().await, secured.api_key().await);
    std::fs::write(&file, &old).unwrap();
    let world = secured.reading(&format!("api_key = 'file:{}'", file.display()));
    let source = world.source().await.unwrap();
    assert_eq!(World::run_once(&source).await.unwrap().documents, 1);
    std::fs::write(&file, &new).unwrap();
    secured.revoke(&old).await;
    secured.write("b").await;
    assert_eq!(World::run_once(&source).await.unwrap().documents, 1);
    secured.remove().await;
}

#[tokio::test]
#[cfg_attr(
    not(real_secured_elasticsearch),
    ignore = "needs a real Elasticsearch with users: see README, \"Tests with real servers\""
)]
async fn the_doctor_names_the_privilege_that_a_key_lacks() {
    let secured = Secured::start().await;
    let monitor = "grant the index privilege \"monitor\"";
    let metadata = "grant the index privilege \"view_index_metadata\"";
    let rows: [(&[&str], Level, Option<&str>); 4] = [
        (
            &["read", "view_index_metadata", "monitor"],
            Level::Note,
            None,
        ),
        (&["read", "view_index_metadata"], Level::Note, Some(monitor)),
        (&["read"], Level::Note, Some(metadata)),
        (
            &["view_index_metadata"],
            Level::Problem,
            Some("grant the index privilege \"read\""),
        ),
    ];
    for (privileges, level, part) in rows {
        let [pair, _] = secured.api_key_with(privileges).await;
        let examination = examine(
            &secured
                .reading(&format!("api_key = '{pair}'"))
                .key("settle", "5s"),
        )
        .await;
        let worst = examination.findings.iter().map(|finding| finding.level);
        assert_eq!(worst.max(), Some(level), "{examination:#?}");
        let found = |part| {
            examination
                .findings
                .iter()
                .any(|found| found.message.contains(part))
        };
        assert!(part.is_none_or(found), "{privileges:?}: {examination:#?}");
        assert_eq!(
            found(monitor),
            !privileges.contains(&"monitor"),
            "{privileges:?}"
        );
        let shown = format!("{examination:?}");
        assert!(
            pair.split(':').all(|secret| !shown.contains(secret)),
            "{shown}"
        );
    }
    let nobody = examine(&secured.reading("api_key = 'a:b'")).await;
    assert!(!nobody.healthy, "{nobody:#?}");
    secured.remove().await;
}

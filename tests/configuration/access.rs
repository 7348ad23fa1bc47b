//! How a cluster is reached and who asks, as users write it.

use super::*;

const FILE: &str = "url = \"http://localhost:9200\"";

/// The configuration with this instead of its `url`.
fn with(keys: &str) -> String {
    SMALL.replace(FILE, keys)
}

fn access(keys: &str) -> Access {
    source(&with(keys)).access
}

fn urls(access: &Access) -> Vec<&str> {
    access.hosts.iter().map(|url| url.as_str()).collect()
}

#[test]
fn several_hosts_are_asked_in_their_order_and_are_the_same_cluster_in_any() {
    let one = access("url = [\"https://b:9200\", \"https://a/es\"]");
    let other = access("url = [\"https://a/es\", \"https://b:9200\"]");
    assert_eq!(urls(&one), ["https://b:9200/", "https://a/es"]);
    assert_eq!(urls(&other), ["https://a/es", "https://b:9200/"]);
    assert_eq!(one.url, other.url);
    check_mistakes(&[
        (&with("url = []"), "9:7", "a list of 1 to 64 urls"),
        (&with("url = [\"http://a\", 1]"), "9:7", "number 2 is text"),
        (
            &with("url = [\"http://a\", \"http://u:hunter2@b\"]"),
            "9:7",
            "number 2 holds credentials: take them out and set the keys username and password",
        ),
        (
            &with("url = [\"http://a\", \"http://a/\"]"),
            "9:7",
            "number 2 stands there twice",
        ),
    ]);
}

#[test]
fn a_cloud_id_is_the_url_of_a_deployment() {
    // eu.example.io$abc$kibana
    let id = "cloud_id = \"logs:ZXUuZXhhbXBsZS5pbyRhYmMka2liYW5h\"";
    assert_eq!(urls(&access(id)), ["https://abc.eu.example.io/"]);
    check_mistakes(&[
        (
            &with(&format!("{FILE}\n{id}")),
            "10:12",
            "cloud_id: stands beside url",
        ),
        (
            &with("cloud_id = \"logs:%\""),
            "9:12",
            "cloud_id: has no readable base64",
        ),
    ]);
}

#[test]
fn one_kind_of_credentials_lets_the_program_in() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "hunter2\n").unwrap();
    let from_file = format!("'file:{}'", file.display());
    for secret in ["'hunter2'", &from_file] {
        let rows = [
            (format!("username = 'u'\npassword = {secret}"), "as u"),
            (format!("api_key = {secret}"), "with an api key"),
            (format!("token = {secret}"), "with a token"),
            (
                format!(
                    "aws = {{ region = 'r', access_key_id = 'A', secret_access_key = {secret} }}"
                ),
                "signed for aws es in r",
            ),
        ];
        for (keys, summary) in &rows {
            let text = with(&format!("{FILE}\n{keys}"));
            let config = parse(&text).unwrap_or_else(|error| panic!("{error}"));
            let source = &config.sources["a"];
            let credentials = source.access.credentials.as_ref().unwrap();
            assert_eq!(credentials.summary(), *summary);
            let lines = config.summary().join("\n");
            assert!(lines.contains(&format!("index i {summary}")), "{lines}");
            let shown = format!("{lines} {config:?} {}", source.guest_config);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        for (one, other) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
            let text = with(&format!("{FILE}\n{}\n{}", rows[one].0, rows[other].0));
            let messages = messages(parse(&text));
            assert!(
                messages.len() == 1 && messages[0].contains("keep one of the two ways"),
                "{messages:?}"
            );
        }
    }
}

#[test]
fn credentials_that_can_not_be_sent_are_refused_unseen() {
    let rows = [
        ("username = 'a:hunter2'\npassword = 'x'", "10:12", "a colon"),
        ("api_key = 'hunter2 x'", "10:11", "a space"),
        ("token = 'hünter hunter2'", "10:9", "beyond ascii"),
        ("token = 'file:/absent/x'", "10:9", "/absent/x"),
        ("aws = { }", "10:1", "\"region\" is missing"),
        (
            "aws = { region = 'r' }",
            "10:1",
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        (
            "aws = { region = 'r', service = 's3', access_key_id = 'a', secret_access_key = 'hunter2' }",
            "10:33",
            "\"es\", \"aoss\"",
        ),
        (
            "proxy = 'ftp://u:hunter2@p'",
            "10:9",
            "proxy: begins with http:// or https://",
        ),
        (
            "proxy = 'http://u:hunter2@p/x'",
            "10:9",
            "something behind its host and port",
        ),
        ("apikey = 'hunter2'", "10:1", "did you mean \"api_key\"?"),
    ];
    for (keys, place, part) in rows {
        let text = with(&format!("{FILE}\n{keys}"));
        let messages = messages(parse(&text));
        let expected = format!("c.toml:{place}: ");
        assert!(
            messages
                .iter()
                .any(|message| message.starts_with(&expected) && message.contains(part)),
            "{keys}: {messages:#?}"
        );
        assert!(!format!("{messages:?}").contains("hunter2"), "{messages:?}");
    }
}

#[test]
fn an_identity_of_aws_comes_whole_from_the_file_or_whole_from_the_environment() {
    let set = |names: &[(&str, &str)], aws: &str| {
        let variables: Vec<_> = names
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let text = with(&format!("{FILE}\naws = {{ region = 'r'{aws} }}"));
        Config::parse(&text, "c.toml", variables)
    };
    let whole = [
        ("AWS_ACCESS_KEY_ID", "A"),
        ("AWS_SECRET_ACCESS_KEY", "S"),
        ("AWS_SESSION_TOKEN", "T"),
    ];
    let identity = |config: Config| match config.sources["a"].access.credentials.clone() {
        Some(Credentials::Aws(aws)) => (
            aws.access_key_id.expose().to_owned(),
            aws.secret_access_key.expose().to_owned(),
            aws.session_token.map(|token| token.expose().to_owned()),
        ),
        other => panic!("{other:?}"),
    };
    let all = ("A".to_owned(), "S".to_owned(), Some("T".to_owned()));
    assert_eq!(identity(set(&whole, "").unwrap()), all);
    let unset = [whole[0], whole[1], ("AWS_SESSION_TOKEN", "")];
    assert_eq!(identity(set(&unset, "").unwrap()).2, None);
    let own = ", access_key_id = 'a', secret_access_key = 's'";
    let expected = ("a".to_owned(), "s".to_owned(), None);
    assert_eq!(identity(set(&whole, own).unwrap()), expected);
    for (names, aws) in [
        (&whole[..1], ""),
        (&whole[..], ", access_key_id = 'a'"),
        (&[], ""),
    ] {
        let messages = messages(set(names, aws));
        assert!(
            messages[0].contains("has no key to sign with"),
            "{messages:?}"
        );
    }
}

#[test]
fn files_of_tls_are_there_and_are_what_they_should_be() {
    let certified = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let [certificate, key, neither] = [
        certified.cert.pem(),
        certified.signing_key.serialize_pem(),
        "neither".to_owned(),
    ]
    .map(|content| {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        file
    });
    let [certificate, key, neither] = [&certificate, &key, &neither].map(in_text);
    let https = "url = \"https://localhost\"";
    let tls = access(&format!(
        "{https}\ntls = {{ ca_file = '{certificate}', certificate_file = '{certificate}', key_file = '{key}' }}"
    ))
    .tls;
    assert!(tls.ca_file.is_some() && tls.identity.is_some() && !tls.danger_accept_invalid_certs);
    let rows = [
        (
            format!("ca_file = '{neither}'"),
            "no readable PEM file of certificates",
        ),
        (
            format!("certificate_file = '{certificate}', key_file = '{certificate}'"),
            "no readable PEM file of a private key",
        ),
        (
            format!("certificate_file = '{certificate}'"),
            "certificate_file: needs key_file beside it",
        ),
        (
            format!("key_file = '{key}'"),
            "key_file: needs certificate_file",
        ),
        (
            format!("ca_file = '{certificate}', danger_accept_invalid_certs = true"),
            "keep ca_file",
        ),
    ];
    for (tls, part) in rows {
        let text = with(&format!("{https}\ntls = {{ {tls} }}"));
        let messages = messages(parse(&text));
        assert!(
            messages.len() == 1 && messages[0].contains(part),
            "{tls}: {messages:#?}"
        );
    }
    let plain = with(&format!("{FILE}\ntls = {{ ca_file = '{certificate}' }}"));
    check_mistakes(&[(&plain, "10:1", "without a url that begins with https://")]);
    let danger = with(&format!(
        "{https}\ntls = {{ danger_accept_invalid_certs = true }}"
    ));
    let lines = parse(&danger).unwrap().summary().join("\n");
    assert!(
        lines.contains("WITHOUT VERIFYING ITS CERTIFICATE"),
        "{lines}"
    );
}

#[test]
fn a_proxy_is_shown_without_its_password() {
    let text = with(&format!("{FILE}\nproxy = 'http://u:hunter2@proxy:3128'"));
    let config = parse(&text).unwrap();
    let lines = config.summary().join("\n");
    assert!(lines.contains(", through http://proxy:3128"), "{lines}");
    assert!(!format!("{lines} {config:?}").contains("hunter2"));
}

#[test]
fn headers_are_told_by_their_names_and_their_values_by_nobody() {
    let headers = "headers = { X-Tenant = 'hunter2', Elastic-Api-Version = 2023-10-31 }";
    let text = with(&format!("{FILE}\n{headers}"));
    let config = parse(&text).unwrap();
    let access = &config.sources["a"].access;
    let read: Vec<_> = access
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    let expected = [
        ("elastic-api-version", "2023-10-31"),
        ("x-tenant", "hunter2"),
    ];
    assert_eq!(read, expected);
    let lines = config.summary().join("\n");
    assert!(
        lines.contains(", headers elastic-api-version x-tenant"),
        "{lines}"
    );
    let shown = format!("{lines} {config:?} {}", config.sources["a"].guest_config);
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn headers_that_are_none_of_the_users_are_refused_with_what_to_set() {
    let long = format!("{{ X = '{}' }}", "x".repeat(4_097));
    let many: String = (0..33).map(|n| format!("X{n} = 'x', ")).collect();
    let many = format!("{{ {many} }}");
    let rows = [
        (
            "{ Authorization = 'hunter2' }",
            "has authorization: set username and password, api_key, token or aws",
        ),
        (
            "{ proxy-authorization = 'hunter2' }",
            "set user and password in proxy",
        ),
        ("{ Host = 'hunter2' }", "has host: it is that of url"),
        (
            "{ Content-Type = 'hunter2' }",
            "set compatible_with instead",
        ),
        ("{ accept = 'hunter2' }", "set compatible_with instead"),
        ("{ Content-Length = '1' }", "leave it out"),
        ("{ transfer-encoding = 'chunked' }", "leave it out"),
        ("{ Connection = 'close' }", "leave it out"),
        (
            "{ 'X A' = 'hunter2' }",
            "has \"X A\", which no header can be called",
        ),
        ("{ x-a = 'hunter2', X-A = 'b' }", "has x-a twice"),
        (
            "{ X-A = 'hunter2\u{7}' }",
            "has x-a, whose value no header can hold",
        ),
        ("{ X-A = ' hunter2' }", "no space at its ends"),
        ("{ X-A = 1 }", "whose value is no text"),
        ("{ X-A = '' }", "has x-a: a secret is not empty"),
        ("'hunter2'", "is a table of texts"),
        (&long, "at most 4096 bytes"),
        (&many, "more than 32 headers"),
    ];
    for (headers, part) in rows {
        let headers = headers.replace("'hunter2\u{7}'", "\"hunter2\\u0007\"");
        let text = with(&format!("{FILE}\nheaders = {headers}"));
        let messages = messages(parse(&text));
        assert!(
            messages.len() == 1 && messages[0].contains(part) && messages[0].contains("headers: "),
            "{headers}: {messages:?}"
        );
        assert!(!messages[0].contains("hunter2"), "{messages:?}");
    }
}

#[test]
fn a_version_of_the_api_is_named_in_one_way() {
    let compatible = |more: &str| with(&format!("{FILE}\ncompatible_with = 8{more}"));
    let config = parse(&compatible("")).unwrap();
    let source = &config.sources["a"];
    assert_eq!(source.access.compatible_with, Some(8));
    assert_eq!(source.guest_config.get("compatible_with"), None);
    let lines = config.summary().join("\n");
    assert!(lines.contains(", compatible with 8"), "{lines}");
    let both = compatible("\nheaders = { elastic-api-version = '2023-10-31' }");
    check_mistakes(&[
        (
            &both,
            "10:19",
            "stands beside the header elastic-api-version",
        ),
        (
            &with(&format!("{FILE}\ncompatible_with = 6")),
            "10:19",
            "a whole number from 7 to 9",
        ),
    ]);
}

#[test]
fn a_state_beside_the_source_is_reached_as_the_source_is() {
    let own = "url = [\"https://a\", \"https://b\"]\nproxy = \"http://p\"\napi_key = \"k\"";
    let storage = |config: &str| {
        with(own)
            + &format!(
                "state = {{ storage_type = 'elasticsearch', storage_config = {{ {config} }} }}\n"
            )
    };
    let of = |config: &str| {
        let source = source(&storage(config));
        match source.state.storage {
            Storage::Elasticsearch { access, .. } => (*access, source.access),
            other => panic!("{other:?}"),
        }
    };
    let (state, cluster) = of("");
    assert_eq!(state, cluster);
    let (state, cluster) = of("token = 't'");
    let expected = Access {
        credentials: state.credentials.clone(),
        ..cluster
    };
    assert_eq!(state, expected);
    assert!(matches!(&state.credentials, Some(Credentials::Token(token)) if token.expose() == "t"));
    let (state, _) = of("headers = { X-A = 'b' }, compatible_with = 7, url = 'http://c'");
    assert_eq!((state.headers.len(), state.compatible_with), (1, Some(7)));
    let (state, _) = of("url = 'http://c', api_key = 'x'");
    assert_eq!((urls(&state), &state.proxy), (vec!["http://c/"], &None));
    let text = storage("proxy = 'http://p'");
    check_mistakes(&[(&text, "13:70", "belongs to a url of its own")]);
}

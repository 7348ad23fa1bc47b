//! Every mistake is said with its place and its remedy.

use super::*;

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_known_ones() {
    let rows = [
        (
            "[htpp]\n",
            "11:2",
            "unknown key \"htpp\" in the file; did you mean \"http\"?; known keys: cache, http, iggy, logging",
        ),
        (
            "pasword = \"hunter2\"\n",
            "11:1",
            "unknown key \"pasword\" in [sources.a.config]; did you mean \"password\"?; known keys: url",
        ),
        (
            "secret = \"hunter2\"\n",
            "11:1",
            "unknown key \"secret\" in [sources.a.config]; known keys: url",
        ),
        (
            "[http]\nadress = 1\n",
            "12:1",
            "unknown key \"adress\" in [http]; did you mean \"address\"?",
        ),
        (
            "[sources.a.limits]\nmem = 1\n",
            "12:1",
            "unknown key \"mem\" in [sources.a.limits]; known keys: memory, poll_pages",
        ),
        (
            "state = { storage_config = {\n  base_pth = \"x\" } }\n",
            "12:3",
            "in [sources.a.config.state.storage_config]; did you mean \"base_path\"?",
        ),
        (
            "state = { storage_config = {\n  url = \"x\" } }\n",
            "12:9",
            "does not belong to storage_type = \"file\"",
        ),
        (
            "[[sources.a.streams]]\nstream = \"x\"\ntopic = \"y\"\nschemas = 1\n",
            "14:1",
            "in [sources.a.streams.1]; did you mean \"schema\"?",
        ),
    ];
    for (added, place, part) in rows {
        let text = format!("{SMALL}{added}");
        check_mistakes(&[(&text, place, part)]);
    }
}

#[test]
fn a_wrong_value_is_refused_with_its_place_and_what_to_write() {
    let rows = [
        ("polling_interval = \"30\"", "11:20", "like \"30s\""),
        ("polling_interval = 30", "11:20", "duration in quotes"),
        ("polling_interval = \"0s\"", "11:20", "from 1ms to 30d"),
        ("max_response_bytes = \"64M\"", "11:22", "like \"64MiB\""),
        ("max_response_bytes = 1", "11:22", "from 1KiB to 1GiB"),
        ("max_response_bytes = -1", "11:22", "not negative"),
        (
            "max_response_bytes = \"8MiB\"",
            "11:22",
            "write batch_bytes = \"8MiB\" or less beside it",
        ),
        (
            "batch_bytes = \"65MiB\"",
            "11:15",
            "write \"64MiB\" or less",
        ),
        (
            "max_response_bytes = 8192\nbatch_bytes = \"9KiB\"",
            "12:15",
            "8KiB (max_response_bytes)",
        ),
        ("username = \"u\"", "11:12", "needs password beside it"),
        (
            "password = \"hunter2\"",
            "11:12",
            "needs username beside it",
        ),
        ("state = 1", "11:9", "is a table"),
        (
            "state = { enabled = \"true\" }",
            "11:21",
            "true or false, without quotes",
        ),
        (
            "state = { storage_type = \"redsi\" }",
            "11:26",
            "\"file\", \"elasticsearch\", \"redis\"",
        ),
        ("state = { state_id = \"../x\" }", "11:22", "state_id"),
        ("state = { state_id = \"\" }", "11:22", "is empty"),
        (
            "state = { state_id = \"x.0-of-3\" }",
            "11:22",
            "the name of the state of a slice: choose another state_id",
        ),
        ("slice = \"3/3\"", "11:9", "2 to 64, like \"0/3\""),
        ("slice = \"0/65\"", "11:9", "and not \"0/65\""),
        ("slice = 3", "11:9", "is text"),
        ("n = 99999999999999999999999", "11:5", "64 bits"),
        ("n = inf", "11:5", "finite"),
        (
            "[sources.a.limits]\npoll_pages = 0",
            "12:14",
            "from 1 to 10000",
        ),
        (
            "[sources.a.limits]\nheld_bytes = \"127MiB\"",
            "12:14",
            "write \"128MiB\" or more",
        ),
        (
            "slices = 16\n[sources.a.limits]\nheld_bytes = \"1GiB\"",
            "13:14",
            "2GiB by max_response_bytes and slices",
        ),
        (
            "[sources.a.limits]\nmemory = \"1MiB\"",
            "12:10",
            "from 16MiB to 4GiB",
        ),
        (
            "[logging]\nlevel = \"loud\"",
            "12:9",
            "\"error\", \"warn\", \"info\", \"debug\", \"trace\"",
        ),
        (
            "[http]\naddress = \"http://x:1\"",
            "12:11",
            "HOST:PORT without a scheme",
        ),
        (
            "[[sources.a.streams]]\nstream = \"s\"\ntopic = \"u\"\nschema = \"avro\"",
            "14:10",
            "\"json\", \"raw\", \"text\"",
        ),
        (
            "[[sources.a.streams]]\nstream = \"s\"\ntopic = \"u\"\nbatch_length = 100001",
            "14:16",
            "from 1 to 100000",
        ),
        (
            "[[sources.a.streams]]\nstream = \"s\"\ntopic = \"u\"\nmetadata = \"header\"",
            "14:12",
            "\"headers\", \"envelope\", \"none\"",
        ),
        (
            "[[sources.a.streams]]\nstream = \"s\"\ntopic = \"t\"",
            "13:9",
            "every document twice",
        ),
        (
            "[[sources.a.streams]]\nstream = \"s\"",
            "11:1",
            "\"topic\" is missing",
        ),
        (
            "[sources.a.dead_letter]\nstream = \"s\"",
            "11:12",
            "\"topic\" is missing",
        ),
        (
            "[sources.a.dead_letter]\nstream = \"s\"\ntopic = \"t\"",
            "13:9",
            "one of the source's own",
        ),
        (
            "[sources.a.dead_letter]\nstream = \"s\"\ntopic = \"u\"\nschema = \"json\"",
            "14:1",
            "unknown key \"schema\" in [sources.a.dead_letter]",
        ),
        (
            "[sources.b]\nsha256 = \"e3b0\"\nstreams = [{ stream = \"s\", topic = \"v\" }]\nconfig = { url = \"http://localhost:9200\", index = \"i\" }",
            "12:10",
            "sources.b.sha256: is 64 hexadecimal digits",
        ),
        (
            "[sources.a.grants]\nhttp = [\"GET /_cat/indices\", \"GET /*\"]",
            "12:8",
            "number 2 begins its path with *",
        ),
        (
            "[sources.a.grants]\nhttp = \"FETCH /\"",
            "12:8",
            "begins with one of GET, HEAD",
        ),
        (
            "[sources.a.grants]\nhtpp = []",
            "12:1",
            "unknown key \"htpp\" in [sources.a.grants]; did you mean \"http\"?",
        ),
        (
            "[iggy]\ntoken = \"t\"\nmax_message_size = 1",
            "13:20",
            "from 64KiB to 1GiB",
        ),
    ];
    for (added, place, part) in rows {
        check_mistakes(&[(&format!("{SMALL}{added}\n"), place, part)]);
    }
}

#[test]
fn partitions_are_within_the_limits_of_iggy() {
    let iggy = SMALL.replace(
        "type = \"file\"\npath = \"out\"",
        "type = \"iggy\"\n[iggy]\ntoken = \"t\"",
    );
    let ways = "is \"balanced\", { partition_id = NUMBER } or { key = \"FIELD\" }";
    let rows = [
        ("partitions = 0", "15:14", "from 1 to 1000"),
        ("partitions = 1001", "15:14", "from 1 to 1000"),
        (
            "durability = \"none\"",
            "15:14",
            "\"persisted\", \"replicated\"",
        ),
        ("partitioning = \"random\"", "15:16", ways),
        ("partitioning = {}", "15:16", ways),
        ("partitioning = { keys = \"_id\" }", "15:16", ways),
        (
            "partitioning = { key = \"a\", partition_id = 1 }",
            "15:16",
            ways,
        ),
        ("partitioning = { key = \"\" }", "15:24", "is empty"),
        ("partitioning = { key = 1 }", "15:24", "write it in quotes"),
        (
            "partitioning = { partition_id = -1 }",
            "15:33",
            "from 0 to 999999",
        ),
        (
            "partitioning = { partition_id = 3 }\npartitions = 3",
            "15:33",
            "not below partitions, 3",
        ),
        (
            "partitioning = { key = \"a..b\" }",
            "15:24",
            "has an empty part",
        ),
        (
            "partitioning = { key = \".a\" }",
            "15:24",
            "like \"user.id\"",
        ),
        (
            "partitioning = { key = \"a.\" }",
            "15:24",
            "like \"user.id\"",
        ),
        (
            "partitioning = { key = \"_seq_no\" }",
            "15:24",
            "write _id, _index or a field",
        ),
    ];
    for (key, place, part) in rows {
        let added = format!("[[sources.a.streams]]\nstream = \"x\"\ntopic = \"y\"\n{key}\n");
        check_mistakes(&[(&format!("{iggy}{added}"), place, part)]);
    }
    let long = format!("partitioning = {{ key = \"{}\" }}", "k".repeat(256));
    let added = format!("[[sources.a.streams]]\nstream = \"x\"\ntopic = \"y\"\n{long}\n");
    check_mistakes(&[(&format!("{iggy}{added}"), "15:24", "at most 255 bytes")]);
    let right = [
        "partitioning = { partition_id = 2 }\npartitions = 3",
        "partitioning = { partition_id = 3 }",
        "partitioning = { key = \"_index\" }",
        "partitioning = { key = \"a._b\" }",
    ];
    for keys in right {
        let added = format!("[[sources.a.streams]]\nstream = \"x\"\ntopic = \"y\"\n{keys}\n");
        parse(&format!("{iggy}{added}")).unwrap();
    }
}

#[test]
fn what_only_topics_of_iggy_have_is_refused_for_other_outputs() {
    let stdout = SMALL
        .replace("\"file\"\npath = \"out\"", "\"stdout\"\n")
        .replace(
            "[sources.a]\n",
            "[sources.a]\ndelivery = \"at_least_once\"\n",
        );
    let outputs = [
        (SMALL, "14:", "a file has one partition"),
        (&stdout, "15:", "standard output has no partitions"),
    ];
    let stream = "[[sources.a.streams]]\nstream = \"x\"\ntopic = \"y\"\n";
    for (output, line, why) in outputs {
        let rows = [
            ("partitioning = { partition_id = 0 }", "16"),
            ("partitioning = { key = \"_id\" }", "16"),
            ("partitions = 3", "14"),
            ("durability = \"replicated\"", "14"),
        ];
        for (key, column) in rows {
            let text = format!("{output}{stream}{key}\n");
            check_mistakes(&[(&text, &format!("{line}{column}"), why)]);
        }
        let defaults = "partitioning = \"balanced\"\npartitions = 1\nmetadata = \"none\"\n";
        parse(&format!("{output}{stream}{defaults}")).unwrap();
    }
}

#[test]
fn a_file_of_authorities_is_there_and_has_a_certificate() {
    let empty = NamedTempFile::new().unwrap();
    let cut_off = NamedTempFile::new().unwrap();
    std::fs::write(cut_off.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
    let rows = [
        "/absent/ca.pem".to_owned(),
        "/".to_owned(),
        in_text(&empty),
        in_text(&cut_off),
    ];
    for path in rows {
        let tls = format!("[iggy.tls]\nenabled = true\nca_file = {path:?}");
        let text = format!("{SMALL}[iggy]\ntoken = \"t\"\n{tls}");
        let expected = format!("{path:?} is no readable PEM file");
        check_mistakes(&[(&text, "15:11", &expected)]);
    }
}

#[test]
fn what_may_still_be_on_its_way_is_waited_for_where_messages_are_there_once() {
    let iggy = "type = \"iggy\"\n[iggy]\ntoken = \"t\"\npublish_quiet = \"0s\"";
    let text = SMALL.replace("type = \"file\"\npath = \"out\"", iggy);
    check_mistakes(&[(&text, "5:17", "leave it out, or write delivery")]);
    let delivery = "[sources.a]\ndelivery = \"at_least_once\"\n";
    parse(&text.replace("[sources.a]\n", delivery)).unwrap();
    let file = format!("{SMALL}[iggy]\ntoken = \"t\"\npublish_quiet = \"0s\"\n");
    parse(&file).unwrap();
}

#[test]
fn a_cluster_url_is_http_and_holds_no_credentials() {
    let rows = [
        ("ftp://localhost", "http:// or https://"),
        ("localhost:9200", "http:// or https://"),
        ("http://", "is no url"),
        (
            "http://elastic:hunter2@localhost:9200",
            "username and password",
        ),
        ("https://elastic@localhost", "username and password"),
        ("http://localhost/?a=hunter2", "query or a fragment"),
        ("http://localhost/#a", "query or a fragment"),
        ("http://elastic:hunter2@local host", "is no url"),
    ];
    for (url, part) in rows {
        check_mistakes(&[(&SMALL.replace("http://localhost:9200", url), "9:7", part)]);
    }
    assert_eq!(
        source(&SMALL.replace(":9200", "/es/")).access.url.path(),
        "/es/"
    );
}

#[test]
fn outputs_say_what_they_need() {
    let stdout = SMALL.replace("\"file\"\npath = \"out\"", "\"stdout\"\n");
    let iggy = SMALL.replace("type = \"file\"\npath = \"out\"", "type = \"iggy\"\n");
    let rows = [
        (stdout.clone(), "7:1", "delivery = \"at_least_once\""),
        (
            SMALL.replace("path = \"out\"", ""),
            "1:2",
            "\"path\" is missing",
        ),
        (
            SMALL.replace("\"file\"", "\"files\""),
            "2:8",
            "\"iggy\", \"file\", \"stdout\"",
        ),
        (
            SMALL.replace("type = \"file\"", ""),
            "1:2",
            "\"type\" is missing",
        ),
        (
            iggy.replace("\"iggy\"\n", "\"iggy\"\npath = \"x\"") + "[iggy]\ntoken = \"t\"",
            "3:8",
            "belongs to type = \"file\" only",
        ),
        (format!("{SMALL}[iggy]\n"), "11:2", "token = \"file:PATH\""),
        (
            format!("{SMALL}[iggy]\nusername = \"u\"\n"),
            "11:2",
            "username and password",
        ),
        (
            format!("{SMALL}[iggy]\nusername = \"u\"\npassword = \"hunter2\"\ntoken = \"t\""),
            "14:9",
            "one of the two ways",
        ),
        (
            format!("{SMALL}[iggy]\ntoken = \"file:/absent/hunter\""),
            "12:9",
            "/absent/hunter",
        ),
        (
            format!("{SMALL}[iggy]\ntoken = \"t\"\ntls = {{ domain = \"d\" }}"),
            "13:1",
            "enabled is not true",
        ),
    ];
    for (text, place, part) in rows {
        check_mistakes(&[(&text, place, part)]);
    }
    let without = messages(parse(BASIC));
    assert_eq!(without.len(), 1);
    assert!(
        without[0].contains("[iggy]") && without[0].contains("[output]"),
        "{without:?}"
    );
    parse(&stdout.replace(
        "[sources.a]\n",
        "[sources.a]\ndelivery = \"at_least_once\"\n",
    ))
    .unwrap();
    let token = parse(&format!("{BASIC}[iggy]\ntoken = \"t\"")).unwrap();
    assert!(matches!(token.iggy.unwrap().login, Login::Token(token) if token.expose() == "t"));
}

#[test]
fn syntax_mistakes_stand_where_the_user_made_them() {
    let (_, state) = STATE.split_once('\n').unwrap();
    check_mistakes(&[
        (
            &format!("{SMALL}x = {{\n  a = 1\n  b = = 2\n}}"),
            "13:7",
            "extra",
        ),
        (
            &format!("{SMALL}x = {{\n  a = 1\n  a = 2\n}}"),
            "13:3",
            "duplicate key",
        ),
        (
            &format!("{SMALL}x = {{\n  \"a\": 1\n  \"b\": 2\n}}"),
            "13:3",
            "missing comma",
        ),
        (
            &format!("{SMALL}x = {{\"a\\/b\": \"\\/\", \"c\": tru}}"),
            "11:25",
            "",
        ),
        (
            &format!("{SMALL}x = {{\"a\": null}}"),
            "11:11",
            "leave the key out",
        ),
        (&format!("{SMALL}{state}{state}"), "29:1", "duplicate key"),
        (&format!("{SMALL}x = [1\n2]"), "12:1", "missing comma"),
    ]);
}

#[test]
fn mistakes_are_reported_together_and_in_order() {
    let text = SMALL
        .replace("stream = \"s\"\n", "")
        .replace("index = \"i\"", "timeout = 1\nx = 1");
    let messages = messages(parse(&format!("{text}[http]\ny = 1\n[loging]\n")));
    let places: Vec<_> = messages
        .iter()
        .map(|m| m.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "c.toml:4:1",
            "c.toml:7:12",
            "c.toml:9:11",
            "c.toml:12:1",
            "c.toml:13:2"
        ],
        "{messages:#?}"
    );
}

#[test]
fn two_sources_do_not_share_a_state() {
    let second = SMALL
        .replace("[output]\ntype = \"file\"\npath = \"out\"\n", "")
        .replace("sources.a", "sources.b")
        .replace("\"t\"", "\"u\"");
    let text = format!("{SMALL}{second}state = {{ state_id = \"a\" }}\n");
    check_mistakes(&[(&text, "18:22", "choose another state_id")]);
    parse(&text.replace("[sources.b]", "[sources.b]\nenabled = false")).unwrap();
}

#[test]
fn two_sources_that_share_a_state_read_slices_of_the_same_number() {
    let second = SMALL
        .replace("[output]\ntype = \"file\"\npath = \"out\"\n", "")
        .replace("sources.a", "sources.b")
        .replace("\"t\"", "\"u\"");
    let both = |one: &str, other: &str| {
        format!(
            "{SMALL}slice = {one:?}\n{second}slice = {other:?}\nstate = {{ state_id = \"a\" }}\n"
        )
    };
    let ids = parse(&both("0/2", "1/2")).unwrap().sources;
    let ids: Vec<_> = ids
        .values()
        .map(|source| source.state.state_id.as_str())
        .collect();
    assert_eq!(ids, ["a.0-of-2", "a.1-of-2"]);
    check_mistakes(&[
        (&both("0/2", "0/2"), "20:22", "choose another state_id"),
        (
            &both("0/2", "1/3"),
            "19:9",
            "one of 2 slices of the same state_id",
        ),
    ]);
}

#[test]
fn two_sources_do_not_share_an_output_file() {
    let second = SMALL
        .replace("[output]\ntype = \"file\"\npath = \"out\"\n", "")
        .replace("sources.a", "sources.b");
    let text = format!("{SMALL}{second}");
    check_mistakes(&[(&text, "13:9", "choose another topic")]);
    let rows = [
        ("[sources.b]", "[sources.b]\nenabled = false"),
        (
            "[[sources.b.streams]]\nstream = \"s\"",
            "[[sources.b.streams]]\nstream = \"r\"",
        ),
        (
            "type = \"file\"\npath = \"out\"",
            "type = \"iggy\"\n[iggy]\ntoken = \"t\"",
        ),
    ];
    for (from, to) in rows {
        assert!(text.contains(from));
        parse(&text.replace(from, to)).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn a_source_name_that_is_no_file_name_is_refused() {
    check_mistakes(&[(
        &SMALL.replace("sources.a", "sources.\"a/b\""),
        "7:10",
        "letters, digits, - and _",
    )]);
}

//! The pass by rows: what goes in, and what `toml` gets to see.

use super::super::position::Position;
use super::{Refusal, to_toml};

fn check(rows: &[(&str, &str)]) {
    for (given, expected) in rows {
        assert_eq!(to_toml(given).as_deref(), Ok(*expected), "given {given:?}");
        toml::from_str::<toml::Table>(expected).unwrap();
    }
}

/// What the pass refuses, and where.
fn check_refused(rows: &[(&str, usize, usize, &str)]) {
    for (given, line, column, part) in rows {
        let Refusal { position, message } = to_toml(given).unwrap_err();
        let expected = Position {
            line: *line,
            column: *column,
        };
        assert_eq!(position, expected, "given {given:?}");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn plain_toml_passes_unchanged() {
    let plain = [
        "",
        "# only a comment",
        "a = 1\r\nb = [1, 2,\n  3, # three\n]\r\n[t.\"x#y\"]\nc = {d = 1, e = {f = 'g'}, \"h\" = 2}",
        "[[aot]] # {\nx = 1979-05-27 07:32:00Z\n[[aot]]\nx = 0x1F",
        "s = \"a\\\" { : # \\\\\" # {\nt = {\n  u = 1,\n  # why\n  v = 2\n}",
        "m = \"\"\"{\n\"a\": 1 \\\" \"\" \\\n# no\n\"\"\"\"\"\nl = '''\n{'' \"x\":}'''\nn = { o = '''\n''' }",
        "a.\"b.c\" = {}\n'd: e' = {\n}\nf = {g = [{h = {}},\n{i = \"null\"}]}",
        "comma = { a = 1\n , b = 2\n, c = 3, }",
        "ü = 1",
    ];
    for text in plain {
        assert_eq!(to_toml(text).as_deref(), Ok(text));
    }
}

#[test]
fn a_line_break_stands_for_the_comma() {
    check(&[
        ("a = {\n  b = 1\n  c = 2\n}", "a = {\n  b = 1\n, c = 2\n}"),
        ("a = {\n  b = 1 \n  c = 2\n}", "a = {\n  b = 1,\n  c = 2\n}"),
        ("a = {\nb = '1' # x\nc = 2 }", "a = {\nb = '1',# x\nc = 2 }"),
        ("a = {\nb = 1\nc = 2\n}", "a = {\nb = 1,\nc = 2\n}"),
        (
            "a = {\r\nb = 1\r\nc = 2\r\n}",
            "a = {\r\nb = 1,\r\nc = 2\r\n}",
        ),
        ("a = {\nb = 1#ü\n\"c\" = 2}", "a = {\nb = 1,#\n\"c\" = 2}"),
        ("a = {\nb = 1##\nc = 2}", "a = {\nb = 1,#\nc = 2}"),
        ("a = {\nb = 1#\r\nc = 2}", "a = {\nb = 1,\r\nc = 2}"),
        (
            "a = {\nb = 1\n# x y\nc.d = 2}",
            "a = {\nb = 1,\n# x y\nc.d = 2}",
        ),
        (
            "a = {b = {c = 1\nd = 2}\ne = [1]\nf = 2}",
            "a = {b = {c = 1,\nd = 2},\ne = [1],\nf = 2}",
        ),
        (
            "a = {b = \"\"\"x\ny\"\"\"\nc = 2}",
            "a = {b = \"\"\"x\ny\"\"\",\nc = 2}",
        ),
        (
            "a = [\n  {b = 1\n c = 2},\n]",
            "a = [\n  {b = 1\n,c = 2},\n]",
        ),
    ]);
}

#[test]
fn a_json_object_is_a_value() {
    check(&[
        (r#"q = {"match_all": {}}"#, r#"q = {"match_all"= {}}"#),
        (
            "q = {\n  \"a\" : {\n \"b\":1e3},\n\"c\":-0.5\n}",
            "q = {\n  \"a\" = {\n \"b\"=1e3},\n\"c\"=-0.5\n}",
        ),
        (
            r#"s = [{"@t": "asc"}, {"b": [true, {"c": []}]}]"#,
            r#"s = [{"@t"= "asc"}, {"b"= [true, {"c"= []}]}]"#,
        ),
        (r#"t = { u = {"v": 1} }"#, r#"t = { u = {"v"= 1} }"#),
        (
            r#"q = {"a\/b": "\/\/", "c": 1}"#,
            r#"q = {"a/b" = "//"  , "c"= 1}"#,
        ),
        (
            r#"q = {"a": "\ud83d\uDE00\n\u00e9", "c": 1}"#,
            r#"q = {"a"= "\U0001F600\n\u00e9"  , "c"= 1}"#,
        ),
        (r#"q = {"a": "{\"b\": \\"}"#, r#"q = {"a"= "{\"b\": \\"}"#),
    ]);
}

#[test]
fn what_has_no_toml_form_is_refused_where_it_stands() {
    check_refused(&[
        ("q = {\n  \"a\": null}", 2, 8, "leave the key out"),
        ("q = {\"a\": [1, null ]}", 1, 15, "leave the key out"),
        ("q = null # x", 1, 5, "leave the key out"),
        ("q = {\"ü\": \"\\ud800\"}", 1, 12, "not a character"),
        ("q = {\"a\": \"\\ud800\\u0041\"}", 1, 12, "not a character"),
        ("q = {\"a\": \"\\u00g0\"}", 1, 12, "not a character"),
        (
            "q = {\"a\": \"\\/\\/\\x41\"}",
            1,
            16,
            "no escape of a JSON string",
        ),
        ("q = {\"a\": 1, b = 2}", 1, 14, "double quotes"),
        ("q = {\"a\": 1, \"b\" = 2}", 1, 18, "all written"),
        ("q = {a: 1}", 1, 7, "all written"),
        ("q : 1", 1, 3, "all written"),
    ]);
}

#[test]
fn the_rest_of_what_is_no_toml_is_left_for_toml_to_refuse() {
    let deep = format!("a = {}{}", "[".repeat(99_999), "{".repeat(9));
    let broken = [
        "a = {b = ",
        "a = {b = 1\n[c]\nd = {",
        "= 1",
        "a = \"x\ny\"",
        "a = }",
        "a = '''",
        "a = {\"b\nc\": 1}",
        "a = {\"b\": 1 \n\"c\"}",
        "\u{feff}a",
        &deep,
    ];
    for text in broken {
        let rewritten = to_toml(text).unwrap();
        assert!(
            toml::from_str::<toml::Table>(&rewritten).is_err(),
            "{rewritten:?}"
        );
    }
}

/// Every beginning and every single change of a text that uses all there is.
#[test]
fn no_character_ever_changes_its_line_or_column() {
    let text = "a = {\nb = 'x'#ü\nc = {\"d\\/\": [{\"e\": \"\\ud83d\\ude00\"}], \"f\": 1}  # y\n  g = 2\r\nh = \"\"\"\\\"\n\"\"\"\n}\n";
    let changes = [
        "", "{", "}", "\"", "'", "#", "\n", " ", "\\", "=", ":", ",", "[", "]", "ü",
    ];
    for (at, character) in text.char_indices() {
        for change in changes {
            let (before, after) = text.split_at(at);
            let changed = format!("{before}{change}{}", &after[character.len_utf8()..]);
            check_columns(&changed);
        }
        check_columns(&text[..at]);
    }
}

fn check_columns(text: &str) {
    let Ok(rewritten) = to_toml(text) else { return };
    assert_eq!(text.lines().count(), rewritten.lines().count());
    for (old, new) in text.lines().zip(rewritten.lines()) {
        let (old_length, new_length) = (old.chars().count(), new.chars().count());
        let comma_added = new_length == old_length + 1 && new.ends_with(',');
        assert!(
            old_length == new_length || comma_added,
            "{old:?} became {new:?}"
        );
    }
}

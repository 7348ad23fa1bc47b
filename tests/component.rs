//! What the component asks for: its list of imports is its list of permissions.

use elasticsearch_source::component::{Component, Origin};
use elasticsearch_source::sandbox::Sandbox;

#[test]
fn the_component_imports_its_four_capabilities_and_an_empty_wasi() {
    let sandbox = Sandbox::new().unwrap();
    let component = Component::load(&sandbox, Origin::Embedded).unwrap();
    let expected = [
        "iggy:connector/http@0.1.0",
        "iggy:connector/log@0.1.0",
        "iggy:connector/publisher@0.1.0",
        "iggy:connector/state@0.1.0",
        "wasi:cli/environment@0.2.6",
        "wasi:cli/exit@0.2.6",
        "wasi:cli/stderr@0.2.6",
        "wasi:cli/stdin@0.2.6",
        "wasi:cli/stdout@0.2.6",
        "wasi:cli/terminal-input@0.2.6",
        "wasi:cli/terminal-output@0.2.6",
        "wasi:cli/terminal-stderr@0.2.6",
        "wasi:cli/terminal-stdin@0.2.6",
        "wasi:cli/terminal-stdout@0.2.6",
        "wasi:io/error@0.2.6",
        "wasi:io/poll@0.2.6",
        "wasi:io/streams@0.2.6",
    ];
    assert_eq!(component.imports(), expected);
}

#[test]
fn what_is_no_component_of_this_world_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new().unwrap();
    let rows = [
        (
            "text.wasm",
            b"not wasm at all".to_vec(),
            "can not be compiled",
        ),
        (
            "empty.wasm",
            b"\0asm\x0d\0\x01\0".to_vec(),
            "does not fit the world",
        ),
    ];
    for (name, bytes, part) in rows {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let error = format!(
            "{:#}",
            Component::load(&sandbox, Origin::File(file)).err().unwrap()
        );
        assert!(error.contains(name) && error.contains(part), "{error}");
    }
}

//! A part of the build script: tells the tests which real servers and tools there are.
//!
//! A test that needs one is marked with
//! `cfg_attr(not(real_elasticsearch), ignore = "..")`: it is listed as ignored where none
//! is configured, and fails where one is configured and cannot be reached.

/// The cfg of every server or tool, and the variable that says where it is.
const NAMED: [(&str, &str); 7] = [
    ("cargo_component", "CARGO_COMPONENT"),
    ("componentize_py", "COMPONENTIZE_PY"),
    ("real_elasticsearch", "ELASTICSEARCH_URL"),
    ("real_iggy", "IGGY_ADDRESS"),
    ("real_opensearch", "OPENSEARCH_URL"),
    ("real_redis", "REDIS_URL"),
    ("real_secured_elasticsearch", "SECURED_ELASTICSEARCH_URL"),
];

/// Sets the cfg of all that a variable names.
pub(crate) fn announce_what_is_named() {
    for (cfg, variable) in NAMED {
        println!("cargo:rerun-if-env-changed={variable}");
        println!("cargo:rustc-check-cfg=cfg({cfg})");
        if std::env::var_os(variable).is_some() {
            println!("cargo:rustc-cfg={cfg}");
        }
    }
}

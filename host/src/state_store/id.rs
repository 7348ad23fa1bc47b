//! Which names a state may have: those that are plain file names everywhere.

/// The longest name, in bytes; suffixes of the host's come on top.
const ID_MAX: usize = 200;

/// Endings of what the host keeps beside states.
const RESERVED: [&str; 4] = [".broken", ".lease", ".slices", ".tmp"];

/// Whether a state may be called that.
///
/// # Errors
/// What is wrong with the name, without a place.
pub fn check_id(id: &str) -> Result<(), String> {
    let small = id.to_ascii_lowercase();
    let wrong = if id.is_empty() {
        "is empty"
    } else if id.len() > ID_MAX {
        "is longer than 200 bytes"
    } else if id.starts_with('.') {
        "begins with a dot"
    } else if id.contains(['/', '\\', ':']) {
        "has a path separator in it"
    } else if id.contains(char::is_control) {
        "has a control character in it"
    } else if RESERVED.iter().any(|suffix| small.ends_with(suffix)) {
        "ends in .broken, .lease, .slices or .tmp, which are the connector's own"
    } else {
        return Ok(());
    };
    let shown: String = id.chars().take(80).collect();
    Err(format!(
        "a state can not be called {shown:?}, as that {wrong}: choose another state_id"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_id_is_a_plain_file_name() {
        let longest = "x".repeat(200);
        for id in [
            "a",
            "elasticsearch_logs_connector",
            "a.b",
            "a..b",
            "ä b",
            "a.json",
            "lease",
            &longest,
        ] {
            assert_eq!(check_id(id), Ok(()), "{id}");
        }
        let too_long = "x".repeat(201);
        for id in [
            "", ".", "..", ".a", "a/b", "../a", "/a", "a\\b", "c:a", "a\0", "a\n", "a\u{85}",
            "a.lease", "a.TMP", "a.broken", "a.slices", &too_long,
        ] {
            let error = check_id(id).unwrap_err();
            assert!(
                error.contains("choose another state_id") && error.len() < 300,
                "{error}"
            );
        }
    }
}

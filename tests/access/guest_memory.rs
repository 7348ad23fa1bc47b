//! No credential is ever in the memory of a component: all of it is read, as the operating
//! system has it, after polls that worked and after polls that were refused.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use elasticsearch_source::clock::now_ms;
use elasticsearch_source::mini_elasticsearch::{Credentials, Effect, Fault};

use super::{DOCUMENTS, cluster};
use crate::support::world::World;

/// Behind every linear memory, wasmtime reserves what it could grow to: nothing else in this
/// process keeps so much of its address space closed.
const RESERVED_MIN: u64 = 2 << 30;

/// One mapping of this process.
struct Mapping {
    start: u64,
    end: u64,
    is_open: bool,
}

impl Mapping {
    /// A line of `/proc/self/maps`.
    fn parse(line: &str) -> Self {
        let mut words = line.split(' ');
        let (start, end) = words.next().unwrap().split_once('-').unwrap();
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        Self {
            start: address(start),
            end: address(end),
            is_open: words.next().unwrap().starts_with("rw"),
        }
    }
}

/// What all components of this process have in their linear memories now.
fn guest_memories() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let (mut memories, mut open) = (Vec::new(), 0..0);
    for mapping in maps.lines().map(Mapping::parse) {
        if mapping.is_open && mapping.start == open.end {
            open.end = mapping.end;
        } else if mapping.is_open {
            open = mapping.start..mapping.end;
        } else if mapping.start == open.end && mapping.end - mapping.start >= RESERVED_MIN {
            memories.push(read(&memory, open.start, open.end));
        }
    }
    memories
}

/// Another test's component may end meanwhile; what it had is of no interest here.
fn read(memory: &File, start: u64, end: u64) -> String {
    let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
    match memory.read_exact_at(&mut bytes, start) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// That the component that was told `known` knows none of `secrets`.
fn assert_tells_nothing(known: &str, secrets: &[String]) {
    let mut memories = guest_memories();
    memories.retain(|memory| memory.contains(known));
    assert_eq!(memories.len(), 1, "{known} is in one component's memory");
    for secret in secrets {
        assert!(!memories[0].contains(secret), "{secret} is in it, too");
    }
}

/// A configuration, who it is let in as, and every form that its secret has on its way.
struct Way {
    keys: &'static str,
    admitted: Credentials,
    forms: Vec<String>,
}

fn ways() -> [Way; 4] {
    let encoded = |text: &str| STANDARD.encode(text);
    let forms = |forms: &[&str]| {
        let plain = forms.iter().map(|form| (*form).to_owned());
        plain
            .chain(forms.iter().map(|form| encoded(form)))
            .collect()
    };
    [
        Way {
            keys: "username = 'guest-memory-user'\npassword = 'guest-memory-password'",
            admitted: Credentials::basic("guest-memory-user", "guest-memory-password"),
            forms: forms(&[
                "guest-memory-user",
                "guest-memory-password",
                "guest-memory-user:guest-memory-password",
            ]),
        },
        Way {
            keys: "api_key = 'guest-memory-id:guest-memory-key'",
            admitted: Credentials::api_key(&encoded("guest-memory-id:guest-memory-key")),
            forms: forms(&[
                "guest-memory-id",
                "guest-memory-key",
                "guest-memory-id:guest-memory-key",
            ]),
        },
        Way {
            keys: "token = 'guest-memory-token'",
            admitted: Credentials::token("guest-memory-token"),
            forms: forms(&["guest-memory-token"]),
        },
        Way {
            keys: "token = 'guest-memory-too'\nheaders = { X-Key = 'guest-memory-header' }",
            admitted: Credentials::token("guest-memory-too"),
            forms: forms(&["guest-memory-header", "guest-memory-too"]),
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_is_in_the_memory_of_a_component_whether_it_is_let_in_or_not() {
    for (number, way) in ways().into_iter().enumerate() {
        let cluster = cluster();
        let known = format!("guest-memory-knows-{number}");
        cluster.admit(Some(way.admitted));
        let world = World::reading(cluster.url(), "logs")
            .key("id_namespace", &known)
            .lines(way.keys);
        let source = world.source().await.unwrap();
        let mut instance = source.open(now_ms()).await.unwrap();
        assert_tells_nothing(&known, &way.forms);

        instance.poll(now_ms(), source.budget).await.unwrap();
        assert_eq!(instance.take_acknowledged().new, DOCUMENTS);
        assert_tells_nothing(&known, &way.forms);

        cluster.inject(Fault::new(Effect::unavailable()));
        cluster.inject(Fault::new(Effect::LoseAnswer).after(1));
        for reason in ["status 503", "broke"] {
            let failure = instance.poll(now_ms(), source.budget).await.unwrap_err();
            assert!(failure.to_string().contains(reason), "{failure}");
            assert_tells_nothing(&known, &way.forms);
        }

        cluster.admit(Some(Credentials::token("another")));
        let refused = instance.poll(now_ms(), source.budget).await.unwrap_err();
        assert!(refused.to_string().contains("status 401"), "{refused}");
        assert_tells_nothing(&known, &way.forms);
    }
}

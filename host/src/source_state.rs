//! What one store holds: a source's capabilities, its handles, its limits.

use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bounds::Bounds;
use crate::capability::http::HttpCtx;
use crate::capability::log::LogCtx;
use crate::capability::publisher::PublisherCtx;
use crate::capability::state::StateCtx;
use crate::capability::text::shown;
use crate::sandbox::Sandbox;
use crate::stopwatch::Stopwatch;

/// What is kept of the panic message of a component, in bytes.
const STDERR_MAX: usize = 8 * 1024;

/// Limits of one component.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Linear memory, in bytes, of all modules together.
    pub memory: usize,
    /// Time inside the guest in one call; waiting for the host does not count.
    pub guest_time: Duration,
    /// Time of one call in all.
    pub call_time: Duration,
    /// Elements of all tables together.
    pub table_elements: usize,
    /// Bytes from the guest to the host in one call, as large as the host has them.
    pub call_bytes: usize,
    /// Handles that the guest may hold at once.
    pub handles: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            guest_time: Duration::from_secs(10),
            call_time: Duration::from_secs(3_600),
            table_elements: 100_000,
            call_bytes: 128 << 20,
            handles: 256,
        }
    }
}

/// The capabilities that a source is given.
pub struct Capabilities {
    /// Its cluster.
    pub http: HttpCtx,
    /// Its name, and its lines.
    pub log: LogCtx,
    /// Its output.
    pub publisher: PublisherCtx,
    /// Its state.
    pub state: StateCtx,
}

/// The data of a store.
pub struct SourceState {
    pub(crate) http: HttpCtx,
    pub(crate) log: LogCtx,
    pub(crate) publisher: PublisherCtx,
    pub(crate) state: StateCtx,
    pub(crate) table: ResourceTable,
    pub(crate) limits: Limits,
    bounds: Bounds,
    wasi: WasiCtx,
    stderr: MemoryOutputPipe,
    /// The time inside the guest, in the call under way.
    pub(crate) stopwatch: Stopwatch,
}

impl SourceState {
    /// A store with these capabilities and limits.
    pub fn store(sandbox: &Sandbox, capabilities: Capabilities, limits: Limits) -> Store<Self> {
        let Capabilities {
            http,
            log,
            publisher,
            state,
        } = capabilities;
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        let stderr = MemoryOutputPipe::new(STDERR_MAX);
        let wasi = WasiCtx::builder().stderr(stderr.clone()).build();
        let stopwatch = Stopwatch::default();
        let state = Self {
            http,
            log,
            publisher,
            state,
            table,
            limits,
            bounds: Bounds::new(&limits),
            wasi,
            stderr,
            stopwatch: stopwatch.clone(),
        };
        let mut store = Store::new(sandbox.engine(), state);
        store.limiter(|state| &mut state.bounds);
        store.set_hostcall_fuel(limits.call_bytes);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| {
            if stopwatch.spent() > limits.guest_time {
                return Ok(UpdateDeadline::Interrupt);
            }
            let stopwatch = stopwatch.clone();
            let turn = async move { stopwatch.during(tokio::task::yield_now()).await };
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(turn)))
        });
        store
    }

    /// The component has described itself, with this format of its state.
    pub(crate) fn described(&mut self, state_format: u32) {
        self.state.understands(state_format);
        self.http.described();
        self.publisher.described();
    }

    /// What the component wrote to its standard error: the message of a panic.
    pub fn last_words(&self) -> String {
        let said = self.stderr.contents();
        shown(&String::from_utf8_lossy(&said).trim().replace('\n', "; "))
    }
}

impl WasiView for SourceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use wasmtime::component::Component;

    use super::*;
    use crate::account::Account;
    use crate::capability::grants::Grants;
    use crate::capability::state::Writer;
    use crate::clock::Clock;
    use crate::cluster::{HttpError, Request, Response, Transport};
    use crate::publisher::outbox::{Delivery, Outbox};
    use crate::publisher::queue::Queue;
    use crate::state_store::envelope::Owner;
    use crate::state_store::{Permit, Slice, Slot};
    use crate::trapped::explain;

    struct Nowhere;

    impl Transport for Nowhere {
        fn send(&self, _: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
            async { Err(HttpError::Protocol("nowhere".to_owned())) }.boxed()
        }
    }

    fn capabilities() -> Capabilities {
        let (clock, account) = (Clock::system(), Account::default());
        let owner = Owner {
            state_id: "s".to_owned(),
            connector_id: 1,
            index: "i".to_owned(),
            slice: Slice::WHOLE,
            url: "http://127.0.0.1".parse().unwrap(),
        };
        let outbox = Outbox::new(Vec::new(), Delivery::AtLeastOnce);
        let queue = Queue::start(outbox, Permit::always(), clock.clone());
        let writer = Writer::new(Arc::new(Slot::in_memory()), owner, clock.clone());
        Capabilities {
            http: HttpCtx::new(
                Arc::new(Nowhere),
                Grants::reading("i"),
                clock,
                (account.clone(), 1),
            ),
            log: LogCtx::new("a", 1),
            publisher: PublisherCtx::new(queue, account),
            state: StateCtx::new(writer),
        }
    }

    /// Why a component of this text is not instantiated.
    async fn refusal(sandbox: &Sandbox, text: &str) -> Option<String> {
        let component = Component::new(sandbox.engine(), wat::parse_str(text).unwrap()).unwrap();
        let limits = Limits {
            memory: 1 << 20,
            guest_time: Duration::from_millis(100),
            call_time: Duration::from_secs(60),
            table_elements: 1_000,
            call_bytes: 1 << 20,
            handles: 20,
        };
        let mut store = SourceState::store(sandbox, capabilities(), limits);
        store.data().stopwatch.begin();
        let made = sandbox
            .linker()
            .instantiate_async(&mut store, &component)
            .await;
        made.err().map(|error| explain(store.data(), &error))
    }

    /// A component whose core module has this, so many times instantiated.
    fn modules(contents: &str, instances: usize) -> String {
        let instance = "(core instance (instantiate $m))".repeat(instances);
        format!("(component (core module $m {contents}) {instance})")
    }

    const FILLING: &str = r#"(func (export "start")
        (loop $more (drop (table.grow (ref.null func) (i32.const 100))) (br $more)))"#;

    #[tokio::test]
    async fn what_a_component_is_made_of_has_limits_for_all_its_modules_together() {
        let sandbox = Sandbox::new().unwrap();
        let start = |body: &str| format!("{body} (start 0)");
        let growing = start(&format!("(table 1 funcref) {FILLING}"));
        let looping = start("(func (loop $more (br $more)))");
        let making = r#"(component
            (type $r (resource (rep i32)))
            (core func $new (canon resource.new $r))
            (core module $m (import "" "new" (func $new (param i32) (result i32)))
                (func $go (local $i i32) (loop $more (drop (call $new (i32.const 1)))
                    (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 30))))) (start $go))
            (core instance (instantiate $m (with "" (instance (export "new" (func $new)))))))"#;
        let remedy = |key| format!("raise {key} in [sources.a.limits]");
        let rows = [
            (modules("(memory 15)", 1), None),
            (modules("(memory 17)", 1), Some(remedy("memory"))),
            (modules("(memory 2)", 9), Some(remedy("memory"))),
            (modules("(table 1000 funcref)", 1), None),
            (
                modules("(table 1001 funcref)", 1),
                Some(remedy("table_elements")),
            ),
            (
                modules("(table 300 funcref)", 4),
                Some(remedy("table_elements")),
            ),
            (modules(&growing, 1), Some(remedy("table_elements"))),
            (modules("", 64), None),
            (modules("", 65), Some("instance count too high".to_owned())),
            (modules("(memory 0)", 65), Some("too high".to_owned())),
            (modules(&looping, 1), Some(remedy("guest_time"))),
            (making.to_owned(), Some(remedy("handles"))),
        ];
        for (text, expected) in rows {
            let refused = refusal(&sandbox, &text).await;
            match expected {
                None => assert_eq!(refused, None, "{text}"),
                Some(words) => {
                    let refused = refused.expect(&text);
                    assert!(refused.contains(&words), "{text}: {refused}");
                }
            }
        }
    }
}

//! What one store holds: a source's capabilities, its handles, its limits.

use wasmtime::component::ResourceTable;
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::capability::http::HttpCtx;
use crate::capability::publisher::PublisherCtx;
use crate::capability::state::StateCtx;
use crate::sandbox::{Sandbox, TICK};

/// Handles that a component may hold at once.
const HANDLES_MAX: usize = 256;
/// What is kept of the panic message of a component, in bytes.
const STDERR_MAX: usize = 8 * 1024;

/// Limits of one component.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Linear memory, in bytes.
    pub memory: usize,
    /// Time inside the guest in one call; waiting for the host does not count.
    pub guest_time: std::time::Duration,
}

/// The capabilities that a source is given.
pub struct Capabilities {
    /// Its cluster.
    pub http: HttpCtx,
    /// Its output.
    pub publisher: PublisherCtx,
    /// Its state.
    pub state: StateCtx,
}

/// The data of a store.
pub struct SourceState {
    pub(crate) http: HttpCtx,
    pub(crate) publisher: PublisherCtx,
    pub(crate) state: StateCtx,
    pub(crate) table: ResourceTable,
    limits: StoreLimits,
    wasi: WasiCtx,
    stderr: MemoryOutputPipe,
    /// Ticks that passed while the guest ran, in the call under way.
    pub(crate) ticks: u128,
}

impl SourceState {
    /// A store with these capabilities and limits.
    pub fn store(sandbox: &Sandbox, capabilities: Capabilities, limits: Limits) -> Store<Self> {
        let Capabilities {
            http,
            publisher,
            state,
        } = capabilities;
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let stderr = MemoryOutputPipe::new(STDERR_MAX);
        let wasi = WasiCtx::builder().stderr(stderr.clone()).build();
        let bounds = StoreLimitsBuilder::new()
            .memory_size(limits.memory)
            .instances(64)
            .tables(64)
            .table_elements(100_000)
            .trap_on_grow_failure(true)
            .build();
        let state = Self {
            http,
            publisher,
            state,
            table,
            limits: bounds,
            wasi,
            stderr,
            ticks: 0,
        };
        let mut store = Store::new(sandbox.engine(), state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        let ticks_max = limits.guest_time.as_millis() / TICK.as_millis();
        store.epoch_deadline_callback(move |mut store| {
            store.data_mut().ticks += 1;
            let spent = store.data().ticks > ticks_max;
            Ok(if spent {
                UpdateDeadline::Interrupt
            } else {
                UpdateDeadline::Yield(1)
            })
        });
        store
    }

    /// What the component wrote to its standard error: the message of a panic.
    pub fn last_words(&self) -> String {
        String::from_utf8_lossy(&self.stderr.contents())
            .trim()
            .replace('\n', "; ")
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

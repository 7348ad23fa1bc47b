//! The sandbox: one engine for the process, and what every component may import.
//!
//! Of WASI, only what Rust's standard library links into every component, and all of it
//! empty: no files, sockets, environment, clock or random numbers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime::{Config, Engine};

use crate::bindings::iggy::connector as wit;
use crate::capability::http::{Http, HttpView};
use crate::capability::log::{Log, LogView};
use crate::capability::publisher::{Publisher, PublisherView};
use crate::capability::state::{State, StateView};
use crate::component::{CompileCache, Shelf};
use crate::source_state::SourceState;

/// How often a component that does not return is looked at.
pub const TICK: Duration = Duration::from_millis(10);

/// The engine and the imports, shared by all sources.
#[derive(Clone)]
pub struct Sandbox {
    engine: Engine,
    linker: Arc<Linker<SourceState>>,
    cache: Option<Arc<CompileCache>>,
    shelf: Arc<Shelf>,
}

impl Sandbox {
    /// One for the whole process, set up by the first call and never ended.
    ///
    /// # Errors
    /// As [`Sandbox::new`].
    pub fn shared() -> anyhow::Result<Self> {
        static SHARED: Mutex<Option<Sandbox>> = Mutex::new(None);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        match shared.as_ref() {
            Some(sandbox) => Ok(sandbox.clone()),
            None => Ok(shared.insert(Self::new()?).clone()),
        }
    }

    /// Sets up the engine and starts its ticker, which ends with the engine.
    ///
    /// # Errors
    /// If the machine can not run WebAssembly.
    pub fn new() -> anyhow::Result<Self> {
        let sandbox = Self::without_interruptions()?;
        start_ticker(&sandbox.engine)?;
        Ok(sandbox)
    }

    /// The same without a ticker: no component is ever interrupted, so that a run can be
    /// repeated exactly, but `guest_time` is not kept to. For tests.
    ///
    /// # Errors
    /// If the machine can not run WebAssembly.
    pub fn without_interruptions() -> anyhow::Result<Self> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        let engine = Engine::new(&config)
            .map_err(anyhow::Error::from)
            .context("cannot set up WebAssembly")?;
        let mut linker = Linker::new(&engine);
        add_capabilities(&mut linker)
            .and_then(|()| add_empty_wasi(&mut linker))
            .map_err(anyhow::Error::from)?;
        Ok(Self {
            engine,
            linker: linker.into(),
            cache: None,
            shelf: Arc::default(),
        })
    }

    /// The same, with what was compiled before.
    #[must_use]
    pub fn caching(self, cache: Option<CompileCache>) -> Self {
        Self {
            cache: cache.map(Arc::new),
            ..self
        }
    }

    pub(crate) fn cache(&self) -> Option<&CompileCache> {
        self.cache.as_deref()
    }

    /// What its sources use.
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The imports.
    pub fn linker(&self) -> &Linker<SourceState> {
        &self.linker
    }
}

fn add_capabilities(linker: &mut Linker<SourceState>) -> wasmtime::Result<()> {
    wit::http::add_to_linker::<_, Http>(linker, |s| HttpView {
        ctx: &mut s.http,
        table: &mut s.table,
        stopwatch: &s.stopwatch,
    })?;
    wit::publisher::add_to_linker::<_, Publisher>(linker, |s| PublisherView {
        withholds: s.state.withholds(),
        ctx: &mut s.publisher,
        table: &mut s.table,
        stopwatch: &s.stopwatch,
    })?;
    wit::state::add_to_linker::<_, State>(linker, |s| StateView {
        ctx: &mut s.state,
        contexts: s.http.contexts(),
        publisher: &s.publisher,
        table: &mut s.table,
        stopwatch: &s.stopwatch,
    })?;
    wit::log::add_to_linker::<_, Log>(linker, |s| LogView { ctx: &mut s.log })
}

/// Names the table for wasi:io, whose only other use here is a panic's message.
struct Handles;

impl HasData for Handles {
    type Data<'a> = &'a mut ResourceTable;
}

fn add_empty_wasi(l: &mut Linker<SourceState>) -> wasmtime::Result<()> {
    use wasmtime_wasi::cli::{WasiCli, WasiCliView};
    use wasmtime_wasi::p2::bindings::cli;
    type T = SourceState;
    wasmtime_wasi_io::bindings::wasi::io::error::add_to_linker::<T, Handles>(l, |s| &mut s.table)?;
    wasmtime_wasi_io::bindings::wasi::io::poll::add_to_linker::<T, Handles>(l, |s| &mut s.table)?;
    wasmtime_wasi_io::bindings::wasi::io::streams::add_to_linker::<T, Handles>(l, |s| {
        &mut s.table
    })?;
    cli::environment::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::exit::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::stdin::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::stdout::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::stderr::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_input::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_output::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_stdin::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_stdout::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_stderr::add_to_linker::<T, WasiCli>(l, T::cli)
}

/// A thread of its own: a runtime that is busy running components could not tick.
fn start_ticker(engine: &Engine) -> anyhow::Result<()> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("epoch-ticker".to_owned())
        .spawn(tick)
        .context("cannot start the epoch ticker")?;
    Ok(())
}

//! One of the two processes, with a log and a way to the store of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::support::program;
use crate::support::proxy::{Proxy, Way};

/// How long anything may take before the storm is given up.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(20);

pub struct Process {
    child: Child,
    log: PathBuf,
    proxy: Option<Proxy>,
}

impl Process {
    pub fn start(folder: &Path, name: &str, toml: &str, proxy: Option<Proxy>) -> Self {
        let file = format!("{name}.toml");
        std::fs::write(folder.join(&file), toml).unwrap();
        let path = folder.join(format!("{name}.log"));
        let log = File::create(&path).unwrap();
        let mut command = program::command(folder, &["run", &file]);
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        Self {
            child: child.unwrap(),
            log: path,
            proxy,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Whether it holds the state.
    pub fn is_active(&self) -> bool {
        self.log().contains(": loaded")
    }

    /// Waits until it may publish.
    pub async fn opens(&mut self) {
        self.says("the source is open").await;
    }

    /// Waits until it has met somebody who holds the state.
    pub async fn stands_by(&mut self) {
        self.says("standing by").await;
    }

    async fn says(&mut self, part: &str) {
        let started = Instant::now();
        while !self.log().contains(part) {
            let ended = self.child.try_wait().unwrap();
            let late = started.elapsed() > PATIENCE;
            let log = self.log();
            assert!(
                ended.is_none() && !late,
                "{part:?} never came, {ended:?}: {log}"
            );
            tokio::time::sleep(TICK).await;
        }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn pause(&self) {
        program::signal(&self.child, "STOP");
    }

    pub fn wake(&self) {
        program::signal(&self.child, "CONT");
    }

    pub fn terminate(&self) {
        program::terminate(&self.child);
    }

    pub fn reaches_its_store(&self, way: Way) {
        self.proxy.as_ref().unwrap().is(way);
    }

    pub async fn stops(mut self) {
        self.terminate();
        self.ended_with(0).await;
    }

    /// Waits for its end, which must have this exit code.
    pub async fn ended_with(&mut self, code: i32) {
        let started = Instant::now();
        let ended = loop {
            match self.child.try_wait().unwrap() {
                Some(ended) => break ended,
                None => assert!(started.elapsed() < PATIENCE, "no end: {}", self.log()),
            }
            tokio::time::sleep(TICK).await;
        };
        assert_eq!(ended.code(), Some(code), "{}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("see {}", self.log.display());
        }
    }
}

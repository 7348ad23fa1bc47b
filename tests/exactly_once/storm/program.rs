//! The program in its folder: started, killed, started again.

use std::fs::File;
use std::path::Path;
use std::process::Child;

use serde_json::Value;
use tempfile::TempDir;

use super::output::Output;
use super::{SETTLE, STREAMS, TOPIC};
use crate::support::program;

/// The configuration of a process.
pub struct Configuration {
    source: String,
}

impl Configuration {
    /// Reads this index of this cluster, a page of 50 at a time.
    pub fn new(url: &str, index: &str) -> Self {
        let settle_ms = SETTLE.as_millis();
        let source = format!(
            "[sources.storm.config]\nurl = \"{url}\"\nindex = \"{index}\"\n\
             timestamp_field = \"@timestamp\"\nbatch_size = 50\n\
             polling_interval = \"20ms\"\nsettle = \"{settle_ms}ms\"\n"
        );
        Self { source }
    }

    /// That of this process, with these keys in `state`; one that postpones its saves leaves
    /// more behind.
    pub fn toml(&self, output: &Output, process: &str, state: &str, postponed: bool) -> String {
        let [first, second] = STREAMS.map(|stream| output.stream(stream));
        let auto_save = if postponed {
            ", auto_save_interval = \"10s\""
        } else {
            ""
        };
        format!(
            "{}\n[logging]\nlevel = \"debug\"\n[sources.storm]\n\
             [[sources.storm.streams]]\nstream = \"{first}\"\ntopic = \"{TOPIC}\"\nbatch_length = 7\n\
             [[sources.storm.streams]]\nstream = \"{second}\"\ntopic = \"{TOPIC}\"\n{}\
             state = {{ {state}{auto_save} }}\n",
            output.toml(process),
            self.source
        )
    }
}

/// Runs to the end, as this configuration says, which must leave nothing. Returns how many
/// documents the output had already.
pub async fn catch_up(folder: &Path, configuration: &str) -> usize {
    std::fs::write(folder.join("storm.toml"), configuration).unwrap();
    let folder = folder.to_owned();
    let run = move || program::run(&folder, &["run", "storm.toml", "--once", "--json"]);
    let finished = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let summary: Value = serde_json::from_str(&finished.stdout).unwrap();
    let source = &summary["sources"]["storm"];
    assert_eq!(source["beyond_horizon"], 0, "{summary}");
    source["already_there"].as_u64().unwrap() as usize
}

/// One run after another, with one state and a log of each.
pub struct Program {
    folder: TempDir,
    configuration: Configuration,
    runs: usize,
    running: Option<Child>,
}

impl Program {
    pub fn new(configuration: Configuration) -> Self {
        let mut folder = TempDir::new().unwrap();
        // What a storm that fails leaves is all there is to find the cause in.
        folder.disable_cleanup(true);
        Self {
            folder,
            configuration,
            runs: 0,
            running: None,
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a run without an end; one that postpones its saves leaves more behind.
    pub fn start(&mut self, output: &Output, postponed: bool) {
        self.runs += 1;
        let configuration = self.toml(output, postponed);
        std::fs::write(self.folder().join("storm.toml"), configuration).unwrap();
        let log = File::create(self.log_file()).unwrap();
        let mut command = program::command(self.folder(), &["run", "storm.toml"]);
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.running = Some(child.unwrap());
    }

    fn toml(&self, output: &Output, postponed: bool) -> String {
        let state = "storage_config = { base_path = \"states\" }";
        self.configuration.toml(output, "storm", state, postponed)
    }

    /// Ends it with SIGKILL. It must not have ended before.
    pub fn kill(&mut self) {
        let mut child = self.running.take().unwrap();
        let ended = child.try_wait().unwrap();
        assert_eq!(ended, None, "it ended by itself: {}", self.log());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// See [`catch_up`].
    pub async fn catch_up(&self, output: &Output) -> usize {
        catch_up(self.folder(), &self.toml(output, false)).await
    }

    /// What the last run has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap()
    }

    fn log_file(&self) -> std::path::PathBuf {
        self.folder().join(format!("run-{}.log", self.runs))
    }

    /// Nobody needs the folder any more.
    pub fn succeeded(mut self) {
        self.folder.disable_cleanup(false);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(child) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let folder = self.folder.path().display();
            eprintln!(
                "state, output and the logs of {} runs are in {folder}",
                self.runs
            );
        }
    }
}

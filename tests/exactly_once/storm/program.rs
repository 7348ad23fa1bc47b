//! The program in its folder: started, killed, started again.

use std::fs::File;
use std::path::Path;
use std::process::Child;

use serde_json::Value;
use tempfile::TempDir;

use super::output::Output;
use super::{SETTLE, STREAMS, TOPIC};
use crate::support::program;

/// One run after another, with one state and a log of each.
pub struct Program {
    folder: TempDir,
    source: String,
    runs: usize,
    running: Option<Child>,
}

impl Program {
    /// Reads this index of this cluster, a page of 50 at a time.
    pub fn new(url: &str, index: &str) -> Self {
        let mut folder = TempDir::new().unwrap();
        // What a storm that fails leaves is all there is to find the cause in.
        folder.disable_cleanup(true);
        let settle_ms = SETTLE.as_millis();
        let source = format!(
            "[sources.storm.config]\nurl = \"{url}\"\nindex = \"{index}\"\n\
             timestamp_field = \"@timestamp\"\nbatch_size = 50\n\
             polling_interval = \"20ms\"\nsettle = \"{settle_ms}ms\"\n"
        );
        Self {
            folder,
            source,
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
        self.configure(output, postponed);
        let log = File::create(self.log_file()).unwrap();
        let mut command = program::command(self.folder(), &["run", "storm.toml"]);
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.running = Some(child.unwrap());
    }

    fn configure(&self, output: &Output, postponed: bool) {
        let [first, second] = STREAMS.map(|stream| output.stream(stream));
        let auto_save = if postponed {
            ", auto_save_interval = \"10s\""
        } else {
            ""
        };
        let text = format!(
            "{}\n[logging]\nlevel = \"debug\"\n[sources.storm]\n\
             [[sources.storm.streams]]\nstream = \"{first}\"\ntopic = \"{TOPIC}\"\nbatch_length = 7\n\
             [[sources.storm.streams]]\nstream = \"{second}\"\ntopic = \"{TOPIC}\"\n{}\
             state = {{ storage_config = {{ base_path = \"states\" }}{auto_save} }}\n",
            output.toml(),
            self.source
        );
        std::fs::write(self.folder().join("storm.toml"), text).unwrap();
    }

    /// Ends it with SIGKILL. It must not have ended before.
    pub fn kill(&mut self) {
        let mut child = self.running.take().unwrap();
        let ended = child.try_wait().unwrap();
        assert_eq!(ended, None, "it ended by itself: {}", self.log());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Runs to the end, which must leave nothing. Returns how many documents the output had
    /// already.
    pub async fn catch_up(&mut self, output: &Output) -> usize {
        self.configure(output, false);
        let folder = self.folder().to_owned();
        let run = move || program::run(&folder, &["run", "storm.toml", "--once", "--json"]);
        let finished = tokio::task::spawn_blocking(run).await.unwrap();
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let summary: Value = serde_json::from_str(&finished.stdout).unwrap();
        let source = &summary["sources"]["storm"];
        assert_eq!(source["beyond_horizon"], 0, "{summary}");
        source["already_there"].as_u64().unwrap() as usize
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

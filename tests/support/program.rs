//! The program itself, as a person starts it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a run of the program may take before a test gives up on it: longer than the
/// minute that it may wait before it tries again.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a finished program left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program with these arguments, in this folder, with an environment of its own.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elasticsearch-source"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Finished {
    finish(command(folder, arguments).spawn().unwrap())
}

/// Waits for its end, or kills it and fails.
pub(crate) fn finish(mut child: Child) -> Finished {
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let read_stdout = std::thread::spawn(move || std::io::read_to_string(&mut stdout).unwrap());
    let read_stderr = std::thread::spawn(move || std::io::read_to_string(&mut stderr).unwrap());
    let started = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if started.elapsed() > PATIENCE => {
                child.kill().unwrap();
                panic!("the program did not end: {}", read_stderr.join().unwrap());
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    Finished {
        code: status.code(),
        stdout: read_stdout.join().unwrap(),
        stderr: read_stderr.join().unwrap(),
    }
}

/// Asks a process to stop, as a service manager does.
pub(crate) fn terminate(child: &Child) {
    signal(child, "TERM");
}

/// Sends a process a signal.
pub(crate) fn signal(child: &Child, name: &str) {
    let asked = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert!(asked.success());
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

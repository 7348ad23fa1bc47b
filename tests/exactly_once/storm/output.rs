//! Where the documents of a storm go, and how to look there: files, or an Iggy, which is
//! the stand-in in this process unless `IGGY_ADDRESS` names a real server.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::iggy::Iggy;
use super::verdict::Found;
use super::writers::version;
use super::{STREAMS, TOPIC};

pub enum Output {
    Files(Files),
    Iggy(Iggy),
}

/// One file for each stream.
pub struct Files {
    folder: PathBuf,
    /// Bytes and lines of the first stream's file, as far as it was whole when last seen.
    seen: (u64, usize),
}

impl Output {
    pub fn files(folder: &Path) -> Self {
        Self::Files(Files {
            folder: folder.join("output"),
            seen: (0, 0),
        })
    }

    /// With these keys in `[iggy]`.
    pub async fn iggy(times: &'static str) -> Self {
        Self::Iggy(Iggy::start(times).await)
    }

    /// What the configuration of this process says of it.
    pub fn toml(&self, process: &str) -> String {
        match self {
            Self::Files(_) => "[output]\ntype = \"file\"\npath = \"output\"\n".to_owned(),
            Self::Iggy(iggy) => iggy.toml(process),
        }
    }

    /// The name that a stream has here.
    pub fn stream(&self, stream: &str) -> String {
        match self {
            Self::Files(_) => stream.to_owned(),
            Self::Iggy(iggy) => iggy.stream(stream),
        }
    }

    /// How many messages of the program the first stream has.
    pub async fn count(&mut self) -> usize {
        match self {
            Self::Files(files) => files.count(),
            Self::Iggy(iggy) => iggy.count(STREAMS[0]).await,
        }
    }

    /// Another producer writes to every stream, where there can be one: files are locked.
    pub async fn disturb(&mut self) {
        if let Self::Iggy(iggy) = self {
            iggy.disturb().await;
        }
    }

    /// The program's messages of a stream.
    pub async fn messages(&self, stream: &str) -> Vec<Found> {
        match self {
            Self::Files(files) => files.messages(stream),
            Self::Iggy(iggy) => iggy.messages(stream).await,
        }
    }
}

impl Files {
    fn path(&self, stream: &str) -> PathBuf {
        self.folder.join(stream).join(format!("{TOPIC}.ndjson"))
    }

    fn count(&mut self) -> usize {
        let Ok(mut file) = File::open(self.path(STREAMS[0])) else {
            return 0;
        };
        file.seek(SeekFrom::Start(self.seen.0)).unwrap();
        let (mut reader, mut line) = (BufReader::new(file), Vec::new());
        while reader.read_until(b'\n', &mut line).unwrap() > 0 && line.ends_with(b"\n") {
            self.seen = (self.seen.0 + line.len() as u64, self.seen.1 + 1);
            line.clear();
        }
        self.seen.1
    }

    fn messages(&self, stream: &str) -> Vec<Found> {
        let text = std::fs::read_to_string(self.path(stream)).unwrap();
        text.lines().map(found).collect()
    }
}

fn found(line: &str) -> Found {
    let message: Value = serde_json::from_str(line).unwrap();
    let headers = &message["headers"];
    Found {
        id: u128::from_str_radix(message["id"].as_str().unwrap(), 16).unwrap(),
        document: headers["_id"].as_str().unwrap().to_owned(),
        version: version(headers),
    }
}

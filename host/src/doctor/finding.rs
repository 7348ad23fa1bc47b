//! What the doctor has to say: one sentence, about one topic, of one weight.

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing; the source works as it is.
    Note,
    /// The source would fail, or lack documents, as long as this stays.
    Problem,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Who answers, and whether all hosts are one cluster.
    Server,
    /// Which indices the expression means.
    Indices,
    /// How the timestamp field is mapped, and whether documents are kept.
    Mapping,
    /// How many documents are read, and how many are not.
    Documents,
    /// How many documents have the same timestamp.
    Group,
    /// The settings of the indices and of the cluster.
    Settings,
    /// What the user may ask.
    Access,
    /// How large the first read is.
    Size,
    /// Which ways of paging are safe.
    Pagination,
}

/// One sentence of the doctor's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// What it is about.
    pub topic: Topic,
    /// For people: what there is and, unless it is as it should be, what to do.
    pub message: String,
}

impl Level {
    /// The level as findings are printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

impl Topic {
    /// The topic as findings are printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Indices => "indices",
            Self::Mapping => "mapping",
            Self::Documents => "documents",
            Self::Group => "group",
            Self::Settings => "settings",
            Self::Access => "access",
            Self::Size => "size",
            Self::Pagination => "pagination",
        }
    }

    pub(super) fn ok(self, message: impl Into<String>) -> Finding {
        self.says(Level::Ok, message)
    }

    pub(super) fn note(self, message: impl Into<String>) -> Finding {
        self.says(Level::Note, message)
    }

    pub(super) fn problem(self, message: impl Into<String>) -> Finding {
        self.says(Level::Problem, message)
    }

    fn says(self, level: Level, message: impl Into<String>) -> Finding {
        Finding {
            level,
            topic: self,
            message: message.into(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Asserts that these are the findings, by their levels and parts of their messages.
    #[track_caller]
    pub(in crate::doctor) fn assert_said(findings: &[Finding], expected: &[(Level, &str)]) {
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, (level, part)) in findings.iter().zip(expected) {
            assert_eq!(finding.level, *level, "{finding:?}");
            assert!(finding.message.contains(part), "{finding:?}, not {part:?}");
        }
    }
}

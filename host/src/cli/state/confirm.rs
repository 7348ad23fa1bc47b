//! Asking before something can not be undone.

use std::fmt;
use std::io::{BufRead as _, IsTerminal as _, stderr, stdin};

/// Somebody was asked and did not want it.
#[derive(Debug)]
pub(super) struct Declined;

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was changed: the answer was not y")
    }
}

impl std::error::Error for Declined {}

#[derive(clap::Args)]
pub(super) struct Confirmation {
    /// Do it without being asked; needed where there is no terminal
    #[arg(long)]
    yes: bool,
}

impl Confirmation {
    /// Returns if it may be done.
    ///
    /// # Errors
    /// [`Declined`], or nobody can be asked.
    pub(super) fn ask(&self, what: &str) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        anyhow::ensure!(
            stdin().is_terminal() && stderr().is_terminal(),
            "{what}; nobody can be asked here, so pass --yes to do it"
        );
        eprint!("{what}. Do it? [y/N] ");
        let mut answer = String::new();
        stdin().lock().read_line(&mut answer)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Declined.into()),
        }
    }
}

//! Compiling on a thread of its own, which may be given up on: nothing waits for it, so that
//! the program does not either when it is told to stop.

use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::{Component, Content, Origin};
use crate::sandbox::Sandbox;

/// How long compiling may take.
const COMPILE_TIME: Duration = Duration::from_secs(300);

impl Component {
    /// The same as [`Component::load`], without holding up what runs beside it, and for a
    /// limited time.
    ///
    /// # Errors
    /// As there, or that it took too long.
    pub async fn load_apart(sandbox: Sandbox, content: Content) -> anyhow::Result<Self> {
        let origin = content.origin().clone();
        let load = move || Self::load(&sandbox, &content);
        apart(&origin, COMPILE_TIME, load).await
    }
}

async fn apart<T: Send + 'static>(
    origin: &Origin,
    most: Duration,
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name("compile".to_owned());
    // Nobody may be there any more to be told.
    let thread = thread.spawn(move || drop(tell.send(work())));
    thread.context("cannot start a thread to compile")?;
    let told = tokio::time::timeout(most, told).await.with_context(|| {
        format!("{origin} is not compiled within {most:?}: use one that is smaller")
    })?;
    told.context("a defect of the program")?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_too_long_is_given_up_on_and_holds_nobody_up() {
        let wait = || {
            thread::sleep(Duration::from_secs(5));
            Ok(())
        };
        let most = Duration::from_millis(10);
        let error = apart(&Origin::Embedded, most, wait).await.unwrap_err();
        let words = "the embedded component is not compiled within 10ms";
        assert!(error.to_string().contains(words), "{error}");
    }

    #[tokio::test]
    async fn what_comes_of_it_is_told() {
        let most = Duration::from_secs(60);
        let done = apart(&Origin::Embedded, most, || Ok(1)).await;
        assert_eq!(done.unwrap(), 1);
        let refused = || -> anyhow::Result<()> { anyhow::bail!("no") };
        let error = apart(&Origin::Embedded, most, refused).await.unwrap_err();
        assert_eq!(error.to_string(), "no");
    }
}

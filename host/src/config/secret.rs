//! Text that no message may show.

use std::fmt;
use std::fs::File;
use std::io::Read;

/// Longer secrets are refused, in bytes.
const SECRET_MAX: u64 = 64 * 1024;

/// A password, token or key. `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    /// The file that it was read from.
    file: Option<String>,
}

impl Secret {
    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What its file holds by now; itself where it was not read from one.
    ///
    /// # Errors
    /// Names the file that can not be read, or holds no secret any more.
    pub(crate) fn read_again(&self) -> Result<Self, String> {
        let Some(file) = &self.file else {
            return Ok(self.clone());
        };
        Ok(Self {
            text: read(file)?,
            file: Some(file.clone()),
        })
    }

    /// Takes the text itself, or from the file that `file:PATH` names, without the line
    /// break at its end.
    pub(crate) fn from_setting(setting: &str) -> Result<Self, String> {
        let file = setting.strip_prefix("file:").map(str::to_owned);
        let text = match &file {
            Some(path) => read(path)?,
            None => setting.to_owned(),
        };
        if text.is_empty() {
            return Err(
                "a secret is not empty: write it, or file:PATH, or leave the key out".to_owned(),
            );
        }
        Ok(Self { text, file })
    }
}

fn read(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let opened = File::open(path);
    let length = opened
        .and_then(|file| file.take(SECRET_MAX + 1).read_to_string(&mut text))
        .map_err(|e| format!("secret file {path} can not be read ({e}): check the path after file: and its permissions"))?;
    if length as u64 > SECRET_MAX {
        return Err(format!(
            "secret file {path} is larger than {SECRET_MAX} bytes: check the path after file:"
        ));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(format!(
            "secret file {path} is empty: write the secret into it"
        ));
    }
    Ok(line.to_owned())
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_prints_a_secret() {
        let secret = Secret::from_setting("hunter2").unwrap();
        assert_eq!(
            format!("{secret} {secret:?} {:#?}", Some(&secret))
                .matches("***")
                .count(),
            3
        );
        assert!(!format!("{secret} {secret:?}").contains("hunter2"));
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_secret_file_is_read_without_its_line_break() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for (content, expected) in [
            ("abc\n", "abc"),
            ("abc\r\n", "abc"),
            (" a b ", " a b "),
            ("a\n\n", "a\n"),
        ] {
            std::fs::write(&path, content).unwrap();
            let secret = Secret::from_setting(&format!("file:{}", path.display())).unwrap();
            assert_eq!(secret.expose(), expected);
        }
    }

    #[test]
    fn a_secret_of_a_file_is_read_again_and_another_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "old\n").unwrap();
        let kept = Secret::from_setting(&format!("file:{}", path.display())).unwrap();
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(kept.read_again().unwrap().expose(), "new");
        assert_eq!(kept.expose(), "old");
        std::fs::remove_file(&path).unwrap();
        let error = kept.read_again().unwrap_err();
        assert!(error.contains("token") && !error.contains("old"), "{error}");
        let written = Secret::from_setting("old").unwrap();
        assert_eq!(written.read_again(), Ok(written));
    }

    #[test]
    fn an_unusable_secret_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large");
        std::fs::write(&large, vec![b'x'; 65 * 1024]).unwrap();
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "\n").unwrap();
        for path in [folder.path().join("absent"), large, empty] {
            let path = path.display().to_string();
            let error = Secret::from_setting(&format!("file:{path}")).unwrap_err();
            assert!(error.contains(&path), "{error}");
        }
        assert!(Secret::from_setting("").is_err());
    }
}

//! Folders for tests that run the command on files of their own.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder of a test with one file in it.
pub(crate) fn folder(test: &str, file: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).expect("cargo's own folder can be written to");
    fs::write(folder.join(file), text).expect("cargo's own folder can be written to");
    folder
}

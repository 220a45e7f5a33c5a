//! Where the packages of bullmq are that tests use: they are not in this repository.

use std::path::{Path, PathBuf};

/// Set where a missing package is a failure.
pub(crate) const REQUIRED: &str = "BOOTRACE_REQUIRE_BULLMQ";

/// The folder that the package of a version is installed in: below `BOOTRACE_BULLMQ`, or below
/// `target/bullmq`.
pub(crate) fn package(version: &str) -> PathBuf {
    let folder = std::env::var_os("BOOTRACE_BULLMQ").map(PathBuf::from);
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bullmq");
    folder.unwrap_or_else(default).join(version)
}

/// Why the package of a version cannot be used, if it cannot: a reason to skip a test.
///
/// # Panics
/// If it is required.
pub(crate) fn missing(version: &str) -> Option<String> {
    let found = package(version).join("node_modules/bullmq/package.json").is_file();
    let reason = (!found).then(|| format!("bullmq {version} is not installed"))?;
    assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and {reason}");
    Some(reason)
}

//! Files that are made: whole or not at all, and never in place of another, unless that is ours.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Makes a file with this text, and the folders above it that are not there.
///
/// # Errors
/// `AlreadyExists` if there is anything at the path, which stays as it is; or whatever else the
/// system refuses.
pub(crate) fn create(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        // What is there is something else than a folder, and not what was to be made.
        fs::create_dir_all(folder).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
            _ => error,
        })?;
    }
    hidden(path, name, text, place)
}

/// Puts this text in place of a file that is ours: at every instant there is the one or the other.
///
/// # Errors
/// Whatever the system refuses.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    hidden(path, name, text, |hidden, path| fs::rename(hidden, path))
}

/// Writes a text to a file of another name, and lets that be given its own.
fn hidden(
    path: &Path,
    name: &OsStr,
    text: &str,
    place: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    // In the same folder, so that it can be moved in one step.
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let hidden = path.with_file_name(hidden);
    let file = OpenOptions::new().write(true).create_new(true).open(&hidden)?;
    let made = fill(file, text).and_then(|()| place(&hidden, path));
    // After a move it is not there any more.
    let _ = fs::remove_file(&hidden);
    made
}

fn fill(mut file: File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Gives a file its name. A link is refused if the name is taken, which a move is not; where there
/// are no links, the name was free a moment ago.
fn place(hidden: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(hidden, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::rename(hidden, path),
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn folder(test: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("bootrace-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn files(folder: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(folder).expect("the folder was made");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("it can be read").file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_made_with_its_folders_and_nothing_else() {
        let folder = folder("made").join("a/b");
        create(&folder.join("c.toml"), "text\n").expect("it is made");
        assert_eq!(fs::read_to_string(folder.join("c.toml")).expect("it is there"), "text\n");
        assert_eq!(files(&folder), ["c.toml"]);
        fs::remove_dir_all(folder.join("../..")).expect("it can be removed");
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let folder = folder("kept");
        let path = folder.join("c.toml");
        create(&path, "first").expect("it is made");
        let refused = create(&path, "second").expect_err("the name is taken");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        // As if somebody had been faster than the question whether there is one.
        let hidden = folder.join("hidden");
        fs::write(&hidden, "third").expect("it can be written");
        let refused = place(&hidden, &path).expect_err("the name is taken");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "first");
        let folder_itself = create(&folder, "fourth").expect_err("a folder is something, too");
        assert_eq!(folder_itself.kind(), io::ErrorKind::AlreadyExists);
        fs::remove_dir_all(&folder).expect("it can be removed");
    }
}

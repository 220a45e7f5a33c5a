//! Files that are made: whole or not at all, and in place of another only where that is asked for.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

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
    let hidden = hidden(path, name);
    let file = OpenOptions::new().write(true).create_new(true).open(&hidden)?;
    let made = fill(file, text).and_then(|()| place(&hidden, path));
    // After a move it is not there any more.
    let _ = fs::remove_file(&hidden);
    made
}

/// Makes a file with this text, in place of the one of that name: whoever reads it, and whatever
/// happens meanwhile, finds the old one or the new one, whole.
///
/// # Errors
/// Whatever the system refuses. The old one stays as it is.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let hidden = hidden(path, name);
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(&hidden)?;
    let made = fill(file, text).and_then(|()| fs::rename(&hidden, path));
    if made.is_err() {
        let _ = fs::remove_file(&hidden);
        return made;
    }
    // Where a folder cannot be opened as a file, the name lasts as it does there.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new(".")));
    folder.map_or(Ok(()), |folder| folder.sync_all().or(Ok(())))
}

/// The name of a file until it is whole: in the same folder, so that it can be moved in one step.
fn hidden(path: &Path, name: &OsStr) -> PathBuf {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    path.with_file_name(hidden)
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

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = folder("replaced");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let path = folder.join("c.json");
        replace(&path, "first, which is longer").expect("it is made");
        replace(&path, "second").expect("it is replaced");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "second");
        assert_eq!(files(&folder), ["c.json"]);
        // Where a folder has the name, neither is changed.
        fs::create_dir(folder.join("d")).expect("a folder can be made");
        fs::write(folder.join("d/e"), "").expect("it can be written");
        replace(&folder.join("d"), "third").expect_err("a folder is no file");
        assert_eq!(files(&folder), ["c.json", "d"]);
        fs::remove_dir_all(&folder).expect("it can be removed");
    }
}

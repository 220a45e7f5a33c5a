//! The scripts of an installed bullmq package.

use std::fs;
use std::path::Path;

/// A script as the package ships it.
pub(crate) struct Script {
    /// Its name.
    pub(crate) name: String,
    /// How many keys its calls have.
    pub(crate) keys: usize,
    /// Its text, with all that it includes.
    pub(crate) text: String,
}

/// All scripts of a package, by name. Each is a file `NAME-KEYS.js` with the text between backticks.
pub(crate) fn scripts(package: &Path) -> Result<Vec<Script>, String> {
    let folder = package.join("node_modules/bullmq/dist/cjs/scripts");
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut scripts = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((name, keys)) = name.strip_suffix(".js").and_then(|name| name.split_once('-'))
        else {
            continue;
        };
        let keys = keys.parse().map_err(|_| format!("{}: how many keys?", path.display()))?;
        let source = fs::read_to_string(&path).map_err(failed)?;
        let text =
            source.split('`').nth(1).filter(|text| !text.contains('\\') && !text.contains("${"));
        let text = text.ok_or_else(|| format!("{}: no plain text in it", path.display()))?;
        scripts.push(Script { name: name.to_owned(), keys, text: text.to_owned() });
    }
    scripts.sort_by(|one, two| one.name.cmp(&two.name));
    Ok(scripts)
}

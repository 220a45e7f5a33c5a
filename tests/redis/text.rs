//! Commands and replies as people read them.

pub(crate) fn words(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// A command as redis-cli takes it, with the number of its client.
pub(crate) fn shown(client: usize, args: &[Vec<u8>]) -> String {
    let mut line = format!("[{client}]");
    for arg in args {
        let plain = !arg.is_empty()
            && arg.iter().all(|byte| byte.is_ascii_graphic() && !b"\"'\\".contains(byte));
        match (plain, String::from_utf8_lossy(arg)) {
            (true, text) => line += &format!(" {text}"),
            (false, _) => line += &format!(" \"{}\"", quoted(arg)),
        }
    }
    line
}

/// The inside of a string in double quotes, as redis-cli reads it.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b'\n' => text += "\\n",
            b'\r' => text += "\\r",
            b' '..=b'~' => text.push(char::from(*byte)),
            other => text += &format!("\\x{other:02x}"),
        }
    }
    text
}

//! The first line of a script or a library: `#!lua`, with flags or a name.

use super::super::error::Error;

/// What a script says that it will not do, or is allowed to do.
const FLAGS: [&str; 5] =
    ["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"];

/// A sum of flags: the bit of each is its place in [`FLAGS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Flags(u8);

impl Flags {
    /// The script does not write.
    pub(super) fn no_writes(self) -> bool {
        self.0 & 1 != 0
    }

    /// The script may run where memory is short.
    pub(super) fn allow_oom(self) -> bool {
        self.0 & 2 != 0
    }

    /// Adds a flag by its name; whether there is one.
    pub(super) fn add(&mut self, same: impl Fn(&str) -> bool) -> bool {
        let place = FLAGS.iter().position(|flag| same(flag));
        self.0 |= place.map_or(0, |place| 1 << place);
        place.is_some()
    }

    /// The names of those that are set.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        (0..FLAGS.len()).filter(move |place| self.0 & (1 << place) != 0).map(|place| FLAGS[place])
    }
}

/// A text that may begin with such a line.
pub(super) struct Script<'a> {
    /// The flags; `None`: there is no such line.
    pub(super) flags: Option<Flags>,
    /// What is compiled. It begins with the line's end, so that lines keep their numbers.
    pub(super) text: &'a [u8],
}

/// The words of a line; `None`: a quote is wrong.
type Words = Option<Vec<Vec<u8>>>;

/// The first line in words, and what follows it.
fn split(text: &[u8]) -> Option<(Words, &[u8])> {
    let end = text.iter().take_while(|byte| **byte != 0).position(|byte| *byte == b'\n')?;
    Some((words(&text[..end]), &text[end..]))
}

/// Reads the first line of a script of EVAL.
pub(super) fn script(text: &[u8]) -> Result<Script<'_>, Error> {
    if !text.starts_with(b"#!") {
        return Ok(Script { flags: None, text });
    }
    let (words, rest) = split(text).ok_or(Error::Text("ERR Invalid script shebang"))?;
    let words = words.filter(|words| !words.is_empty());
    let words = words.ok_or(Error::Text("ERR Invalid engine in script shebang"))?;
    let wrong = |what: &str, which: &[u8]| {
        Error::line(format!("ERR {what}: {}", String::from_utf8_lossy(which)))
    };
    if words[0] != b"#!lua" {
        return Err(wrong("Unexpected engine in script shebang", &words[0]));
    }
    let mut flags = Flags::default();
    for word in &words[1..] {
        let Some(list) = word.strip_prefix(b"flags=") else {
            return Err(wrong("Unknown lua shebang option", word));
        };
        // An empty list names nothing.
        for flag in list.split(|byte| *byte == b',').filter(|_| !list.is_empty()) {
            if !flags.add(|name| name.as_bytes() == flag) {
                return Err(wrong("Unexpected flag in script shebang", flag));
            }
        }
    }
    Ok(Script { flags: Some(flags), text: rest })
}

/// What the first line of a library says.
pub(super) struct Library<'a> {
    pub(super) engine: Vec<u8>,
    pub(super) name: Vec<u8>,
    /// What is compiled.
    pub(super) text: &'a [u8],
}

/// Reads the first line of a library.
pub(super) fn library(text: &[u8]) -> Result<Library<'_>, Error> {
    const INVALID: Error = Error::Text("ERR Invalid library metadata");
    if !text.starts_with(b"#!") {
        return Err(Error::Text("ERR Missing library metadata"));
    }
    let (words, rest) = split(text).ok_or(INVALID)?;
    let words = words.filter(|words| !words.is_empty()).ok_or(INVALID)?;
    let mut name: Option<&[u8]> = None;
    for word in &words[1..] {
        if !word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"name=")) {
            let word = String::from_utf8_lossy(word);
            return Err(Error::line(format!("ERR Invalid metadata value given: {word}")));
        }
        if name.replace(&word[5..]).is_some() {
            return Err(Error::Text(
                "ERR Invalid metadata value, name argument was given multiple times",
            ));
        }
    }
    let name = name.ok_or(Error::Text("ERR Library name was not given"))?.to_vec();
    Ok(Library { engine: words[0][2..].to_vec(), name, text: rest })
}

/// A line in words, with quotes and escapes as on Redis's command line (sds.c `sdssplitargs`).
fn words(line: &[u8]) -> Words {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        while let [b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, after @ ..] = rest {
            rest = after;
        }
        if rest.is_empty() {
            return Some(words);
        }
        let mut word = Vec::new();
        loop {
            rest = match rest {
                [] | [b' ' | b'\t' | b'\n' | b'\r' | 0, ..] => break,
                [quote @ (b'"' | b'\''), after @ ..] => quoted(after, *quote, &mut word)?,
                [byte, after @ ..] => {
                    word.push(*byte);
                    after
                }
            };
        }
        words.push(word);
        if let [0, ..] = rest {
            return Some(words);
        }
    }
}

/// Reads up to the closing quote, behind which a word must end.
fn quoted<'a>(mut rest: &'a [u8], quote: u8, word: &mut Vec<u8>) -> Option<&'a [u8]> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    loop {
        rest = match rest {
            [] => return None,
            [b'\\', b'x', high, low, after @ ..]
                if quote == b'"' && digit(high).is_some() && digit(low).is_some() =>
            {
                word.push(digit(high)? << 4 | digit(low)?);
                after
            }
            [b'\\', escaped, after @ ..] if quote == b'"' => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                after
            }
            [b'\\', b'\'', after @ ..] if quote == b'\'' => {
                word.push(b'\'');
                after
            }
            [byte, after @ ..] if *byte == quote => {
                let ends = after.first().is_none_or(u8::is_ascii_whitespace);
                return ends.then_some(after);
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_what_it_does_in_its_first_line() {
        let read = |text: &'static str| script(text.as_bytes());
        let plain = read("return 1").unwrap();
        assert_eq!((plain.flags, plain.text), (None, &b"return 1"[..]));
        let flagged = read("#!lua flags=no-writes,allow-oom\nreturn 1").unwrap();
        assert_eq!(flagged.text, b"\nreturn 1");
        let names: Vec<_> = flagged.flags.unwrap().names().collect();
        assert_eq!(names, ["no-writes", "allow-oom"]);
        assert!(flagged.flags.unwrap().no_writes());
        let wrong = [
            ("#!lua", "ERR Invalid script shebang"),
            ("#!lua 'a\n", "ERR Invalid engine in script shebang"),
            ("#!js\n", "ERR Unexpected engine in script shebang: #!js"),
            ("#!lua flags=x\n", "ERR Unexpected flag in script shebang: x"),
            ("#!lua a=b\n", "ERR Unknown lua shebang option: a=b"),
        ];
        for (text, error) in wrong {
            assert_eq!(read(text).err().map(|error| error.to_string()), Some(error.to_owned()));
        }
    }

    #[test]
    fn words_are_split_as_on_the_command_line() {
        let split = |line: &str| {
            let words = words(line.as_bytes())?;
            Some(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
        };
        let some = |expected: &[&str]| Some(expected.iter().map(|w| (*w).to_owned()).collect());
        assert_eq!(split("  a b\t c "), some(&["a", "b", "c"]));
        assert_eq!(split(r#"a "b c" d"e\x41\n""#), some(&["a", "b c", "deA\n"]));
        assert_eq!(split(r"'it\'s'"), some(&["it's"]));
        assert_eq!(split(""), Some(Vec::new()));
        let wrong: [Option<Vec<String>>; 2] = [split("\"a"), split("'a'b")];
        assert_eq!(wrong, [None, None]);
    }
}

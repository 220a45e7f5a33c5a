//! Glob patterns, as KEYS, SCAN, PSUBSCRIBE and CONFIG GET have them (util.c `stringmatchlen`).
//!
//! They match bytes, not letters. What a C compiler leaves open is answered as on x86-64: a range
//! in brackets compares signed bytes.

/// Patterns with more stars that matter than this match nothing (as Redis since its security
/// releases of 2024 has it).
const DEEPEST: usize = 1000;

/// Whether `text` as a whole matches `pattern`; letters of ASCII in any case if `nocase`.
pub(super) fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    let mut hopeless = false;
    Glob { nocase, hopeless: &mut hopeless }.run(pattern, text, 0)
}

struct Glob<'a> {
    nocase: bool,
    /// The rest of the pattern after some star matches no rest of the text: to let an earlier star
    /// take more cannot help.
    hopeless: &'a mut bool,
}

impl Glob<'_> {
    fn run(&mut self, mut pattern: &[u8], mut text: &[u8], nesting: usize) -> bool {
        if nesting > DEEPEST {
            return false;
        }
        while let (Some(&first), Some(&byte)) = (pattern.first(), text.first()) {
            match first {
                b'*' => return self.star(pattern, text, nesting),
                b'?' => pattern = &pattern[1..],
                b'[' => {
                    let (rest, is_in) = self.class(&pattern[1..], byte);
                    if !is_in {
                        return false;
                    }
                    pattern = rest;
                }
                _ => {
                    if first == b'\\' && pattern.len() >= 2 {
                        pattern = &pattern[1..];
                    }
                    if self.fold(pattern[0]) != self.fold(byte) {
                        return false;
                    }
                    pattern = &pattern[1..];
                }
            }
            text = &text[1..];
            if text.is_empty() {
                while let Some(rest) = pattern.strip_prefix(b"*") {
                    pattern = rest;
                }
            }
        }
        pattern.is_empty() && text.is_empty()
    }

    /// A star at the beginning of the pattern.
    fn star(&mut self, mut pattern: &[u8], text: &[u8], nesting: usize) -> bool {
        while pattern.starts_with(b"**") {
            pattern = &pattern[1..];
        }
        let rest = &pattern[1..];
        if rest.is_empty() {
            return true;
        }
        for taken in 0..text.len() {
            if self.run(rest, &text[taken..], nesting + 1) {
                return true;
            }
            if *self.hopeless {
                return false;
            }
        }
        *self.hopeless = true;
        false
    }

    /// A class in brackets, after the opening one: what follows it, and whether it has the byte.
    /// One that is not closed ends with the pattern.
    fn class<'p>(&self, pattern: &'p [u8], byte: u8) -> (&'p [u8], bool) {
        let (mut rest, not) = match pattern.strip_prefix(b"^") {
            Some(rest) => (rest, true),
            None => (pattern, false),
        };
        let mut found = false;
        loop {
            rest = match rest {
                [] => return (rest, found != not),
                [b'\\', literal, after @ ..] => {
                    found |= *literal == byte;
                    after
                }
                [b']', after @ ..] => return (after, found != not),
                [low, b'-', high, after @ ..] => {
                    found |= self.between(*low, *high, byte);
                    after
                }
                [one, after @ ..] => {
                    found |= self.fold(*one) == self.fold(byte);
                    after
                }
            };
        }
    }

    /// Whether a byte is in a range, whose ends may be swapped.
    fn between(&self, one: u8, other: u8, byte: u8) -> bool {
        let signed = u8::cast_signed;
        let (low, high) = (signed(one).min(signed(other)), signed(one).max(signed(other)));
        let fold = |byte: i8| signed(self.fold(byte.cast_unsigned()));
        (fold(low)..=fold(high)).contains(&fold(signed(byte)))
    }

    fn fold(&self, byte: u8) -> u8 {
        if self.nocase { byte.to_ascii_lowercase() } else { byte }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("*", "", false),
            ("", "", true),
            ("a*", "a", true),
            ("a**c", "abbc", true),
            ("*a*b*", "xxaxxb", true),
            ("*a*b*c", "xxaxxb", false),
            ("h?llo", "hello", true),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("[a\\]b]", "]", true),
            ("[abc", "c", true),
            ("[^", "a", true),
            ("\\*", "*", true),
            ("a\\", "a\\", true),
            ("[a-]x", "-x", false),
            ("[a-", "-", true),
            ("[a-\u{7f}]", "é", false),
        ] {
            let found = matches(pattern.as_bytes(), text.as_bytes(), false);
            assert_eq!(found, expected, "{pattern} {text}");
        }
        assert!(matches(b"HE[K-M]LO", b"hello", true) && !matches(b"H", b"h", false));
    }

    #[test]
    fn a_spiteful_pattern_costs_little() {
        let text = vec![b'a'; 4000];
        assert!(!matches(&[b"*a".repeat(1500), b"*b".to_vec()].concat(), &text, false));
        assert!(!matches(&b"a*".repeat(1100), &text, false), "as the guard has it");
        assert!(matches(&b"a*".repeat(900), &text, false));
    }
}

//! The commands that are generated, as a grammar: `grammar.txt`, read and drawn from.
//!
//! What stands for an argument (`<s>`, a key of a string) is in `kinds.rs`.

use super::Rng;
use super::kinds::Kinds;

/// Part of a command.
enum Part {
    Word(Vec<u8>),
    /// An argument of a kind.
    Kind(String),
    /// `[…]`: may be left out.
    Maybe(Vec<Part>),
    /// `(… | …)`: one of them.
    Either(Vec<Vec<Part>>),
    /// `{…}`: one to three times.
    Several(Vec<Part>),
}

/// A command with what may follow it.
pub(crate) struct Form(Vec<Part>);

/// Commands that belong together.
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) forms: Vec<Form>,
}

/// The families of `grammar.txt`, without the forms whose command `knows` does not know.
pub(crate) fn families(knows: impl Fn(&[&str]) -> bool) -> (Vec<Family>, Vec<String>) {
    let (mut families, mut unknown) = (Vec::<Family>::new(), Vec::new());
    for line in include_str!("grammar.txt").lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("# family ") {
            families.push(Family { name: name.to_owned(), forms: Vec::new() });
        } else if let Some(family) = families.last_mut() {
            let words: Vec<&str> = line.split(' ').take(2).collect();
            if knows(&words) {
                family.forms.push(Form(Reader::new(line).parts()));
            } else if !unknown.iter().any(|name| name == words[0]) {
                unknown.push(words[0].to_owned());
            }
        }
    }
    families.retain(|family| !family.forms.is_empty());
    (families, unknown)
}

struct Reader<'a> {
    words: std::iter::Peekable<std::vec::IntoIter<&'a str>>,
}

impl<'a> Reader<'a> {
    fn new(line: &'a str) -> Self {
        let mut words = Vec::new();
        for mut word in line.split(' ') {
            let mut closing = Vec::new();
            while word.len() > 1 && word.starts_with(['[', '(', '{']) {
                words.push(&word[..1]);
                word = &word[1..];
            }
            while word.len() > 1 && word.ends_with([']', ')', '}']) {
                closing.push(&word[word.len() - 1..]);
                word = &word[..word.len() - 1];
            }
            words.push(word);
            words.extend(closing.into_iter().rev());
        }
        Reader { words: words.into_iter().peekable() }
    }

    /// Parts up to what closes them, which is left.
    fn parts(&mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        while let Some(word) = self.words.next_if(|word| !["]", ")", "}", "|"].contains(word)) {
            parts.push(match word {
                "[" => Part::Maybe(self.closed()),
                "{" => Part::Several(self.closed()),
                "(" => Part::Either(self.alternatives()),
                _ => match word.strip_prefix('<').and_then(|word| word.strip_suffix('>')) {
                    Some(kind) => Part::Kind(kind.to_owned()),
                    None => Part::Word(word.as_bytes().to_vec()),
                },
            });
        }
        parts
    }

    fn closed(&mut self) -> Vec<Part> {
        let parts = self.parts();
        self.words.next().expect("what is opened is closed");
        parts
    }

    fn alternatives(&mut self) -> Vec<Vec<Part>> {
        let mut alternatives = vec![self.parts()];
        while self.words.next().expect("what is opened is closed") == "|" {
            alternatives.push(self.parts());
        }
        alternatives
    }
}

impl Form {
    /// One command of this form.
    pub(crate) fn draw(&self, rng: &mut Rng, kinds: &Kinds) -> Vec<Vec<u8>> {
        let mut args = Vec::new();
        draw(&self.0, rng, kinds, &mut args);
        args
    }
}

fn draw(parts: &[Part], rng: &mut Rng, kinds: &Kinds, args: &mut Vec<Vec<u8>>) {
    for part in parts {
        match part {
            Part::Word(word) => args.push(word.clone()),
            Part::Kind(kind) => args.push(kinds.draw(kind, rng)),
            Part::Maybe(parts) if rng.below(2) == 0 => draw(parts, rng, kinds, args),
            Part::Maybe(_) => {}
            Part::Either(all) => draw(&all[rng.below(all.len())], rng, kinds, args),
            Part::Several(parts) => {
                for _ in 0..[1, 1, 2, 3][rng.below(4)] {
                    draw(parts, rng, kinds, args);
                }
            }
        }
    }
}

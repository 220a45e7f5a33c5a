//! Scripts with the answers that the real server gave.
//!
//! A file is a list of cases, run one after the other in one server. A case is a script, a line that
//! begins with `=> ` and has the answer, and an empty line. A line `:WORDS` is a command in place of
//! a script. A script has one key, `key`, and one more argument, `argument`.

use std::path::Path;
use std::{env, fs};

use crate::Outcome;
use crate::pair::{Answers, Model, shown};
use crate::real::Real;

struct Case {
    script: String,
    answer: String,
}

fn read(file: &Path) -> Vec<Case> {
    let text = fs::read_to_string(file).expect("it is text");
    let mut cases = Vec::new();
    let mut script = String::new();
    for line in text.lines() {
        if let Some(answer) = line.strip_prefix("=>") {
            let answer = answer.trim_start().to_owned();
            cases.push(Case { script: script.trim().to_owned(), answer });
            script.clear();
        } else {
            script += line;
            script += "\n";
        }
    }
    assert!(script.trim().is_empty(), "{} ends with a case", file.display());
    cases
}

fn ask(server: &mut impl Answers, case: &Case) -> String {
    let answer = match case.script.strip_prefix(':') {
        Some(words) => {
            let words: Vec<Vec<u8>> = words.split(' ').map(unescaped).collect();
            server.ask(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())
        }
        None => server.ask(&[b"EVAL", case.script.as_bytes(), b"1", b"key", b"argument"]),
    };
    shown(&answer)
}

/// A word with `\n` and `\s` for a line's end and a space.
fn unescaped(word: &str) -> Vec<u8> {
    word.replace("\\n", "\n").replace("\\s", " ").into_bytes()
}

fn compare(cases: &[Case], server: &mut impl Answers) -> Outcome {
    let mut wrong = String::new();
    for case in cases {
        let answer = ask(server, case);
        if answer != case.answer {
            let Case { script, answer: expected } = case;
            wrong += &format!("\n{script}\n  recorded {expected}\n  answers  {answer}\n");
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The model gives the recorded answers.
pub(crate) fn on_the_model(file: &Path) -> Outcome {
    compare(&read(file), &mut Model::new())
}

/// The real server still gives them, or they are recorded.
pub(crate) fn on_the_real(file: &Path) -> Outcome {
    let mut server = Real::start();
    let cases = read(file);
    if env::var_os("BOOTRACE_RECORD").is_none() {
        return compare(&cases, &mut server);
    }
    let mut text = String::new();
    for case in &cases {
        text += &format!("{}\n=> {}\n\n", case.script, ask(&mut server, case));
    }
    fs::write(file, text.trim_end().to_owned() + "\n").map_err(|error| error.to_string())
}

//! Scripts in Lua, against the real server: cases with its recorded answers, and generated calls of
//! the libraries.
//!
//! The cases are in `tests/lua/cases`. `BOOTRACE_RECORD=1` records their answers again.

#[path = "lua/cases.rs"]
mod cases;
#[path = "lua/generate.rs"]
mod generate;
#[path = "lua/pair.rs"]
mod pair;
#[path = "lua/real.rs"]
mod real;
#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// What a test comes to, or why it fails.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let files = support::files("tests/lua/cases", "txt");
    let mut trials = Vec::new();
    for file in files {
        let name = support::named(&file);
        trials.push(trial(format!("{name} on the model"), &file, cases::on_the_model));
        trials.push(of_the_real(format!("{name} on the real server"), move || {
            cases::on_the_real(&file)
        }));
    }
    for (name, run) in generate::TESTS {
        trials.push(of_the_real(format!("generated {name}"), run));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: String, file: &Path, run: fn(&Path) -> Outcome) -> Trial {
    let file = file.to_owned();
    Trial::test(name, move || run(&file).map_err(Failed::from))
}

/// A test that needs the real server, or its name with the reason why it is not run.
fn of_the_real(name: String, run: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    match real::missing() {
        None => Trial::test(name, move || run().map_err(Failed::from)),
        Some(reason) => Trial::test(format!("{name}: {reason}"), || Ok(())).with_ignored_flag(true),
    }
}

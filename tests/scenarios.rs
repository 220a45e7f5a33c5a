//! Every scenario file is a test: what it declares is so.

fn main() -> std::process::ExitCode {
    bootrace::testing::scenarios("scenarios", 1..=20)
}

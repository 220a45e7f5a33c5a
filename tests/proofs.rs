//! What holds in every order of a scenario's messages, with a kill anywhere.

use bootrace::search::{bounded, search};
use bootrace::sim::scenario::parse;
use std::sync::Arc;
use std::time::Instant;

#[test]
fn try_it() {
    let text = std::fs::read_to_string(std::env::var("STORY").expect("STORY")).expect("a file");
    let kills: u32 = std::env::var("KILLS").map_or(0, |text| text.parse().expect("a number"));
    let (scenario, _) = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let scenario = Arc::new(bounded(&scenario, kills));
    let start = Instant::now();
    let (searched, cut) = search(&scenario, kills, &mut ());
    println!(
        "{:?} {:?} {:?} cut {cut:?} {:?}",
        searched.progress,
        searched.violated,
        searched.by_kills,
        start.elapsed()
    );
    for tape in searched.tapes.iter().flatten() {
        println!(
            "{} answers, {} not plain",
            tape.choices.len(),
            tape.choices.iter().filter(|c| c.answer > 0).count()
        );
    }
}

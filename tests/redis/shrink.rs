//! Makes a session in which model and server part as short as it gets.

use super::Step;
use super::play::{Bench, Parting};
use super::text::shown;

/// How many shorter sessions are tried.
const ATTEMPTS: usize = 600;

/// Plays shorter and shorter sessions; what people are shown.
pub(crate) fn report(
    bench: &mut Bench,
    steps: &[Step],
    parting: Box<Parting>,
    seed: u64,
) -> String {
    let (steps, parting) = shortest(bench, steps[..=parting.at].to_vec(), parting);
    let mut text = format!("seed {seed}: the model and redis-server part after\n\n");
    for step in &steps {
        if step.wait_ms != 0 {
            text += &format!("    # {} ms pass\n", step.wait_ms);
        }
        text += &format!("    {}\n", shown(step.client, &step.args));
    }
    text += &format!("\nin {}\n", parting.what);
    text += &format!("    model: {}\n    redis: {}\n", parting.model, parting.real);
    text
}

fn shortest(
    bench: &mut Bench,
    mut steps: Vec<Step>,
    mut parting: Box<Parting>,
) -> (Vec<Step>, Box<Parting>) {
    let mut size = steps.len().div_ceil(2);
    let mut attempts = 0;
    loop {
        let (mut at, mut shorter) = (0, false);
        while at < steps.len() && attempts < ATTEMPTS {
            attempts += 1;
            let mut fewer = steps.clone();
            let gone: i64 =
                fewer.drain(at..(at + size).min(steps.len())).map(|step| step.wait_ms).sum();
            // Time passes as before, so that instants in arguments keep their meaning.
            if let Some(next) = fewer.get_mut(at) {
                next.wait_ms += gone;
            }
            match bench.play(&fewer) {
                Err(other) if !fewer.is_empty() => {
                    fewer.truncate(other.at + 1);
                    (steps, parting, shorter) = (fewer, other, true);
                }
                _ => at += size,
            }
        }
        if attempts >= ATTEMPTS || (size == 1 && !shorter) {
            return (steps, parting);
        }
        size = size.div_ceil(2);
    }
}

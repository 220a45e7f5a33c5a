//! What goes on while seeds are played: progress for a person who looks on, and signals. Nothing is
//! ever drawn where nobody looks, and nothing on standard output.

use super::{Exit, tell};
use crate::explore::{Played, Ran};
use crate::pool::Watch;
use crate::{advise, audit, soak};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signal_hook::{consts, flag};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long it may take without progress being shown.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// The signals that ask a process to end.
const ENDING: &[i32] = &[
    consts::SIGINT,
    consts::SIGTERM,
    #[cfg(unix)]
    consts::SIGHUP,
];

/// Looks on while several scenarios are played on the same seeds.
pub(super) struct Live {
    /// Whether a signal asked to end.
    asked: Arc<AtomicBool>,
    scenarios: u64,
    plays: u64,
    violations: u64,
    begun: Instant,
    bar: ProgressBar,
    /// Whether there is a bar that is not drawn yet.
    waits: bool,
}

impl Live {
    /// Looks on from now. From now on a signal asks to end; another one ends the process at once.
    /// How many seeds there will be is not always known.
    pub(super) fn new(scenarios: usize, seeds: Option<u64>) -> Self {
        let asked = ending();
        let bar = ProgressBar::with_draw_target(seeds, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template(match seeds {
            Some(_) => "[{bar:30}] {human_pos} of {human_len} seeds, {msg}",
            None => "{human_pos} seeds, {msg}",
        });
        bar.set_style(style.expect("the template is right").progress_chars("=> "));
        Live {
            asked,
            scenarios: scenarios as u64,
            plays: 0,
            violations: 0,
            begun: Instant::now(),
            bar,
            waits: is_watched(),
        }
    }

    /// The seeds up to this one were played before.
    pub(super) fn goes_on_after(&mut self, seed: u64) {
        self.plays = seed * self.scenarios;
        self.bar.set_position(seed);
        self.bar.reset_eta();
    }

    /// Whether a signal asked to end.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// One more run is done, with so many violations.
    fn count(&mut self, violations: u64) {
        self.violations += violations;
        self.plays += 1;
        self.bar.set_position(self.plays / self.scenarios);
        let rate = self.bar.per_sec();
        self.bar.set_message(match self.violations {
            1 => format!("{rate:.0} a second, 1 violation"),
            n => format!("{rate:.0} a second, {n} violations"),
        });
    }

    /// Whether a signal asked to end. Shows what is to be shown.
    fn looks(&mut self) -> bool {
        if self.waits && self.begun.elapsed() >= PATIENCE {
            self.waits = false;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.tick();
        }
        self.is_asked()
    }

    /// Leaves the terminal as it was.
    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}

impl Watch<Played> for Live {
    fn done(&mut self, played: &Played) {
        let violated = played.verdict.judgements.iter().filter(|judgement| !judgement.held).count();
        self.count(violated as u64);
    }

    fn stops(&mut self) -> bool {
        self.looks()
    }
}

impl Watch<audit::Played> for Live {
    fn done(&mut self, played: &audit::Played) {
        self.count(u64::from(played.harmed()));
    }

    fn stops(&mut self) -> bool {
        self.looks()
    }
}

impl Watch<soak::Played> for Live {
    fn done(&mut self, played: &soak::Played) {
        self.count(played.differs());
    }

    fn stops(&mut self) -> bool {
        self.looks()
    }
}

impl Watch<advise::Came> for Live {
    fn done(&mut self, came: &advise::Came) {
        self.count(u64::from(came.faulty()));
    }

    fn stops(&mut self) -> bool {
        self.looks()
    }
}

impl Watch<Ran> for Live {
    fn done(&mut self, ran: &Ran) {
        self.count(ran.violations());
    }

    fn stops(&mut self) -> bool {
        self.looks()
    }
}

/// What the first signal that asks the process to end sets, from now on. Another one ends it at once.
pub(super) fn ending() -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    if let Err(error) = ENDING.iter().try_for_each(|signal| listen(*signal, &asked)) {
        tell(&format!("warning: a signal will end bootrace without a result: {error}\n"));
    }
    asked
}

/// Whether somebody may look on.
pub(super) fn is_watched() -> bool {
    io::stderr().is_terminal() && std::env::var_os("CI").is_none()
}

fn listen(signal: i32, asked: &Arc<AtomicBool>) -> io::Result<()> {
    // In this order, so that the first signal does not find its own mark.
    flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, asked.clone())?;
    flag::register(signal, asked.clone())?;
    Ok(())
}

//! What a file says to an audit of it: how often it is deployed, and which harm is accepted, and why.
//!
//! It knows the words for what can go wrong, and no hazard: their names are checked where they are
//! known.

use super::diagnostic::{Diagnostic, code};
use super::parse::{nearest, shown};
use super::place::{Part, Places};
use super::{Base, Scenario};

/// The days of a month, where one counts.
const DAYS_A_MONTH: f64 = 30.0;

/// What a file says to an audit of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Audit {
    /// How often it is deployed, if it says so.
    pub deploys: Option<Rate>,
    /// What may be as it is.
    pub accept: Vec<Accept>,
}

/// So many a day, a week or a month.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In what time.
    pub per: Per,
}

/// The time of a rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Per {
    /// A day, each of a week.
    Day,
    /// Seven days.
    Week,
    /// Thirty days.
    Month,
}

impl Per {
    /// All.
    pub const ALL: [Per; 3] = [Per::Day, Per::Week, Per::Month];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Per::Day => "day",
            Per::Week => "week",
            Per::Month => "month",
        }
    }
}

impl Rate {
    /// How many in a month.
    #[must_use]
    pub fn a_month(self) -> f64 {
        let days = match self.per {
            Per::Day => 1.0,
            Per::Week => 7.0,
            Per::Month => DAYS_A_MONTH,
        };
        f64::from(self.count) * DAYS_A_MONTH / days
    }
}

/// A harm that a hazard may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accept {
    /// The hazard's name.
    pub hazard: Box<str>,
    /// What it may do.
    pub harm: Harm,
    /// To which schedule, an index into the scenario's; to any if none is said.
    pub schedule: Option<usize>,
    /// Why.
    pub because: Box<str>,
}

/// What goes wrong with a schedule, the gravest last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Harm {
    /// A tick's job starts later than it may.
    Late,
    /// A job runs that belongs to no tick.
    Extra,
    /// A job of the queue is lost.
    LostJob,
    /// A tick's work does not run.
    Lost,
    /// A tick's work runs twice, one after the other.
    Twice,
    /// It runs more than once at one time.
    AtOnce,
    /// More than one registration carries the schedule on.
    Orphan,
    /// A registration is listed, and nothing will come of it.
    Dead,
    /// There is no registration any more.
    Gone,
}

impl Harm {
    /// All, the gravest last.
    pub const ALL: [Harm; 9] = [
        Harm::Late,
        Harm::Extra,
        Harm::LostJob,
        Harm::Lost,
        Harm::Twice,
        Harm::AtOnce,
        Harm::Orphan,
        Harm::Dead,
        Harm::Gone,
    ];

    /// The letter in a matrix.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Harm::Late => 't',
            Harm::Extra => 'x',
            Harm::LostJob => 'j',
            Harm::Lost => 'l',
            Harm::Twice => '2',
            Harm::AtOnce => 'p',
            Harm::Orphan => 'o',
            Harm::Dead => 'd',
            Harm::Gone => 'g',
        }
    }

    /// How a file calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Harm::Late => "late tick",
            Harm::Extra => "extra run",
            Harm::LostJob => "lost job",
            Harm::Lost => "lost tick",
            Harm::Twice => "tick twice",
            Harm::AtOnce => "runs at once",
            Harm::Orphan => "orphan",
            Harm::Dead => "dead but listed",
            Harm::Gone => "gone",
        }
    }

    /// What it means, in a few words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Harm::Late => "a tick's job starts late",
            Harm::Extra => "a run that belongs to no tick",
            Harm::LostJob => "a job is lost",
            Harm::Lost => "a tick is lost",
            Harm::Twice => "a tick runs twice",
            Harm::AtOnce => "runs at the same time",
            Harm::Orphan => "a second registration fires beside the first",
            Harm::Dead => "the registration is listed, and dead",
            Harm::Gone => "no registration carries it on",
        }
    }
}

/// What is wrong with the hazards that a scenario of these texts accepts harm of, if there are only
/// these.
#[must_use]
pub fn unknown_hazards(
    scenario: &Scenario,
    text: &str,
    base: Option<&Base>,
    known: &[&str],
) -> Vec<Diagnostic> {
    let accept = scenario.audit.accept.iter().enumerate();
    let unknown = accept.filter(|(_, accept)| !known.contains(&&*accept.hazard));
    let problem = |(number, accept): (usize, &Accept)| {
        let path = ["audit", "accept"].map(Part::key).into_iter();
        let path: Vec<Part> = path.chain([Part::Index(number), Part::key("hazard")]).collect();
        let at = Places::of(text, base).value(&path).unwrap_or_default();
        let message = format!("no hazard is named {}", shown(&accept.hazard));
        let problem = Diagnostic::error(code::UNRESOLVED, at, message);
        match nearest(&accept.hazard, known.iter().copied()) {
            Some(guess) if guess.certain => problem.rename(format!("\"{}\"", guess.name)),
            Some(guess) => problem.label(format!("did you mean \"{}\"?", guess.name)),
            None => problem.help("`bootrace audit --list` says which there are"),
        }
    };
    unknown.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn scenario(accept: &str) -> (String, Scenario) {
        let before = include_str!("../../../scenarios/free-tier-usage/before.toml");
        let text = format!("{before}\n{accept}");
        let parsed = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        (text, parsed.0)
    }

    #[test]
    fn a_hazard_that_nobody_knows_is_named_with_the_one_that_was_meant() {
        let (text, scenario) = scenario(
            "[audit]\naccept = [\n  { hazard = 'storm', harm = 'orphan', because = 'a' },\n  \
             { hazard = 'a-storm', harm = 'orphan', because = 'b' },\n  \
             { hazard = 'Rolling_Deploy', harm = 'orphan', because = 'c' },\n  \
             { hazard = 'quake', harm = 'orphan', because = 'd' },\n]\n",
        );
        let found = unknown_hazards(&scenario, &text, None, &["storms", "rolling-deploy", "storm"]);
        let at = |problem: &Diagnostic| text[problem.at().start..problem.at().end].to_owned();
        let places: Vec<String> = found.iter().map(at).collect();
        assert_eq!(places, ["'a-storm'", "'Rolling_Deploy'", "'quake'"]);
        assert_eq!(found[0].labels[0].1, "did you mean \"storm\"?");
        assert_eq!(found[1].rename.as_deref(), Some("\"rolling-deploy\""));
        assert!(found[2].help.is_some() && found[2].message.contains("`quake`"));
        assert_eq!(unknown_hazards(&scenario, &text, None, &[]).len(), 4);
    }

    #[test]
    fn a_rate_is_one_of_thirty_days() {
        let rate = |count, per| Rate { count, per }.a_month();
        assert_eq!((rate(2, Per::Day), rate(20, Per::Month)), (60.0, 20.0));
        assert!((rate(7, Per::Week) - 30.0).abs() < 1e-9);
    }
}

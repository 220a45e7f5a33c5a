//! Strict replay: the answers of a tape, and only to the questions that the tape was asked.
//!
//! It refuses to guess: at the first question that differs in name or bound, or that comes after
//! the tape's end, it notes the place and answers 0 from there on, and the run is reported as one
//! to which the tape no longer applies.

use crate::choices::{Choice, LifeName, Odds, Policy, Question, Tape};

/// Answers from a tape.
#[derive(Debug)]
pub struct Replay {
    tape: Tape,
    at: usize,
    diverged: Option<String>,
}

impl Replay {
    /// A policy that repeats `tape`.
    pub fn new(tape: Tape) -> Self {
        Replay { tape, at: 0, diverged: None }
    }

    fn note(&mut self, question: &Question, who: &LifeName, bound: u32) {
        let asked = format!("{who} asks {} #{} of {bound}", question.site.name(), question.n);
        self.diverged = Some(match self.tape.choices.get(self.at) {
            None => format!("the tape ends after {} answers, and {asked}", self.at),
            Some(Choice { question, bound, .. }) => format!(
                "answer {} of the tape is for {} #{} of {bound}, but {asked}",
                self.at,
                question.site.name(),
                question.n,
            ),
        });
    }
}

impl Policy for Replay {
    fn answer(&mut self, question: &Question, who: &LifeName, bound: u32, _: Odds) -> u32 {
        if self.diverged.is_some() {
            return 0;
        }
        let next = self.tape.choices.get(self.at);
        match next {
            Some(choice) if choice.question == *question && u32::from(choice.bound) == bound => {
                self.at += 1;
                u32::from(choice.answer)
            }
            _ => {
                self.note(question, who, bound);
                0
            }
        }
    }

    fn diverged(&self) -> Option<String> {
        let (used, all) = (self.at, self.tape.choices.len());
        let left =
            (used < all).then(|| format!("the run asks {used} questions, the tape answers {all}"));
        self.diverged.clone().or(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choices::{Choices, Label, LifeId, Site};
    use crate::policy::Random;

    fn ask(choices: &mut Choices, bounds: &[u32]) -> Vec<u32> {
        let ask = |bound| choices.ask(LifeId::WORLD, Site::Draw, Label(0), bound, Odds::Even);
        bounds.iter().copied().map(ask).collect()
    }

    fn choices(policy: impl Policy + 'static) -> Choices {
        Choices::new(Box::new(policy), vec!["x".into()])
    }

    #[test]
    fn a_tape_repeats_its_answers() {
        let mut random = choices(Random::new(3));
        let first = ask(&mut random, &[2, 16, 1, 300]);
        let mut replayed = choices(Replay::new(random.take_tape()));
        assert_eq!(ask(&mut replayed, &[2, 16, 1, 300]), first);
        assert_eq!(replayed.diverged(), None);
    }

    #[test]
    fn another_question_is_reported_and_never_answered_by_chance() {
        let mut random = choices(Random::new(3));
        ask(&mut random, &[2, 16]);
        let tape = random.take_tape();
        let mut other = choices(Replay::new(tape.clone()));
        ask(&mut other, &[2, 17]);
        assert_eq!(
            other.diverged().as_deref(),
            Some("answer 1 of the tape is for draw #1 of 16, but world asks draw #1 of 17")
        );
        let mut longer = choices(Replay::new(tape));
        ask(&mut longer, &[2, 16, 2]);
        assert_eq!(
            longer.diverged().as_deref(),
            Some("the tape ends after 2 answers, and world asks draw #2 of 2")
        );
    }

    #[test]
    fn a_tape_that_is_longer_than_the_run_does_not_apply() {
        let mut random = choices(Random::new(3));
        ask(&mut random, &[2, 16]);
        let mut shorter = choices(Replay::new(random.take_tape()));
        ask(&mut shorter, &[2]);
        let left = shorter.diverged();
        assert_eq!(left.as_deref(), Some("the run asks 1 questions, the tape answers 2"));
    }
}

//! Lenient replay: a few answers by their names, and a policy beneath for every other question. So a
//! story outlives what is not part of it: a message more elsewhere, another number for a life.
//!
//! It refuses to let a story go by unnoticed: an answer whose question was never asked, or has fewer
//! answers by now, is what [`Policy::diverged`] says.

use crate::choices::{Label, LifeId, LifeName, Move, Name, Odds, Policy, Question, Site, Touch};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Answers some questions by name.
pub struct Named {
    answers: Vec<Known>,
    /// By life: the places of its answers, once it has asked. A failure that nobody has shrunk yet has
    /// some ten thousand of them.
    lives: Vec<Option<Places>>,
    beneath: Box<dyn Policy>,
    too_large: Option<String>,
}

/// Where the answer to each question of a life stands.
type Places = BTreeMap<(Site, Label, u32), usize>;

struct Known {
    name: Name,
    /// The number of its word in this run; `None` if nothing is called so.
    label: Option<Label>,
    answer: u32,
    used: bool,
}

impl Named {
    /// Answers these questions, whose words are numbered as in `labels` (see
    /// [`labels`](crate::labels)), and leaves the others to `beneath`.
    #[must_use]
    pub fn new<'a>(
        answers: impl IntoIterator<Item = &'a (Name, u32)>,
        labels: &[Rc<str>],
        beneath: Box<dyn Policy>,
    ) -> Self {
        let known = |(name, answer): &(Name, u32)| {
            let place = labels.iter().position(|word| **word == *name.label);
            let label = place.and_then(|place| u16::try_from(place).ok()).map(Label);
            Known { name: name.clone(), label, answer: *answer, used: false }
        };
        let answers = answers.into_iter().map(known).collect();
        Named { answers, lives: Vec::new(), beneath, too_large: None }
    }

    fn known(&mut self, question: &Question, who: &LifeName) -> Option<&mut Known> {
        let place = question.life.0 as usize;
        if place >= self.lives.len() {
            self.lives.resize(place + 1, None);
        }
        let answers = &mut self.answers;
        let of_life = self.lives[place].get_or_insert_with(|| {
            let who = who.to_string();
            let own = answers.iter().enumerate().filter(|(_, known)| known.name.who == who);
            let key = |known: &Known| Some((known.name.site, known.label?, known.name.n));
            own.filter_map(|(place, known)| Some((key(known)?, place))).collect()
        });
        let place = of_life.get(&(question.site, question.label, question.n))?;
        Some(&mut answers[*place])
    }

    fn told(&mut self, question: &Question, who: &LifeName, bound: u32) -> Option<u32> {
        let known = self.known(question, who)?;
        known.used = true;
        if known.answer < bound {
            return Some(known.answer);
        }
        let (name, answer) = (&known.name, known.answer);
        let why = format!("`{name}` has {bound} answers, from 0, and {answer} is none of them");
        self.too_large.get_or_insert(why);
        None
    }
}

impl Policy for Named {
    fn answer(&mut self, question: &Question, who: &LifeName, bound: u32, odds: Odds) -> u32 {
        // What is beneath answers in any case, so that its draws are the same whatever is told.
        let beneath = self.beneath.answer(question, who, bound, odds);
        self.told(question, who, bound).unwrap_or(beneath)
    }

    fn order(&mut self, question: &Question, who: &LifeName, moves: &[Move]) -> Option<u32> {
        let beneath = self.beneath.order(question, who, moves)?;
        let told =
            if moves.len() > 1 { self.told(question, who, moves.len() as u32) } else { None };
        Some(told.unwrap_or(beneath))
    }

    fn reduces(&self) -> bool {
        self.beneath.reduces()
    }

    fn died(&mut self, life: LifeId) {
        self.beneath.died(life);
    }

    fn lived(&mut self, life: LifeId, points: u32) {
        self.beneath.lived(life, points);
    }

    fn rests(&mut self) -> bool {
        self.beneath.rests()
    }

    fn goes_on(&self) -> Option<u64> {
        self.beneath.goes_on()
    }

    fn compares(&self) -> bool {
        self.beneath.compares()
    }

    fn moved(&mut self, touched: &[Touch]) {
        self.beneath.moved(touched);
    }

    fn diverged(&self) -> Option<String> {
        let unused = self.answers.iter().find(|known| !known.used);
        let unused = unused.map(|known| match known.label {
            Some(_) => format!("`{}` was never asked", known.name),
            None => format!("`{}` was never asked: nothing is called so", known.name),
        });
        self.too_large.clone().or(unused).or_else(|| self.beneath.diverged())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choices::Choices;
    use crate::policy::{Plain, Random};

    fn told(text: &str, answer: u32) -> (Name, u32) {
        (Name::parse(text).expect("a name"), answer)
    }

    fn ask(policy: Named, bounds: &[u32]) -> (Vec<u32>, Option<String>) {
        let mut choices = Choices::new(Box::new(policy), vec!["x y".into(), "z".into()]);
        let who = LifeName { service: "web".into(), ordinal: 2, life: 1 };
        let life = choices.enter(who);
        let ask = |bound: &u32| choices.ask(life, Site::Draw, Label(0), *bound, Odds::Even);
        (bounds.iter().map(ask).collect(), choices.diverged())
    }

    fn labels() -> Vec<Rc<str>> {
        vec!["x y".into(), "z".into()]
    }

    #[test]
    fn what_is_named_is_answered_so_and_the_rest_is_left() {
        let answers = [told("web-2.1 draw x y #1", 3)];
        let plain = Named::new(&answers, &labels(), Box::new(Plain));
        assert_eq!(ask(plain, &[4, 4, 4]), (vec![0, 3, 0], None));
        let random = || Box::new(Random::new(3));
        let (all, _) = ask(Named::new(&[], &labels(), random()), &[100, 100, 100]);
        let (some, _) = ask(Named::new(&answers, &labels(), random()), &[100, 100, 100]);
        assert_eq!(some, [all[0], 3, all[2]]);
    }

    #[test]
    fn what_is_never_asked_is_said() {
        let of = |text| Named::new(&[told(text, 1)], &labels(), Box::new(Plain));
        let said = |text| ask(of(text), &[4]).1;
        let never = |text: &str| Some(format!("`{text}` was never asked"));
        for text in ["web-2.1 draw x y #1", "web-1.1 draw x y #0", "web-2.1 draw z #0"] {
            assert_eq!(said(text), never(text));
        }
        let unknown = "web-2.1 draw w #0";
        assert_eq!(
            said(unknown),
            Some(never(unknown).unwrap_or_default() + ": nothing is called so")
        );
    }

    #[test]
    fn an_answer_beyond_the_bound_is_said_and_not_given() {
        let answers = [told("web-2.1 draw x y #0", 4)];
        let (given, said) = ask(Named::new(&answers, &labels(), Box::new(Plain)), &[4]);
        assert_eq!(given, [0]);
        let text = "`web-2.1 draw x y #0` has 4 answers, from 0, and 4 is none of them";
        assert_eq!(said.as_deref(), Some(text));
    }

    #[test]
    fn a_name_is_read_as_it_is_shown() {
        for text in ["worker-2.1 send addRepeatableJob #0", "world draw at of event 1 #12"] {
            assert_eq!(Name::parse(text).map(|name| name.to_string()).as_deref(), Some(text));
        }
        for text in ["", "a", "a send", "a send b", "a send b #x", "a sends b #1"] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}

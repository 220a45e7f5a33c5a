//! Every tape, each once: the search goes down to the end of a run, changes its last answer that has
//! another, and plays again from the start.
//!
//! Orders of moves that differ only in moves that do not conflict are one order: of them one is
//! played (sleep sets). After a move has been explored at a place it sleeps at that place while
//! others are explored, until one of them conflicts with it; a run in which all that could happen
//! sleeps has been seen, and is given up. What conflicts is what moves were seen to touch.
//!
//! A search may end its runs early: at the first question after one that had several answers, and
//! where a run rests (nothing is in flight, so nothing sleeps, and time is about to go on). What follows
//! is a function of the state there and of what sleeps, and is left to a search that begins with the
//! answers that led to it.
//!
//! It refuses to guess: an answer to another question than the run before asked at that place is a
//! bug, and more than 64 moves at once are said to be too many.

use crate::choices::{LifeId, LifeName, Move, Odds, Policy, Question, Site, Touch};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// Lives that die, each at one of its kill points.
pub type Deaths = Vec<(LifeId, u32)>;

/// How the runs of a search begin: the first answers, and who dies while they are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    /// The answers, but for those about kills.
    pub answers: Arc<[u16]>,
    /// Who has died.
    pub deaths: Deaths,
    /// Whether something is in flight at their end.
    pub flying: bool,
    /// What sleeps there.
    asleep: Arc<[(Move, Box<[Touch]>)]>,
}

/// A search through all tapes, or through all that begin alike.
#[derive(Clone, Debug)]
pub struct Exhaustive(Tree);

/// A search under way: each run takes a [`Search::policy`] of it.
#[derive(Clone, Debug)]
pub struct Search(Rc<RefCell<Tree>>);

/// How far a search has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Runs that were played to their end: distinct orders.
    pub orders: u64,
    /// Runs that were given up, since all that they could come to had been seen, or since somebody
    /// did not come to where he was to die.
    pub abandoned: u64,
    /// Something was too large to be searched whole: what was seen is not all there is.
    pub incomplete: bool,
}

#[derive(Clone, Debug, Default)]
struct Tree {
    /// What the answers are before the first of `nodes`.
    beginning: Beginning,
    /// Who dies after that.
    deaths: Deaths,
    /// The questions of the run that is played, in order, after the beginning.
    nodes: Vec<Node>,
    /// How many questions were asked in this run.
    at: usize,
    /// What sleeps where the run is now.
    asleep: Range<usize>,
    /// All that sleeps anywhere, by node.
    sleepers: Vec<Sleeper>,
    /// What the moves touched.
    touches: Vec<Touch>,
    /// Whether the run was given up.
    given_up: bool,
    /// Nothing sleeps.
    whole: bool,
    /// Ranges are open, too.
    draws: bool,
    /// Runs end early, once something was open.
    stops: bool,
    /// Whether this run has, where it rests.
    rests: bool,
    /// Or where something is in flight.
    pauses: bool,
    /// The first node that had several answers.
    open: Option<usize>,
    /// How many of `deaths` have come about in this run.
    died: usize,
    /// How many kill points each life has passed in this run, and at most, by [`LifeId`].
    points: Vec<(u32, u32)>,
    /// The nodes that this search does not change: another does.
    floor: usize,
    progress: Progress,
}

/// A move that sleeps, and what it touches.
#[derive(Clone, Debug)]
struct Sleeper {
    name: Move,
    touched: Range<usize>,
}

/// One question of a run.
#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    /// The answer that is explored.
    answer: u32,
    /// What sleeps here.
    asleep: Range<usize>,
    /// How much had been noted when the question was asked.
    touches: usize,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Answers below a bound.
    Value { bound: u32 },
    /// Moves.
    Order {
        /// Those that are not explored yet, as bits; that which is explored among them.
        open: u64,
        /// That which is explored.
        name: Move,
        /// What it touched, once that is known.
        touched: Option<Range<usize>>,
    },
}

impl Exhaustive {
    /// A search in which these lives die, each at one of its kill points, and no others. A run in
    /// which one of them does not come that far does not count.
    pub fn new(deaths: Deaths) -> Self {
        Exhaustive::from(Beginning::default(), deaths)
    }

    /// The same, of runs that begin with the answers of others up to where they rested.
    /// Some of those who die may have died on the way there.
    pub fn from(beginning: Beginning, deaths: Deaths) -> Self {
        let mut tree = Tree { deaths, ..Tree::default() };
        for (name, touched) in beginning.asleep.iter() {
            let start = tree.touches.len();
            tree.touches.extend_from_slice(touched);
            tree.sleepers.push(Sleeper { name: *name, touched: start..tree.touches.len() });
        }
        tree.beginning = beginning;
        Exhaustive(tree)
    }

    /// Without reduction: orders that nobody could tell apart are played, too.
    #[must_use]
    pub fn whole(mut self, whole: bool) -> Self {
        self.0.whole = whole;
        self
    }

    /// With every value of the scenario's ranges. Without, each comes out as its least.
    #[must_use]
    pub fn draws(mut self, draws: bool) -> Self {
        self.0.draws = draws;
        self
    }

    /// Of runs that end early: at the first question or rest after something was open, and at the
    /// first rest after somebody died.
    #[must_use]
    pub fn stops(mut self, stops: bool) -> Self {
        self.0.stops = stops;
        self
    }

    /// Begins it, or goes on with it.
    pub fn begin(mut self) -> Search {
        self.0.restart();
        Search(Rc::new(RefCell::new(self.0)))
    }
}

impl Search {
    /// The policy of the next run; all of a search are the same, and one is enough.
    pub fn policy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    /// Takes the end of a run in. Returns whether there is another.
    pub fn next(&self) -> bool {
        let tree = &mut *self.0.borrow_mut();
        match tree.counts() {
            true if !tree.rests && !tree.pauses => tree.progress.orders += 1,
            true => {}
            false => tree.progress.abandoned += 1,
        }
        tree.next()
    }

    /// Whether the run that has just ended was played to its end, to its rest or to a question, and but
    /// for the last everybody died who was to. One in which somebody did not is one of those without
    /// that death.
    pub fn counts(&self) -> bool {
        self.0.borrow().counts()
    }

    /// How far the search has come.
    pub fn progress(&self) -> Progress {
        self.0.borrow().progress
    }

    /// The run that has just ended, as a beginning of others.
    pub fn beginning(&self) -> Beginning {
        let tree = self.0.borrow();
        let answers = tree.nodes.iter().map(|node| node.answer as u16);
        let answers = tree.beginning.answers.iter().copied().chain(answers).collect();
        let mut deaths = tree.beginning.deaths.clone();
        if tree.pauses {
            let asleep = tree.sleepers[tree.asleep.clone()].iter();
            let asleep = asleep.map(|of| (of.name, tree.touches[of.touched.clone()].into()));
            return Beginning { answers, deaths, flying: true, asleep: asleep.collect() };
        }
        deaths.extend_from_slice(&tree.deaths);
        Beginning { answers, deaths, ..Beginning::default() }
    }

    /// How many have died at the end of a run that counts.
    pub fn deaths(&self) -> usize {
        let tree = self.0.borrow();
        tree.beginning.deaths.len() + tree.deaths.len()
    }

    /// How many kill points each life has passed in the run that has just ended, by [`LifeId`].
    pub fn points(&self) -> Vec<u32> {
        self.0.borrow().points.iter().map(|(now, _)| *now).collect()
    }

    /// How many each has passed in some run.
    pub fn most_points(&self) -> Vec<u32> {
        self.0.borrow().points.iter().map(|(_, most)| *most).collect()
    }

    /// What is left of a search that has another run, in two parts if that can be.
    pub fn rest(self) -> (Exhaustive, Option<Exhaustive>) {
        let mut tree = self.0.borrow().clone();
        tree.progress = Progress::default();
        let other = tree.halve();
        (Exhaustive(tree), other.map(Exhaustive))
    }
}

impl Tree {
    fn restart(&mut self) {
        self.at = 0;
        self.asleep = 0..self.beginning.asleep.len();
        self.given_up = false;
        self.rests = false;
        self.pauses = false;
        self.died = 0;
        self.points.iter_mut().for_each(|(now, _)| *now = 0);
    }

    fn counts(&self) -> bool {
        !self.given_up && (self.pauses || self.died == self.deaths.len())
    }

    /// Makes the tape the next one; `false` if it was the last.
    fn next(&mut self) -> bool {
        self.restart();
        while self.nodes.len() > self.floor
            && let Some(node) = self.nodes.last_mut()
        {
            // What came after this question is not so any more.
            self.sleepers.truncate(node.asleep.end);
            if let Kind::Order { touched: Some(touched), .. } = &node.kind {
                node.touches = touched.end;
            }
            self.touches.truncate(node.touches);
            match &mut node.kind {
                Kind::Value { bound } => {
                    node.answer += 1;
                    if node.answer < *bound {
                        return true;
                    }
                }
                Kind::Order { open, name, touched } => {
                    *open &= !(1 << node.answer);
                    if *open != 0 {
                        node.answer = open.trailing_zeros();
                        if let Some(touched) = touched.take() {
                            self.sleepers.push(Sleeper { name: *name, touched });
                            node.asleep.end += 1;
                        }
                        return true;
                    }
                }
            }
            self.nodes.pop();
            if self.open.is_some_and(|open| open >= self.nodes.len()) {
                self.open = None;
            }
        }
        false
    }

    /// Leaves the other answers of the first node that has any to another search. Not where the
    /// answer that is explored there was never played: what it touches sleeps in the others.
    fn halve(&mut self) -> Option<Tree> {
        let others = |node: &Node| match &node.kind {
            Kind::Value { bound } => node.answer + 1 < *bound,
            Kind::Order { open, .. } => open & !(1 << node.answer) != 0,
        };
        let place = self.floor + self.nodes[self.floor..].iter().position(others)?;
        if place + 1 == self.nodes.len() {
            return None;
        }
        let mut other = self.clone();
        other.nodes.truncate(place + 1);
        other.next();
        self.floor = place + 1;
        Some(other)
    }

    /// The answer of the beginning or of the tape to the question that is asked now, if it has one.
    fn known(&mut self) -> Option<&mut Node> {
        let node = self.nodes.get_mut(self.at - self.beginning.answers.len())?;
        self.at += 1;
        self.asleep = node.asleep.clone();
        Some(node)
    }

    fn begins(&mut self) -> Option<u32> {
        let answer = *self.beginning.answers.get(self.at)?;
        self.at += 1;
        Some(u32::from(answer))
    }

    fn push(&mut self, kind: Kind, answer: u32, several: bool) -> u32 {
        if several && self.open.is_none() {
            self.open = Some(self.nodes.len());
        }
        let (asleep, touches) = (self.asleep.clone(), self.touches.len());
        self.nodes.push(Node { kind, answer, asleep, touches });
        self.at += 1;
        answer
    }

    fn value(&mut self, bound: u32) -> u32 {
        if let Some(answer) = self.begins() {
            return answer;
        }
        match self.known() {
            Some(Node { kind: Kind::Value { bound: before }, answer, .. }) => {
                assert_eq!(*before, bound, "the same answers lead to the same questions");
                *answer
            }
            Some(_) => panic!("the same answers lead to the same questions"),
            None => self.push(Kind::Value { bound }, 0, true),
        }
    }

    /// At which point a life dies.
    fn kill(&self, of: LifeId) -> u32 {
        let mut all = self.beginning.deaths.iter().chain(&self.deaths);
        all.find(|(life, _)| *life == of).map_or(0, |(_, point)| *point)
    }

    fn lived(&mut self, of: LifeId, points: u32) {
        let place = of.0 as usize;
        if place >= self.points.len() {
            self.points.resize(place + 1, (0, 0));
        }
        let (now, most) = &mut self.points[place];
        *now = points;
        *most = points.max(*most);
    }

    fn order(&mut self, moves: &[Move]) -> Option<u32> {
        if let Some(answer) = self.begins() {
            return Some(answer);
        }
        match self.known() {
            Some(Node { kind: Kind::Order { name, .. }, answer, .. }) => {
                // The name is that of the move before, if this is where the tape was changed.
                *name = moves[*answer as usize];
                return Some(*answer);
            }
            Some(_) => panic!("the same answers lead to the same questions"),
            None => {}
        }
        if moves.len() > u64::BITS as usize {
            self.progress.incomplete = true;
        }
        let count = moves.len().min(u64::BITS as usize);
        let mut open = u64::MAX >> (u64::BITS as usize - count);
        for sleeper in &self.sleepers[self.asleep.clone()] {
            if let Ok(place) = moves.binary_search(&sleeper.name)
                && place < count
            {
                open &= !(1 << place);
            }
        }
        if open == 0 {
            self.given_up = true;
            return None;
        }
        let several = open.count_ones() > 1;
        if several && self.stops && self.open.is_some() {
            self.pauses = true;
            return None;
        }
        let answer = open.trailing_zeros();
        let name = moves[answer as usize];
        Some(self.push(Kind::Order { open, name, touched: None }, answer, several))
    }

    fn moved(&mut self, touched: &[Touch]) {
        if self.whole || self.at < self.beginning.answers.len() + self.nodes.len() {
            return;
        }
        // Values that were asked since belong to the same move.
        let order = |node: &&mut Node| matches!(node.kind, Kind::Order { .. });
        let Some(node) = self.nodes.iter_mut().rev().find(order) else { return };
        let Kind::Order { touched: noted, .. } = &mut node.kind else { unreachable!("just seen") };
        let start = self.touches.len();
        self.touches.extend_from_slice(touched);
        let range = start..self.touches.len();
        noted.get_or_insert_with(|| range.clone());
        // What does not conflict with the move sleeps on.
        let start = self.sleepers.len();
        for place in self.asleep.clone() {
            let sleeper = &self.sleepers[place];
            let apart = self.touches[sleeper.touched.clone()]
                .iter()
                .all(|of| touched.iter().all(|by| !of.conflicts(*by)));
            if apart {
                let sleeper = sleeper.clone();
                self.sleepers.push(sleeper);
            }
        }
        self.asleep = start..self.sleepers.len();
    }

    fn rests(&mut self) -> bool {
        let begun = self.beginning.answers.len();
        let open = self.beginning.flying || self.open.is_some_and(|open| begun + open < self.at);
        self.rests = self.stops && self.at >= begun && (self.died > 0 || open);
        self.rests
    }

    /// What sleeps where the run has ended, as one number, if others are to go on from there.
    fn goes_on(&self) -> Option<u64> {
        let mixed =
            |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let named = |of: &Sleeper| {
            let Move { life, conn, reply } = of.name;
            let name = u64::from(life.0) << 32 | u64::from(conn) << 1 | u64::from(reply);
            // In whatever order it touched them.
            let touched = self.touches[of.touched.clone()].iter();
            let touched = touched.map(|touch| mixed(mixed(3, touch.thing), touch.access as u64));
            mixed(name, touched.fold(0, u64::wrapping_add))
        };
        let asleep = self.sleepers[self.asleep.clone()].iter().map(named);
        let asleep = asleep.fold(u64::from(self.pauses), u64::wrapping_add);
        (self.pauses || self.rests).then_some(asleep)
    }
}

impl Policy for Search {
    fn answer(&mut self, question: &Question, _: &LifeName, bound: u32, _: Odds) -> u32 {
        let tree = &mut *self.0.borrow_mut();
        match question.site {
            Site::Kill => tree.kill(question.life),
            Site::Draw if !tree.draws => 0,
            _ => tree.value(bound),
        }
    }

    fn order(&mut self, _: &Question, _: &LifeName, moves: &[Move]) -> Option<u32> {
        self.0.borrow_mut().order(moves)
    }

    fn died(&mut self, life: LifeId) {
        let tree = &mut *self.0.borrow_mut();
        tree.died += usize::from(tree.deaths.iter().any(|(of, _)| *of == life));
    }

    fn lived(&mut self, life: LifeId, points: u32) {
        self.0.borrow_mut().lived(life, points);
    }

    fn rests(&mut self) -> bool {
        self.0.borrow_mut().rests()
    }

    fn compares(&self) -> bool {
        self.0.borrow().stops
    }

    fn goes_on(&self) -> Option<u64> {
        self.0.borrow().goes_on()
    }

    fn reduces(&self) -> bool {
        true
    }

    fn moved(&mut self, touched: &[Touch]) {
        self.0.borrow_mut().moved(touched);
    }
}

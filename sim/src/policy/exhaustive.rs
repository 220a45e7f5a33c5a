//! Every tape, each once: the search goes down to the end of a run, changes its last answer that has
//! another, and plays again from the start.
//!
//! Orders of moves that differ only in moves that do not conflict are one order: of them one is
//! played (sleep sets). After a move has been explored at a place it sleeps at that place while
//! others are explored, until one of them conflicts with it; a run in which all that could happen
//! sleeps has been seen, and is given up. What conflicts is what moves were seen to touch.
//!
//! It refuses to guess: an answer to another question than the run before asked at that place is a
//! bug, and more than 64 moves at once are said to be too many.

use crate::choices::{LifeId, LifeName, Move, Odds, Policy, Question, Site, Touch};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

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
    /// Runs that were given up, since all that they could come to had been seen.
    pub abandoned: u64,
    /// Something was too large to be searched whole: what was seen is not all there is.
    pub incomplete: bool,
}

#[derive(Clone, Debug, Default)]
struct Tree {
    /// The questions of the run that is played, in order.
    nodes: Vec<Node>,
    /// How many of them were asked in this run.
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
    /// Which lives die, and at which of their kill points.
    kills: Vec<(LifeId, u32)>,
    /// How many of them have died in this run.
    died: usize,
    /// How many kill points each life passed, at most.
    passed: BTreeMap<LifeId, u32>,
    /// The questions that this search does not change: another does.
    floor: usize,
    /// At how many questions a run is left to another search.
    ceiling: Option<usize>,
    /// Those searches, and whether this run was left to one.
    left: Vec<Exhaustive>,
    leaves: bool,
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
    pub fn new(kills: Vec<(LifeId, u32)>) -> Self {
        Exhaustive(Tree { kills, ..Tree::default() })
    }

    /// The same without reduction: orders that nobody could tell apart are played, too.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.0.whole = true;
        self
    }

    /// Begins it.
    pub fn begin(self) -> Search {
        Search(Rc::new(RefCell::new(self.0)))
    }

    /// Begins it, and leaves every run that asks more than so many questions to a search of its own:
    /// see [`Search::left`].
    pub fn begin_to(mut self, questions: usize) -> Search {
        self.0.ceiling = Some(questions);
        self.begin()
    }
}

impl Search {
    /// The policy of the next run.
    pub fn policy(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }

    /// Takes the end of a run in. Returns whether there is another.
    pub fn next(&self) -> bool {
        let mut tree = self.0.borrow_mut();
        let counts = tree.counts();
        if std::mem::take(&mut tree.leaves) {
            let mut left = Tree { ceiling: None, left: Vec::new(), ..tree.clone() };
            left.floor = left.nodes.len();
            left.progress = Progress::default();
            left.restart();
            tree.left.push(Exhaustive(left));
        } else if counts {
            tree.progress.orders += 1;
        } else {
            tree.progress.abandoned += 1;
        }
        tree.next()
    }

    /// Whether the run that has just ended was played to its end and is one of those that count.
    pub fn counts(&self) -> bool {
        self.0.borrow().counts()
    }

    /// How far the search has come.
    pub fn progress(&self) -> Progress {
        self.0.borrow().progress
    }

    /// How many kill points each life passed, at most.
    pub fn passed(&self) -> BTreeMap<LifeId, u32> {
        self.0.borrow().passed.clone()
    }

    /// The searches that this one has left to others, in the order of their tapes.
    pub fn left(&self) -> Vec<Exhaustive> {
        std::mem::take(&mut self.0.borrow_mut().left)
    }
}

impl Tree {
    fn restart(&mut self) {
        self.at = 0;
        self.asleep = 0..0;
        self.given_up = false;
        self.died = 0;
    }

    /// Whether the run is one of those that count: played to its end, and everybody died who was to.
    /// One in which somebody did not is one of those without that kill.
    fn counts(&self) -> bool {
        !self.given_up && !self.leaves && self.died == self.kills.len()
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
        }
        false
    }

    /// The answer of the tape to the question that is asked now, if it has one.
    fn known(&mut self) -> Option<&mut Node> {
        let node = self.nodes.get_mut(self.at)?;
        self.at += 1;
        self.asleep = node.asleep.clone();
        Some(node)
    }

    fn push(&mut self, kind: Kind, answer: u32) -> u32 {
        let (asleep, touches) = (self.asleep.clone(), self.touches.len());
        self.nodes.push(Node { kind, answer, asleep, touches });
        self.at += 1;
        answer
    }

    fn value(&mut self, bound: u32) -> u32 {
        match self.known() {
            Some(Node { kind: Kind::Value { bound: before }, answer, .. }) => {
                assert_eq!(*before, bound, "the same answers lead to the same questions");
                *answer
            }
            Some(_) => panic!("the same answers lead to the same questions"),
            None => self.push(Kind::Value { bound }, 0),
        }
    }

    /// At which point a life dies.
    fn kill(&self, of: LifeId) -> u32 {
        self.kills.iter().find(|(life, _)| *life == of).map_or(0, |(_, point)| *point)
    }

    /// A life has passed so many kill points; whether it was killed.
    fn lived(&mut self, of: LifeId, points: u32, killed: bool) {
        let planned = self.kill(of);
        self.died += usize::from(killed && planned > 0 && planned == points);
        let passed = self.passed.entry(of).or_default();
        *passed = points.max(*passed);
    }

    fn order(&mut self, moves: &[Move]) -> Option<u32> {
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
        if self.ceiling.is_some_and(|ceiling| self.at >= ceiling) {
            self.leaves = true;
            return None;
        }
        let answer = open.trailing_zeros();
        let name = moves[answer as usize];
        Some(self.push(Kind::Order { open, name, touched: None }, answer))
    }

    fn moved(&mut self, touched: &[Touch]) {
        if self.whole || self.at < self.nodes.len() {
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
}

impl Policy for Search {
    fn answer(&mut self, question: &Question, _: &LifeName, bound: u32, _: Odds) -> u32 {
        let tree = &mut *self.0.borrow_mut();
        match question.site {
            Site::Kill => tree.kill(question.life),
            _ => tree.value(bound),
        }
    }

    fn order(&mut self, _: &Question, _: &LifeName, moves: &[Move]) -> Option<u32> {
        self.0.borrow_mut().order(moves)
    }

    fn lived(&mut self, life: LifeId, points: u32, killed: bool) {
        self.0.borrow_mut().lived(life, points, killed);
    }

    fn reduces(&self) -> bool {
        true
    }

    fn moved(&mut self, touched: &[Touch]) {
        self.0.borrow_mut().moved(touched);
    }
}

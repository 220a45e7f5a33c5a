//! Choices: the only source of nondeterminism, and the tape on which every answer is written.
//!
//! Whatever a run leaves open (when a message arrives, who goes first at one instant, whether a
//! container dies and where, what a range in the scenario comes out as) is a bounded question asked
//! of [`Choices`]. A [`Policy`] answers it. Answer 0 is always the plain one: least delay, no fault,
//! lowest name, lower end of the range. This file knows nothing of Redis, queues or time, and
//! nothing else in the crate may draw a random number.

use std::fmt;
use std::rc::Rc;

/// The highest number of answers to one question that is drawn from a range: sixteen quantiles.
pub const QUANTILES: u32 = 16;

/// The kind of question. Each kind has its own random stream in each life of a container.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Site {
    /// How long a message takes to its server.
    Send,
    /// How long a reply takes back.
    Reply,
    /// Which of several containers goes first at one instant.
    Tie,
    /// At which kill point of its life a container dies; 0 is none.
    Kill,
    /// How many of the messages in flight are lost at a kill, counted from the last sent.
    Loss,
    /// Which quantile of a range in the scenario is taken.
    Draw,
    /// What happens next of all that is in flight, where the network has no time.
    Order,
    /// Whether something that the scenario gives odds happens, and how bad a class of faults is; 0
    /// is not at all.
    Fault,
}

impl Site {
    /// How many kinds there are.
    pub const COUNT: usize = 8;

    /// All kinds.
    pub const ALL: [Site; Site::COUNT] = [
        Site::Send,
        Site::Reply,
        Site::Tie,
        Site::Kill,
        Site::Loss,
        Site::Draw,
        Site::Order,
        Site::Fault,
    ];

    /// The word that names this kind in tapes and reports.
    pub fn name(self) -> &'static str {
        match self {
            Site::Send => "send",
            Site::Reply => "reply",
            Site::Tie => "tie",
            Site::Kill => "kill",
            Site::Loss => "loss",
            Site::Draw => "draw",
            Site::Order => "order",
            Site::Fault => "fault",
        }
    }
}

/// One life of one container, as an index into the run's list of lives. Life 0 is the world itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LifeId(pub u32);

impl LifeId {
    /// The world: who asks when no container does.
    pub const WORLD: LifeId = LifeId(0);
}

/// Who a life is: `worker-3.2` is the second life of the third container of service `worker`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LifeName {
    /// The service's name.
    pub service: Rc<str>,
    /// The container's number in order of creation, from 1, never used again.
    pub ordinal: u32,
    /// Which boot of the container this is, from 1.
    pub life: u32,
}

impl fmt::Display for LifeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ordinal == 0 {
            return f.write_str(&self.service);
        }
        write!(f, "{}-{}.{}", self.service, self.ordinal, self.life)
    }
}

/// What a question is about within its site, a small integer that stands for a word
/// (a command's name, a range's name); the world that made it can print it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Label(pub u16);

/// The name of one question: the `n`-th that this life asked at this site under this label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Question {
    /// Who asks.
    pub life: LifeId,
    /// What kind of question it is.
    pub site: Site,
    /// What it is about.
    pub label: Label,
    /// How many of the same name came before it.
    pub n: u32,
}

/// A question's name in words, which outlives the run and the version that asked it:
/// `worker-2.1 send addRepeatableJob #0`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name {
    /// The life that asks, as it is shown: `worker-2.1`, or `world`.
    pub who: String,
    /// What kind of question it is.
    pub site: Site,
    /// The word for what it is about.
    pub label: String,
    /// How many of the same name came before it.
    pub n: u32,
}

impl Name {
    /// Reads a name as it is shown; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Name> {
        let (who, rest) = text.split_once(' ')?;
        let (site, rest) = rest.split_once(' ')?;
        let (label, n) = rest.rsplit_once(" #")?;
        let site = Site::ALL.into_iter().find(|known| known.name() == site)?;
        let (who, label) = (who.to_owned(), label.to_owned());
        Some(Name { who, site, label, n: n.parse().ok()? })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} #{}", self.who, self.site.name(), self.label, self.n)
    }
}

/// How likely an answer other than 0 is. Advice to policies that draw; never written on the tape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Odds {
    /// Every answer alike.
    Even,
    /// An answer other than 0 with probability `of_2_32 / 2^32`; then those alike.
    Fault {
        /// The probability in units of 2^-32.
        of_2_32: u64,
    },
}

/// One of the things that may happen next where the network has no time: the first request in flight
/// on a connection reaches its server, or the first reply reaches the process. Two runs that differ
/// only in the order of moves that do not conflict call the same move by the same name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Move {
    /// Whose connection it is.
    pub life: LifeId,
    /// Which of the connections that this life opened, from 0.
    pub conn: u16,
    /// Whether it is a reply.
    pub reply: bool,
}

/// How a move met a thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It looked whether it is there.
    Peek,
    /// It looked at it.
    Read,
    /// It added to what only a reader could tell the order of.
    Append,
    /// It may have changed it.
    Write,
}

/// One thing that a move has met: the name is a number that the server gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Touch {
    /// What.
    pub thing: u64,
    /// How.
    pub access: Access,
}

impl Touch {
    /// Whether the order of the two matters.
    #[inline]
    #[must_use]
    pub fn conflicts(self, other: Touch) -> bool {
        use Access::{Append, Read, Write};
        self.thing == other.thing
            && matches!(
                (self.access, other.access),
                (Write, _) | (_, Write) | (Read, Append) | (Append, Read)
            )
    }
}

/// One answered question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// The question's name.
    pub question: Question,
    /// How many answers there were.
    pub bound: u16,
    /// The one that was given, below `bound`.
    pub answer: u16,
}

/// The answers of one run in order: replaying it repeats the run, editing it is shrinking,
/// extending it is search.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tape {
    /// Every question that had more than one answer, in the order asked.
    pub choices: Vec<Choice>,
}

/// Answers what the world leaves open.
pub trait Policy {
    /// An answer below `bound` (which is at least 2) to `question`, asked by `who`.
    fn answer(&mut self, question: &Question, who: &LifeName, bound: u32, odds: Odds) -> u32;

    /// Which of several moves is next, ordered by name; `None` to stop the run, since all that it can
    /// come to has been seen. A single move is no question, but may be such an end.
    fn order(&mut self, question: &Question, who: &LifeName, moves: &[Move]) -> Option<u32> {
        match moves.len() {
            1 => Some(0),
            count => Some(self.answer(question, who, count as u32, Odds::Even)),
        }
    }

    /// Whether it wants to be told what each move has met.
    fn reduces(&self) -> bool {
        false
    }

    /// A life has died at the kill point that was answered for it.
    fn died(&mut self, _: LifeId) {}

    /// At the end of a run: how many kill points a life has passed.
    fn lived(&mut self, _: LifeId, _points: u32) {}

    /// Asked where nothing is in flight and time is about to go on: whether the run is to stop here,
    /// since another goes on from what this one has come to.
    fn rests(&mut self) -> bool {
        false
    }

    /// Whether what a run has come to where it stops is compared with that of others.
    fn compares(&self) -> bool {
        false
    }

    /// Asked where a run was stopped: whether others go on from what it has come to, and if so, a
    /// number for what that hangs on of the policy itself.
    fn goes_on(&self) -> Option<u64> {
        None
    }

    /// What the move that it has chosen has met, with all that followed before the next question.
    fn moved(&mut self, _: &[Touch]) {}

    /// Asked at the end of a run: the first place at which the run differed from what the policy
    /// was made for. Only replay has one.
    fn diverged(&self) -> Option<String> {
        None
    }
}

/// Asks the policy, records the answer.
pub struct Choices {
    policy: Box<dyn Policy>,
    tape: Tape,
    recording: bool,
    asked: u64,
    lives: Vec<Asker>,
    /// How many of them there are in this run: the others are memory.
    entered: usize,
    labels: Vec<Rc<str>>,
}

/// A life and how often it has asked what.
struct Asker {
    name: LifeName,
    counts: Vec<u32>,
}

impl Choices {
    /// Choices answered by `policy`; `labels[i]` is the word for `Label(i)`.
    pub fn new(policy: Box<dyn Policy>, labels: Vec<Rc<str>>) -> Self {
        let mut choices = Choices {
            policy,
            tape: Tape::default(),
            recording: true,
            asked: 0,
            lives: Vec::new(),
            entered: 0,
            labels,
        };
        choices.enter(LifeName { service: "world".into(), ordinal: 0, life: 0 });
        choices
    }

    /// Whether answers are written on the tape (they are, unless a caller that keeps no tape says
    /// otherwise).
    pub fn record(&mut self, recording: bool) {
        self.recording = recording;
    }

    /// Adds a life that may ask questions from now on.
    pub fn enter(&mut self, name: LifeName) -> LifeId {
        let id = LifeId(u32::try_from(self.entered).expect("fewer than 2^32 lives in a run"));
        match self.lives.get_mut(self.entered) {
            Some(asker) => {
                asker.name = name;
                asker.counts.fill(0);
            }
            None => {
                self.lives.push(Asker { name, counts: vec![0; Site::COUNT * self.labels.len()] })
            }
        }
        self.entered += 1;
        id
    }

    /// Forgets the run: another one asks the same policy about the same labels.
    pub fn again(&mut self) {
        self.tape.choices.clear();
        self.asked = 0;
        // The world is always there.
        self.lives[0].counts.fill(0);
        self.entered = 1;
    }

    /// How many lives there are so far, with the world.
    pub fn lives(&self) -> usize {
        self.entered
    }

    /// Who a life is.
    pub fn name(&self, life: LifeId) -> &LifeName {
        &self.lives[life.0 as usize].name
    }

    /// The word for a label.
    pub fn label(&self, label: Label) -> &str {
        &self.labels[usize::from(label.0)]
    }

    /// The name of a question in words.
    pub fn describe(&self, question: &Question) -> Name {
        let Question { life, site, label, n } = *question;
        let (who, label) = (self.name(life).to_string(), self.label(label).to_owned());
        Name { who, site, label, n }
    }

    /// Answers one question with a number below `bound`. A question with one answer is not a
    /// question: it is neither asked nor recorded.
    ///
    /// # Panics
    /// If the policy's answer is not below `bound`, or `bound` is zero: bugs in bootrace.
    #[inline]
    pub fn ask(&mut self, life: LifeId, site: Site, label: Label, bound: u32, odds: Odds) -> u32 {
        assert!(
            bound > 0 && bound <= u32::from(u16::MAX),
            "a question has between 1 and 65,535 answers"
        );
        if bound == 1 {
            return 0;
        }
        let labels = self.labels.len();
        let asker = &mut self.lives[life.0 as usize];
        let count = &mut asker.counts[site as usize * labels + usize::from(label.0)];
        let question = Question { life, site, label, n: *count };
        *count += 1;
        let answer = self.policy.answer(&question, &asker.name, bound, odds);
        assert!(answer < bound, "a policy answers below the bound");
        self.asked += 1;
        if self.recording {
            let (bound, answer) = (bound as u16, answer as u16);
            self.tape.choices.push(Choice { question, bound, answer });
        }
        answer
    }

    /// Which of the moves in flight is next; `None`: the run is to stop.
    ///
    /// # Panics
    /// If the policy names none of them, or there are none: bugs in bootrace.
    #[inline]
    pub fn order(&mut self, moves: &[Move]) -> Option<usize> {
        let (life, site, label) = (LifeId::WORLD, Site::Order, Label(0));
        let asker = &mut self.lives[0];
        let count = &mut asker.counts[site as usize * self.labels.len()];
        let question = Question { life, site, label, n: *count };
        let answer = self.policy.order(&question, &asker.name, moves)?;
        assert!((answer as usize) < moves.len(), "a policy answers below the bound");
        if moves.len() > 1 {
            *count += 1;
            self.asked += 1;
            if self.recording {
                let bound = u16::try_from(moves.len()).expect("fewer connections at once");
                self.tape.choices.push(Choice { question, bound, answer: answer as u16 });
            }
        }
        Some(answer as usize)
    }

    /// Whether the policy wants to know what moves meet.
    pub fn reduces(&self) -> bool {
        self.policy.reduces()
    }

    /// A life has died at the kill point that was answered for it.
    pub fn died(&mut self, life: LifeId) {
        self.policy.died(life);
    }

    /// At the end of a run: how many kill points a life has passed.
    pub fn lived(&mut self, life: LifeId, points: u32) {
        self.policy.lived(life, points);
    }

    /// Whether the run is to stop where nothing is in flight and time is about to go on.
    pub fn rests(&mut self) -> bool {
        self.policy.rests()
    }

    /// Whether others go on from where the run was stopped: see [`Policy::goes_on`].
    pub fn goes_on(&self) -> Option<u64> {
        self.policy.goes_on()
    }

    /// Whether what the run has come to where it stops is compared with that of others.
    pub fn compares(&self) -> bool {
        self.policy.compares()
    }

    /// What the last move has met.
    #[inline]
    pub fn moved(&mut self, touched: &[Touch]) {
        self.policy.moved(touched);
    }

    /// How many questions were asked so far.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// Where the run left the tape that it replays, if it did. Asked at the end of a run: a tape
    /// that is longer than the run does not apply to it either.
    pub fn diverged(&self) -> Option<String> {
        self.policy.diverged()
    }

    /// The tape so far, leaving an empty one.
    pub fn take_tape(&mut self) -> Tape {
        std::mem::take(&mut self.tape)
    }

    /// The names of all lives so far, indexed by [`LifeId`].
    pub fn names(&self) -> Vec<LifeName> {
        self.lives[..self.entered].iter().map(|asker| asker.name.clone()).collect()
    }
}

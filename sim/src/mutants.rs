//! Mutants: faults of the queue model and of the simulator, planted one at a time to see that the
//! oracles and the checks of the simulator notice. Those of the Redis model are its own (`redis`).
//!
//! Only with the feature `mutants`, which nothing has by default. Without it `planted` is a constant
//! `false`, and no fault is compiled. A fault is one of a thread: a run never leaves its own. Where a
//! fault changes what is done, `planted` is asked last, so that what is counted are the times at
//! which it made a difference.

/// The enumeration, and its texts.
macro_rules! mutants {
    ($($name:ident $what:literal)+) => {
        /// A fault that can be planted: Q of the queue, as others wrote them down; O of the queue and the
        /// fleet, found by reading; X of the simulator.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Mutant {
            $(
                #[doc = $what]
                $name,
            )+
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Mutant] = &[$(Mutant::$name),+];

            /// What is wrong.
            #[must_use]
            pub fn what(self) -> &'static str {
                match self {
                    $(Mutant::$name => $what,)+
                }
            }
        }
    };
}

mutants! {
    Q1 "An upsert of a scheduler is two round trips: its registration, then its iteration."
    Q2 "A worker makes the next iteration whether or not the registration still points to its job."
    Q3 "An upsert of `every` removes the pending iteration and adds none."
    Q4 "An upsert of `every` counts the period from its own instant, so each boot puts the job off."
    Q5 "The older API's key contains an option that may change, so a change leaves the old one behind."
    Q6 "A pattern is read in the zone of the container, whatever zone is given."
    Q7 "An hour that the clocks repeat runs twice."
    Q8 "The renewal of a lock takes it, whoever holds it."
    Q9 "The end of a job takes its lock, whoever holds it."
    Q10 "A stalled check puts back jobs whose locks are live."
    Q11 "A job's stalls are not counted."
    Q12 "A job that stalled too often is dropped in place of failed."
    Q13 "A deduplication id does not expire."
    Q14 "An add under an id that a job has stores another job."
    Q15 "Of one priority the newest job is taken first."
    Q16 "The rate limiter counts jobs when they end, not when they start."
    Q17 "Global concurrency lets one more job start."
    Q18 "A delayed job that becomes due while the queue is paused goes to `wait`, which a resume overwrites."
    Q20 "One finished job more is kept than asked for."
    Q24 "A retry without a back-off does not count the attempt."
    Q25 "After a reconnect what was not answered is sent twice."
    Q26 "On SIGTERM a worker does not wait for its jobs."
    Q27 "An obliteration deletes the keys of every queue whose name begins with that of the queue."
    O1 "An add sets no marker, so nobody wakes."
    O2 "The marker of a delayed job is its score, not its millisecond."
    O3 "A registration is written before its iteration is refused."
    O4 "A new iteration leaves the one that it replaces where it is."
    O5 "A registration that is removed leaves its iteration where it is."
    O6 "A job is tried once more than asked for."
    O7 "A pass of the renewal timer renews the first of its locks alone."
    O8 "A container that is removed is killed at once, whatever its grace period."
    O9 "A rolling update does not wait until enough containers are available."
    O10 "A container's crashes are never forgiven, so its back-off grows for ever."
    O11 "The keys of all queues are those of one."
    O12 "The age of finished jobs is taken for milliseconds."
    O13 "A worker runs one job more than its concurrency."
    O14 "A fetch does not ask whether the queue is paused."
    O15 "A client's back-off is not reset when it is connected again."
    O16 "A delayed job is due a millisecond later than asked for."
    O17 "A stalled check marks no active job for the next one."
    O18 "A lock does not expire."
    X1 "Who is due at one instant goes in the order of their numbers."
    X2 "Replies still reach a process that was killed."
    X3 "All containers draw from one stream."
    X4 "A step of a clock is made twice."
    X6 "An oracle takes the end of the run for the end of a rollout."
    X7 "An oracle looks for the work of no schedule."
    X10 "The hash of an event is that of its kind."
}

#[cfg(feature = "mutants")]
mod planting {
    use super::Mutant;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
        static HITS: Cell<u64> = const { Cell::new(0) };
    }

    /// Plants a fault in all runs of this thread, in place of the one before, and counts from nought.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.set(mutant);
        HITS.set(0);
    }

    /// How often the planted fault was met since it was planted.
    #[must_use]
    pub fn hits() -> u64 {
        HITS.get()
    }

    /// Whether this fault is planted.
    pub(crate) fn planted(mutant: Mutant) -> bool {
        let is = PLANTED.get() == Some(mutant);
        if is {
            HITS.set(HITS.get() + 1);
        }
        is
    }
}

#[cfg(feature = "mutants")]
pub(crate) use planting::planted;
#[cfg(feature = "mutants")]
pub use planting::{hits, plant};

/// Whether this fault is planted: no.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn planted(_: Mutant) -> bool {
    false
}

//! Mutants: faults of a Redis model, planted one at a time to see that the tests notice.
//!
//! Only with the feature `mutants`, which nothing has by default. Without it [`planted`] is a constant
//! `false`, and no fault is compiled. The fault is one of a thread, not of a server: some sit where no
//! server is at hand.

/// A fault that can be planted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutant {
    /// `SET NX` sets although the key exists.
    R1,
    /// A key is gone already at its deadline.
    R2,
    /// A key past its deadline is there for EXISTS and TYPE.
    R3,
    /// Members of equal score are not in the order of their bytes.
    R4,
    /// A bound `(5` admits 5.
    R5,
    /// The last of the clients that wait for a key is served first.
    R6,
    /// A client that is gone waits on, and what it is served is lost.
    R7,
    /// EXEC runs although a watched key has changed.
    R8,
    /// Clients that wait are served in the middle of a script.
    R9,
    /// The error of a script takes back what it had written.
    R10,
    /// LMOVE of a list to itself loses the element.
    R11,
    /// `XTRIM MAXLEN ~` trims exactly.
    R12,
    /// INCRBY and HINCRBY wrap.
    R13,
    /// A value of the wrong type is replaced without an error.
    R14,
    /// A collection left empty stays.
    R15,
    /// SCAN and its kind miss an element.
    R16,
    /// EVALSHA knows a script after SCRIPT FLUSH.
    R17,
    /// `cjson.encode` writes large integers with an exponent.
    R18,
    /// An event of the keyspace is delivered before those that came before it.
    R19,
    /// The loss of all keys (FLUSHALL, a failover) leaves the key written last.
    R20,
}

#[cfg(feature = "mutants")]
mod planting {
    use super::Mutant;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    impl Mutant {
        /// All of them.
        pub const ALL: [Mutant; 20] = {
            use Mutant::*;
            [
                R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, R13, R14, R15, R16, R17, R18,
                R19, R20,
            ]
        };
    }

    /// Plants a fault in all servers of this thread, in place of the one before.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.set(mutant);
    }

    /// Whether this fault is planted.
    pub(in super::super) fn planted(mutant: Mutant) -> bool {
        PLANTED.get() == Some(mutant)
    }
}

#[cfg(feature = "mutants")]
pub use planting::plant;
#[cfg(feature = "mutants")]
pub(super) use planting::planted;

/// Whether this fault is planted: no.
#[cfg(not(feature = "mutants"))]
pub(super) const fn planted(_: Mutant) -> bool {
    false
}

//! Classes of what may happen by chance, and how bad each is in a run. Words and numbers, no odds.

/// A kind of what may happen by chance, as scenarios name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FaultClass {
    /// Containers are killed, somewhere in their lives or by plan.
    Kill,
    /// Containers are asked to end.
    Terminate,
    /// A service moves to a release.
    Deploy,
    /// A service is rolled out again.
    Restart,
    /// A service gets another number of replicas.
    Scale,
    /// Event loops stand still.
    Pause,
    /// Clocks step.
    Clock,
    /// Connections break.
    Disconnect,
    /// Messages are held back.
    Partition,
    /// Messages take longer.
    Delay,
    /// Redis executes nothing for a time.
    RedisSlow,
    /// Redis loses everything.
    RedisFlush,
    /// Redis goes away and comes back with what it held, or empty.
    RedisRestart,
    /// Redis goes away and comes back without the last writes.
    RedisFailover,
    /// Redis gives up a key.
    RedisEvict,
    /// A person does something.
    ByHand,
}

impl FaultClass {
    /// All of them.
    pub const ALL: [FaultClass; 16] = [
        FaultClass::Kill,
        FaultClass::Terminate,
        FaultClass::Deploy,
        FaultClass::Restart,
        FaultClass::Scale,
        FaultClass::Pause,
        FaultClass::Clock,
        FaultClass::Disconnect,
        FaultClass::Partition,
        FaultClass::Delay,
        FaultClass::RedisSlow,
        FaultClass::RedisFlush,
        FaultClass::RedisRestart,
        FaultClass::RedisFailover,
        FaultClass::RedisEvict,
        FaultClass::ByHand,
    ];

    /// The word for it, in the names of questions and in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            FaultClass::Kill => "kill",
            FaultClass::Terminate => "terminate",
            FaultClass::Deploy => "deploy",
            FaultClass::Restart => "restart",
            FaultClass::Scale => "scale",
            FaultClass::Pause => "pause",
            FaultClass::Clock => "clock",
            FaultClass::Disconnect => "disconnect",
            FaultClass::Partition => "partition",
            FaultClass::Delay => "delay",
            FaultClass::RedisSlow => "redis slow",
            FaultClass::RedisFlush => "redis flush",
            FaultClass::RedisRestart => "redis restart",
            FaultClass::RedisFailover => "redis failover",
            FaultClass::RedisEvict => "redis evict",
            FaultClass::ByHand => "by hand",
        }
    }
}

/// How bad a class of faults is in a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// It does not happen.
    Off,
    /// It is as likely as the scenario says.
    Mild,
    /// It is four times as likely.
    Wild,
}

impl Level {
    /// All of them, by the answer that stands for each.
    pub const ALL: [Level; 3] = [Level::Off, Level::Mild, Level::Wild];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Level::Off => "off",
            Level::Mild => "mild",
            Level::Wild => "wild",
        }
    }
}

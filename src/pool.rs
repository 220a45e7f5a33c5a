//! Numbered tasks on all cores. What comes back is the results of the first so many tasks, in order,
//! so that a cut-short list is what a shorter one would have been. It knows nothing of what a task
//! is for, repeats none, waits for no task for ever, and holds few results that nobody has taken.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long a task may go on after it was said that no more are wanted.
const GRACE: Duration = Duration::from_millis(400);

/// How often it is asked whether no more are wanted.
const TICK: Duration = Duration::from_millis(20);

/// How far the tasks that are begun may be ahead of the first that is not done: a slow one among many
/// quick ones must not pile up results.
const AHEAD: usize = 4096;

/// Who looks on while tasks are done.
pub trait Watch<T> {
    /// One more task is done. They come in any order.
    fn done(&mut self, result: &T);

    /// Whether no more are wanted. It is asked again and again.
    fn stops(&mut self) -> bool;
}

/// Nobody looks on, and everything is wanted.
impl<T> Watch<T> for () {
    fn done(&mut self, _: &T) {}

    fn stops(&mut self) -> bool {
        false
    }
}

/// What was done.
#[derive(PartialEq, Eq, Debug)]
pub struct Done<T> {
    /// Of the first so many tasks, in order.
    pub results: Vec<T>,
    /// Why it is not all of them.
    pub cut: Option<Cut>,
}

/// Why not every task was done.
#[derive(PartialEq, Eq, Debug)]
pub enum Cut {
    /// No more were wanted.
    Stopped,
    /// This task panicked, the first that did.
    Panicked {
        /// Which.
        task: usize,
        /// What it said.
        message: String,
    },
}

/// Does the tasks from 0 up to `tasks` on all cores.
///
/// Tasks are begun in order, and none is begun after one has panicked or no more are wanted. A task
/// that is still under way a while later is left to itself: its thread ends with the process.
///
/// # Panics
/// If the system gives no threads.
pub fn work<T: Send + 'static>(
    tasks: usize,
    task: impl Fn(usize) -> T + Send + Sync + 'static,
    watch: &mut impl Watch<T>,
) -> Done<T> {
    let mut results = Vec::new();
    let cut = fold(ALL_CORES, tasks, task, watch, |result| {
        results.push(result);
        ControlFlow::Continue(())
    });
    Done { results, cut }
}

/// As many threads as there are cores, or as `RAYON_NUM_THREADS` says.
pub const ALL_CORES: usize = 0;

/// The same on so many threads, without a list: each result is handed over in the order of the tasks,
/// until one breaks it off. What is handed over does not depend on the number of threads. Returns why
/// not every task was done, if neither the last task nor `take` ended it.
///
/// # Panics
/// If the system gives no threads.
pub fn fold<T: Send + 'static>(
    jobs: usize,
    tasks: usize,
    task: impl Fn(usize) -> T + Send + Sync + 'static,
    watch: &mut impl Watch<T>,
    mut take: impl FnMut(T) -> ControlFlow<()>,
) -> Option<Cut> {
    let crew = Arc::new(Crew::default());
    let (sender, receiver) = mpsc::channel();
    let shared = Arc::clone(&crew);
    // Threads of its own: one that was left to itself does not stand in the way of others.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(jobs).build();
    let threads = threads.expect("the system gives threads");
    threads.spawn_broadcast(move |_| {
        while let Some(number) = shared.next(tasks) {
            let result = caught(|| task(number));
            if sender.send((number, result)).is_err() {
                return;
            }
        }
    });

    let (mut early, mut panicked) = (BTreeMap::new(), BTreeMap::new());
    let mut taken = 0;
    let mut enough: Option<Instant> = None;
    loop {
        match receiver.recv_timeout(TICK) {
            Ok((number, Ok(result))) => {
                watch.done(&result);
                early.insert(number, result);
                while let Some(result) = early.remove(&taken) {
                    taken += 1;
                    crew.taken.store(taken, Ordering::Relaxed);
                    if take(result).is_break() {
                        crew.stop.store(true, Ordering::Relaxed);
                        return None;
                    }
                }
            }
            Ok((number, Err(message))) => {
                crew.stop.store(true, Ordering::Relaxed);
                panicked.insert(number, message);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if watch.stops() {
            crew.stop.store(true, Ordering::Relaxed);
            if enough.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                break;
            }
        }
    }
    match panicked.pop_first() {
        Some((task, message)) => Some(Cut::Panicked { task, message }),
        None => (taken < tasks).then_some(Cut::Stopped),
    }
}

/// What the threads share.
#[derive(Default)]
struct Crew {
    /// The next task that nobody has begun.
    next: AtomicUsize,
    /// How many results were handed over.
    taken: AtomicUsize,
    /// Whether no more are wanted.
    stop: AtomicBool,
}

impl Crew {
    /// The number of a task to do, as soon as it is not too far ahead.
    fn next(&self, tasks: usize) -> Option<usize> {
        let stopped = || self.stop.load(Ordering::Relaxed);
        if stopped() {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // A task that panicked was not too far ahead, so all before it are begun.
        while number >= self.taken.load(Ordering::Relaxed).saturating_add(AHEAD) {
            if stopped() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        (number < tasks).then_some(number)
    }
}

/// What a task comes to, or what it said when it panicked.
pub(crate) fn caught<T>(task: impl FnOnce() -> T) -> Result<T, String> {
    // What it left half done is not looked at again: only its words are.
    catch_unwind(AssertUnwindSafe(task)).map_err(|said| words(said.as_ref()))
}

/// What was said in a panic.
pub(crate) fn words(said: &(dyn Any + Send)) -> String {
    let text = said.downcast_ref::<&str>().copied();
    let text = text.or_else(|| said.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// Wants no more as soon as so many are done.
    struct After(usize);

    impl Watch<usize> for After {
        fn done(&mut self, _: &usize) {
            self.0 = self.0.saturating_sub(1);
        }

        fn stops(&mut self) -> bool {
            self.0 == 0
        }
    }

    #[test]
    fn results_are_in_order_whoever_is_faster() {
        let slow_first = |number: usize| {
            std::thread::sleep(Duration::from_millis(if number < 2 { 30 } else { 0 }));
            number * 2
        };
        let done = work(100, slow_first, &mut ());
        assert_eq!(done.results, (0..100).map(|number| number * 2).collect::<Vec<_>>());
        assert_eq!(done.cut, None);
        assert_eq!(work(0, |number| number, &mut ()), Done { results: Vec::new(), cut: None });
    }

    #[test]
    fn a_panic_costs_no_result_before_it_and_is_named() {
        let task = |number: usize| {
            assert!(!matches!(number, 7 | 8), "number {number} is a bug");
            number
        };
        let done = work(1_000_000, task, &mut ());
        assert_eq!(done.results, (0..7).collect::<Vec<_>>());
        let message = "number 7 is a bug".to_owned();
        assert_eq!(done.cut, Some(Cut::Panicked { task: 7, message }));
    }

    #[test]
    fn what_breaks_it_off_does_not_depend_on_threads() {
        for jobs in [1, 2, 16] {
            // A task that panics beyond the end is none that was wanted.
            let task = |number: usize| {
                assert!(number < 60, "nobody wants it");
                number
            };
            let mut taken = Vec::new();
            let cut = fold(jobs, 1_000_000, task, &mut (), |number| {
                taken.push(number);
                if number == 50 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert_eq!((cut, taken), (None, (0..=50).collect()), "{jobs} threads");
        }
    }

    #[test]
    fn quick_tasks_do_not_run_far_ahead_of_a_slow_one() {
        let most = Arc::new(AtomicUsize::new(0));
        let seen = most.clone();
        let task = move |number: usize| {
            seen.fetch_max(number, Ordering::Relaxed);
            if number == 0 {
                std::thread::sleep(Duration::from_millis(200));
                return seen.load(Ordering::Relaxed);
            }
            number
        };
        let done = work(50_000, task, &mut ());
        assert!(done.results[0] <= AHEAD, "{} were begun", done.results[0]);
        assert_eq!((done.results.len(), done.cut), (50_000, None));
        assert!(most.load(Ordering::Relaxed) > AHEAD);
    }

    #[test]
    fn what_is_said_is_told() {
        assert_eq!(caught(|| 3), Ok(3));
        assert_eq!(caught(|| -> u8 { panic!("plain") }), Err("plain".to_owned()));
        let silent = caught(|| -> u8 { std::panic::resume_unwind(Box::new(3)) });
        assert_eq!(silent, Err("it said nothing".to_owned()));
    }

    #[test]
    fn what_comes_back_of_a_stop_is_the_first_so_many() {
        let task = |number: usize| {
            std::thread::sleep(Duration::from_millis(1));
            number
        };
        let done = work(1_000_000, task, &mut After(10));
        assert!((10..1000).contains(&done.results.len()), "{}", done.results.len());
        assert_eq!(done.results, (0..done.results.len()).collect::<Vec<_>>());
        assert_eq!(done.cut, Some(Cut::Stopped));
    }

    /// Wants no more as soon as it is said.
    struct Said(Arc<AtomicBool>);

    impl Watch<usize> for Said {
        fn done(&mut self, _: &usize) {}

        fn stops(&mut self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn nobody_waits_for_a_task_that_goes_on_for_ever() {
        let begun = Arc::new(AtomicBool::new(false));
        let mut watch = Said(begun.clone());
        let task = move |number: usize| {
            if number == 3 {
                begun.store(true, Ordering::Relaxed);
                loop {
                    std::thread::park();
                }
            }
            number
        };
        let since = Instant::now();
        let done = work(100_000_000, task, &mut watch);
        assert_eq!(done, Done { results: vec![0, 1, 2], cut: Some(Cut::Stopped) });
        assert!((GRACE..GRACE * 10).contains(&since.elapsed()), "{:?}", since.elapsed());
    }
}

//! The distinct jobs of one queue.
//!
//! A distinct job is one [`Added`]. Its id is not enough to tell it: an id is used again, and some
//! scripts add under an id whose job is still open, so that two entries share one hash. Which of
//! them an event is about is told by where they stand and who has them in hand. An event that no
//! job fits is about an entry whose hash is gone, which has no name and does no schedule's work:
//! it is refused, not guessed at.

use std::collections::BTreeMap;
use std::mem;

use super::lives::Lives;
use crate::choices::LifeId;
use crate::clock::Instant;
use crate::event::{Added, JobId, JobList, JobState, RegistrationKey};

/// Where a distinct job stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In `wait`, `paused` or `prioritized`: the next free worker takes it.
    Waiting,
    /// In `delayed`.
    Delayed,
    /// In `active`, taken by a worker of a life, which may be dead by now.
    Active(LifeId),
    /// In no list or set since that instant, though its hash is still there: nobody will come to it.
    Unlisted(Instant),
    /// It left its worker for good.
    Finished,
    /// Its hash was deleted after a life took it, which may yet start it.
    Gone,
}

/// A distinct job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Job {
    /// The schedule whose work it does, an index into the scenario's.
    pub schedule: Option<usize>,
    /// The registration that it is an iteration of.
    pub registration: Option<RegistrationKey>,
    /// The instant that it stands for.
    pub tick: Option<Instant>,
    /// Where it stands.
    pub place: Place,
    /// The instant that it is delayed to, or was.
    pub due: Option<Instant>,
    /// How often a processor was called with it.
    pub starts: u64,
    /// The life that took it and has not started it yet. Meanwhile others may have found it
    /// stalled, and even finished it: it does not hear of that.
    taker: Option<LifeId>,
}

impl Job {
    /// Whether it is in the queue or in hand, neither finished nor removed nor out of every list.
    #[must_use]
    pub fn open(&self) -> bool {
        !matches!(self.place, Place::Finished | Place::Gone | Place::Unlisted(_))
    }

    /// Whether a processor was ever called with it.
    #[must_use]
    pub fn started(&self) -> bool {
        self.starts > 0
    }

    fn stand(&mut self, state: JobState) {
        (self.place, self.due) = place(state);
    }
}

/// The first or a further start of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Start {
    pub(super) schedule: Option<usize>,
    pub(super) tick: Option<Instant>,
    /// Which start it is, from 1.
    pub(super) nth: u64,
}

/// Jobs that Redis or the library lost before anybody had them in hand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Vanished {
    /// How many.
    pub count: u64,
    /// The last of them.
    pub last: Option<JobId>,
}

/// The jobs of one queue that can still be heard of.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    /// Those of one id in the order of their adds. None is empty.
    by_id: BTreeMap<JobId, Vec<Job>>,
    /// The ids under which there are open iterations: few, while kept jobs may be many.
    iterations: Vec<JobId>,
    /// The ids under which there may be a job that is gone.
    gone: Vec<JobId>,
    pub(super) vanished: Vanished,
    /// How many there ever were.
    pub(super) added: u64,
}

impl Jobs {
    pub(super) fn all(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        let each = |(id, jobs)| Iterator::zip(std::iter::repeat(id), jobs);
        self.by_id.iter().flat_map(each)
    }

    pub(super) fn iterations(&self) -> impl Iterator<Item = &Job> {
        self.iterations
            .iter()
            .filter_map(|id| self.by_id.get(id))
            .flatten()
            .filter(|job| open_iteration(job))
    }

    pub(super) fn newest(&self, id: &JobId) -> Option<&Job> {
        self.by_id.get(id)?.last()
    }

    pub(super) fn add(&mut self, added: &Added, schedule: Option<usize>) {
        let (place, due) = place(added.state);
        let job = Job {
            schedule,
            registration: added.registration.clone(),
            tick: added.tick,
            place,
            due,
            starts: 0,
            taker: None,
        };
        self.added += 1;
        let jobs = self.by_id.entry(added.job.clone()).or_default();
        if job.place == Place::Delayed {
            // `delayed` is a set: what stood there under this id is this job now.
            jobs.retain(|other| other.place != Place::Delayed);
        }
        jobs.push(job);
        self.index(&added.job);
    }

    pub(super) fn promote(&mut self, id: &JobId) {
        let delayed = |job: &Job| (job.place == Place::Delayed).then_some(0);
        if let Some(job) = self.pick(id, delayed) {
            job.place = Place::Waiting;
        }
    }

    pub(super) fn fetch(&mut self, id: &JobId, life: LifeId) {
        let rank = |job: &Job| match job.place {
            Place::Waiting => Some(0),
            Place::Delayed => Some(1),
            Place::Active(_) => Some(2),
            Place::Finished | Place::Gone | Place::Unlisted(_) => None,
        };
        if let Some(job) = self.pick(id, rank) {
            job.place = Place::Active(life);
            job.taker = Some(life);
        }
    }

    pub(super) fn start(&mut self, id: &JobId, life: LifeId) -> Option<Start> {
        let rank = |job: &Job| match job.place {
            _ if job.taker == Some(life) => Some(0),
            Place::Active(holder) => Some(if holder == life { 1 } else { 2 }),
            Place::Waiting | Place::Delayed => Some(3),
            Place::Finished | Place::Gone | Place::Unlisted(_) => None,
        };
        let job = self.pick(id, rank)?;
        job.taker = None;
        job.starts += 1;
        let start = Start { schedule: job.schedule, tick: job.tick, nth: job.starts };
        self.retain(id, |job| job.place != Place::Gone || job.taker.is_some());
        Some(start)
    }

    /// The job leaves `active` for good. Without its hash nothing of that id is a job any more.
    pub(super) fn finish(&mut self, id: &JobId, life: LifeId, kept: bool) {
        // `completed` and `failed` are sets too: who was kept there under this id is this job now.
        self.retain(id, |job| job.place != Place::Finished);
        if let Some(job) = self.pick(id, |job| held(job, life)) {
            job.place = Place::Finished;
        }
        if !kept {
            self.remove(id);
        }
        self.index(id);
    }

    pub(super) fn retry(&mut self, id: &JobId, life: LifeId, state: JobState) {
        if let Some(job) = self.pick(id, |job| held(job, life)) {
            job.stand(state);
        }
        self.index(id);
    }

    /// A finished job is put back by hand: it is the same job.
    pub(super) fn reprocess(&mut self, id: &JobId) {
        let finished = |job: &Job| (job.place == Place::Finished).then_some(0);
        if let Some(job) = self.pick(id, finished) {
            job.place = Place::Waiting;
        }
        self.index(id);
    }

    pub(super) fn stall(&mut self, id: &JobId) {
        let active = |job: &Job| matches!(job.place, Place::Active(_)).then_some(0);
        if let Some(job) = self.pick(id, active) {
            job.place = Place::Waiting;
        }
    }

    /// An entry is taken out of a list or set. Unless its hash goes, too, the job is left without one.
    pub(super) fn unlist(&mut self, id: &JobId, from: JobList, at: Instant) {
        let rank = |job: &Job| {
            let here = match from {
                JobList::Wait | JobList::Paused | JobList::Prioritized => {
                    job.place == Place::Waiting
                }
                JobList::Delayed => job.place == Place::Delayed,
                // Whoever has it in hand goes on with it.
                JobList::Active | JobList::Completed | JobList::Failed => false,
            };
            here.then_some(0)
        };
        if let Some(job) = self.pick(id, rank) {
            job.place = Place::Unlisted(at);
        }
        self.index(id);
    }

    /// The iteration that goes with the hash of an id, if there is one that nobody has started. Its
    /// entry may have gone before.
    pub(super) fn unstarted_iteration(&self, id: &JobId) -> Option<&Job> {
        let unlisted = |place| matches!(place, Place::Unlisted(_));
        let stands = |job: &Job| job.open() || unlisted(job.place);
        let unstarted = |job: &&Job| job.registration.is_some() && stands(job) && !job.started();
        self.by_id.get(id)?.iter().find(unstarted)
    }

    /// The hash is deleted. Entries that are left under its id are no jobs any more; if it was a
    /// finished job's, nobody looks for them, and they have vanished.
    pub(super) fn remove(&mut self, id: &JobId) {
        let Some(jobs) = self.by_id.get_mut(id) else {
            return;
        };
        if jobs.iter().any(|job| job.place == Place::Finished) {
            let waits = |job: &&Job| matches!(job.place, Place::Waiting | Place::Delayed);
            self.vanished.note(id, jobs.iter().filter(waits).count());
        }
        for job in jobs {
            job.place = Place::Gone;
        }
        self.retain(id, |job| job.taker.is_some());
        if self.by_id.contains_key(id) && !self.gone.contains(id) {
            self.gone.push(id.clone());
        }
        self.index(id);
    }

    /// Redis loses everything. What a life has in hand it may still run.
    pub(super) fn flush(&mut self, lives: &Lives) {
        let ids: Vec<JobId> = self.by_id.keys().cloned().collect();
        for id in ids {
            let in_hand = |place| matches!(place, Place::Active(life) if lives.lives(life));
            let unlisted = |place| matches!(place, Place::Unlisted(_));
            let lost = |job: &&Job| unlisted(job.place) || job.open() && !in_hand(job.place);
            let lost = self.by_id[&id].iter().filter(lost).count();
            self.retain(&id, |job| job.place != Place::Finished);
            self.remove(&id);
            self.vanished.note(&id, lost);
        }
    }

    /// Redis holds what it held when `copy` was made. What was added since and nobody has had in
    /// hand has vanished; what was done since counts as not done, so it is a firing if it is done
    /// again.
    pub(super) fn roll_back(&mut self, copy: Jobs) {
        let now = mem::replace(self, copy);
        self.added = now.added;
        self.vanished = now.vanished;
        for (id, jobs) in &now.by_id {
            if !self.by_id.contains_key(id) {
                let waits = |job: &&Job| matches!(job.place, Place::Waiting | Place::Delayed);
                self.vanished.note(id, jobs.iter().filter(waits).count());
            }
        }
    }

    /// A life is over: what it took it will not start.
    pub(super) fn forget(&mut self, life: LifeId) {
        for id in mem::take(&mut self.gone) {
            self.retain(&id, |job| job.place != Place::Gone || job.taker != Some(life));
            let gone = |job: &Job| job.place == Place::Gone;
            if self.by_id.get(&id).is_some_and(|jobs| jobs.iter().any(gone)) {
                self.gone.push(id);
            }
        }
    }

    /// The job of an id that an event is about: the oldest of those with the least rank.
    fn pick(&mut self, id: &JobId, rank: impl Fn(&Job) -> Option<u8>) -> Option<&mut Job> {
        let jobs = self.by_id.get_mut(id)?;
        jobs.iter_mut().filter(|job| rank(job).is_some()).min_by_key(|job| rank(job))
    }

    fn retain(&mut self, id: &JobId, keep: impl Fn(&Job) -> bool) {
        let Some(jobs) = self.by_id.get_mut(id) else {
            return;
        };
        jobs.retain(keep);
        if jobs.is_empty() {
            self.by_id.remove(id);
        }
    }

    fn index(&mut self, id: &JobId) {
        let jobs = self.by_id.get(id);
        let open = jobs.is_some_and(|jobs| jobs.iter().any(open_iteration));
        let at = self.iterations.iter().position(|other| other == id);
        match (open, at) {
            (true, None) => self.iterations.push(id.clone()),
            (false, Some(at)) => {
                self.iterations.swap_remove(at);
            }
            _ => {}
        }
    }
}

impl Vanished {
    fn note(&mut self, id: &JobId, count: usize) {
        if count > 0 {
            self.count += count as u64;
            self.last = Some(id.clone());
        }
    }
}

fn open_iteration(job: &Job) -> bool {
    job.registration.is_some() && job.open()
}

fn place(state: JobState) -> (Place, Option<Instant>) {
    match state {
        JobState::Wait | JobState::Prioritized => (Place::Waiting, None),
        JobState::Delayed(until) => (Place::Delayed, Some(until)),
    }
}

/// Ranks the jobs of an id that may leave `active` at the word of a life. Whoever has it in hand
/// and started it comes first; the word may also be that of a worker that found it stalled.
fn held(job: &Job, life: LifeId) -> Option<u8> {
    match job.place {
        Place::Active(holder) if holder == life => Some(u8::from(!job.started())),
        Place::Active(_) => Some(2),
        Place::Waiting => Some(3),
        Place::Delayed => Some(4),
        Place::Finished | Place::Gone | Place::Unlisted(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Story, minute};
    use super::super::{Fact, Ledger};
    use super::*;
    use crate::event::{JobList, QueueId};

    /// The ledger after a story, and the last fact in it.
    fn fold(story: &Story) -> (Ledger, Option<Fact>) {
        let mut ledger = Ledger::new(&story.scenario);
        let facts = story.events.iter();
        let facts = facts.filter_map(|(stamp, event)| ledger.fold(stamp, event));
        let last = facts.last();
        (ledger, last)
    }

    fn places(story: &Story) -> Vec<Place> {
        let (ledger, _) = fold(story);
        let jobs = ledger.jobs(QueueId(0));
        jobs.map(|(_, job)| job.place).collect()
    }

    #[test]
    fn a_job_is_kept_for_as_long_as_something_may_be_heard_of_it() {
        let mut story = Story::hourly();
        story.at(1).add("a", None).add_delayed("b", Some(9));
        assert_eq!(places(&story), [Place::Waiting, Place::Delayed]);
        story.fetch("a").start("a").end("a", true).remove("b");
        assert_eq!(places(&story), [Place::Active(LifeId(1))]);
        story.finish("a", true);
        assert_eq!(places(&story), [Place::Finished]);
        story.remove("a");
        assert_eq!(places(&story), []);
    }

    #[test]
    fn what_a_dead_process_took_is_forgotten() {
        let mut story = Story::hourly();
        story.at(1).add("a", None).fetch("a").life(LifeId(2));
        story.finish("a", false).remove("a").kill();
        assert_eq!(places(&story), [Place::Gone]);
        story.life(LifeId(1)).kill();
        assert_eq!(places(&story), []);
    }

    #[test]
    fn a_finished_job_that_is_tried_again_by_hand_is_the_same_job() {
        let mut story = Story::hourly();
        story.at(1).job("a", None).end("a", false).finish("a", true);
        story.reprocess("a");
        assert_eq!(fold(&story).0.length(), 1);
        story.fetch("a").start("a");
        let again = Fact::Execution { schedule: 0, firing: None, nth: 2 };
        assert_eq!(fold(&story).1, Some(again));
    }

    #[test]
    fn of_one_id_at_most_one_is_finished() {
        let mut story = Story::hourly();
        for _ in 0..3 {
            story.at(1).job("a", None).end("a", true).finish("a", true);
        }
        assert_eq!(places(&story), [Place::Finished]);
    }

    #[test]
    fn what_is_taken_out_of_the_lists_is_no_entry_and_no_job() {
        let mut story = Story::hourly();
        story.at(1).add("a", None).add("b", None).add_delayed("c", None).fetch("a").start("a");
        assert_eq!(fold(&story).0.length(), 2);
        story.drop_from(JobList::Wait, "b").remove("b");
        story.drop_from(JobList::Delayed, "c").remove("c");
        assert_eq!((fold(&story).0.length(), places(&story)), (1, vec![Place::Active(LifeId(1))]));
        story.drop_from(JobList::Active, "a").remove("a").end("a", true);
        assert_eq!((fold(&story).0.length(), places(&story)), (0, vec![]));
    }

    #[test]
    fn an_entry_whose_hash_went_with_another_is_counted_until_it_goes() {
        let mut story = Story::hourly();
        story.at(1).job("a", None).add("a", None);
        story.drop_from(JobList::Wait, "a").remove("a");
        assert_eq!((fold(&story).0.length(), places(&story)), (1, vec![]));
        story.drop_from(JobList::Active, "a");
        assert_eq!(fold(&story).0.length(), 0);
    }

    #[test]
    fn a_job_whose_entry_goes_and_whose_hash_stays_is_in_no_list() {
        let mut story = Story::hourly();
        story.at(1).add("a", None).add_delayed("b", Some(9)).add("c", None).fetch("c");
        story.at(2).drop_from(JobList::Wait, "a").drop_from(JobList::Delayed, "b");
        story.drop_from(JobList::Active, "c");
        let unlisted = Place::Unlisted(minute(2));
        assert_eq!(places(&story), [unlisted, unlisted, Place::Active(LifeId(1))]);
        story.fetch("a");
        assert_eq!(places(&story)[0], unlisted, "an entry of that id is no job's");
        story.remove("a").remove("b");
        assert_eq!(places(&story), [Place::Active(LifeId(1))]);
    }

    #[test]
    fn an_entry_without_a_hash_is_no_job() {
        let mut story = Story::hourly();
        story.at(1).add("a", None).remove("a").fetch("a").start("a");
        assert_eq!(fold(&story).1, None);
    }
}

//! What start-up code and operators do to a queue besides adding one job: many jobs, whole queues,
//! all registrations, and single jobs by hand, in their round trips.
//!
//! Source: `queue.js`, `repeat.js`, `job.js` of each version, and ioredis 5.11.1 for what a pipeline
//! sends. No flows: children of a job are not looked for.

use super::super::QueueError;
use super::super::Version;
use super::super::options::{Options, RepeatOptions};
use super::super::repeat::md5_hex;
use super::super::scripts::{
    Call, CleanJobsInSet, MoveJobsToWait, Obliterate, RemoveRepeatable, ReprocessJob, Returned,
};
use super::{NewJob, Queue, add_call, validate_options};
use crate::event::{Finish, JobList};
use crate::redis::{Bytes, Command, Key, Reply, SetOptions};

/// How many jobs and registrations one script of an obliteration removes at most.
const OBLITERATE_AT_ONCE: i64 = 1000;

/// How many jobs one script of `clean` removes at most.
const CLEAN_AT_ONCE: i64 = 10_000;

/// How many jobs one script of `promoteJobs` and `retryJobs` moves at most.
const MOVE_AT_ONCE: i64 = 1000;

/// A registration as `queue.getJobSchedulers` lists it.
#[derive(Debug)]
pub struct Listed {
    key: Bytes,
    /// Its hash: names and values in turn.
    hash: Vec<Reply>,
}

impl Listed {
    /// Whether it is the one of an id, and repeats as these options say if there are any.
    #[must_use]
    pub fn is(&self, id: &str, repeat: Option<&RepeatOptions>) -> bool {
        let says = |name: &str, value: Option<String>| {
            let field = |pair: &&[Reply]| matches!(&pair[0], Reply::Bulk(field) if &field[..] == name.as_bytes());
            let found = match self.hash.chunks_exact(2).find(field).map(|pair| &pair[1]) {
                Some(Reply::Bulk(found)) => Some(&found[..]),
                _ => None,
            };
            found == value.as_deref().map(str::as_bytes)
        };
        let same = |repeat: &RepeatOptions| {
            says("pattern", repeat.pattern.clone())
                && says("every", repeat.every.map(|every| every.to_string()))
                && says("tz", repeat.tz.clone())
        };
        self.key[..] == *id.as_bytes() && repeat.is_none_or(same)
    }
}

impl Queue {
    /// `queue.addBulk`: a script for each job, all sent at once. Others may come between them, and
    /// one that fails does not keep the later ones. A job's `repeat` makes no registration here.
    ///
    /// # Errors
    /// The first id that is refused, before anything is sent; the first error of Redis, when all
    /// have replied.
    pub async fn add_bulk(&self, jobs: Vec<NewJob>) -> Result<(), QueueError> {
        let version = self.client.version();
        // 5.x makes the jobs when the connection is ready, 6.x at once.
        if version < Version::V6_7_0 {
            self.client.ready().await?;
        }
        let timestamp = self.client.ctx().now_ms();
        jobs.iter().try_for_each(|job| validate_options(job, version))?;
        self.client.ready().await?;
        let calls = jobs.into_iter().map(|job| add_call(job, timestamp, None, version));
        let replies: Vec<_> = calls.map(|call| self.client.script(call)).collect();
        let mut all = Ok(());
        for reply in replies {
            let one = reply.await;
            all = all.and(one.map(drop));
        }
        all
    }

    /// `queue.pause`: no worker takes a job any more. What is active goes on.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn pause(&self) -> Result<(), QueueError> {
        self.client.ready().await?;
        self.client.script(Call::Pause(true)).await.map(drop)
    }

    /// `queue.resume`. 6.x goes on until nothing is left of what an older version had put aside.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn resume(&self) -> Result<(), QueueError> {
        self.client.ready().await?;
        let mut call = Call::Pause(false);
        while matches!(self.client.script(call).await?, Returned::Code(1..))
            && self.client.version() >= Version::V6_7_0
        {
            call = Call::ResumeRest;
        }
        Ok(())
    }

    /// `queue.drain`: removes what waits, and with `delayed` what is not due yet, but for the
    /// current iteration of each registration.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn drain(&self, delayed: bool) -> Result<(), QueueError> {
        self.client.ready().await?;
        self.client.script(Call::Drain(delayed)).await.map(drop)
    }

    /// `queue.obliterate`: pauses the queue, then removes all of it, a thousand at a time. Who is
    /// killed on the way leaves it paused. Without `force` active jobs are an error, and it stays
    /// paused, too.
    ///
    /// # Errors
    /// -1 if someone resumes it meanwhile, -2 if there are active jobs; an error of Redis.
    pub async fn obliterate(&self, force: bool) -> Result<(), QueueError> {
        self.pause().await?;
        let again = || {
            let call = Obliterate { count: OBLITERATE_AT_ONCE, force };
            self.client.script(Call::Obliterate(call))
        };
        while !matches!(again().await?, Returned::Code(0)) {}
        Ok(())
    }

    /// `queue.clean`: removes the jobs of a state that are old enough, ten thousand at a time.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn clean(&self, set: JobList, grace: i64, limit: i64) -> Result<(), QueueError> {
        let timestamp = self.client.ctx().now_ms() - grace;
        self.client.ready().await?;
        let most = if limit > 0 { limit } else { i64::MAX };
        let at_once = most.min(CLEAN_AT_ONCE);
        let mut cleaned = 0;
        while cleaned < most {
            let call = CleanJobsInSet { set, timestamp, limit: at_once };
            match self.client.script(Call::CleanJobsInSet(call)).await? {
                Returned::Code(count) if count >= at_once => cleaned += count,
                _ => break,
            }
        }
        Ok(())
    }

    /// `queue.promoteJobs`: all delayed jobs wait, a thousand at a time, whatever their priorities.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn promote_jobs(&self) -> Result<(), QueueError> {
        self.client.ready().await?;
        self.move_jobs_to_wait(JobList::Delayed, || None).await
    }

    /// `queue.retryJobs`: all that have finished in this way wait again, a thousand at a time.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn retry_jobs(&self, state: Finish) -> Result<(), QueueError> {
        self.client.ready().await?;
        let state = match state {
            Finish::Completed => JobList::Completed,
            Finish::Failed => JobList::Failed,
        };
        self.move_jobs_to_wait(state, || Some(self.client.ctx().now_ms())).await
    }

    async fn move_jobs_to_wait(
        &self,
        state: JobList,
        until: impl Fn() -> Option<i64>,
    ) -> Result<(), QueueError> {
        let again = || {
            let call = MoveJobsToWait { state, count: MOVE_AT_ONCE, timestamp: until() };
            self.client.script(Call::MoveJobsToWait(call))
        };
        while matches!(again().await?, Returned::Code(1)) {}
        Ok(())
    }

    /// `queue.setGlobalConcurrency`: how many jobs are active at once, in all workers together.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn set_global_concurrency(&self, concurrency: i64) -> Result<(), QueueError> {
        self.set_meta(&[("concurrency", concurrency)]).await
    }

    /// `queue.setGlobalRateLimit`: how many starts there are in so many milliseconds, in all workers
    /// together.
    ///
    /// # Errors
    /// 5.34 has no such method; an error of Redis.
    pub async fn set_global_rate_limit(&self, max: i64, duration: i64) -> Result<(), QueueError> {
        if self.client.version() < Version::V5_81_5 {
            return Err(QueueError::Refused("queue.setGlobalRateLimit is not a function"));
        }
        self.set_meta(&[("max", max), ("duration", duration)]).await
    }

    async fn set_meta(&self, pairs: &[(&str, i64)]) -> Result<(), QueueError> {
        self.client.ready().await?;
        let pairs = pairs.iter().map(|(field, value)| ((*field).into(), Bytes::from_int(*value)));
        let (key, pairs) = (self.client.keys().meta.clone(), pairs.collect());
        redis(self.client.command(Command::HSet { key, pairs }).await?).map(drop)
    }

    /// `queue.removeGlobalConcurrency`.
    ///
    /// # Errors
    /// 5.34 has no such method; an error of Redis.
    pub async fn remove_global_concurrency(&self) -> Result<(), QueueError> {
        if self.client.version() < Version::V5_81_5 {
            return Err(QueueError::Refused("queue.removeGlobalConcurrency is not a function"));
        }
        self.del_meta(&["concurrency"]).await
    }

    /// `queue.removeGlobalRateLimit`.
    ///
    /// # Errors
    /// 5.34 has no such method; an error of Redis.
    pub async fn remove_global_rate_limit(&self) -> Result<(), QueueError> {
        if self.client.version() < Version::V5_81_5 {
            return Err(QueueError::Refused("queue.removeGlobalRateLimit is not a function"));
        }
        self.del_meta(&["max", "duration"]).await
    }

    async fn del_meta(&self, fields: &[&str]) -> Result<(), QueueError> {
        self.client.ready().await?;
        let fields = fields.iter().map(|field| (*field).into()).collect();
        let command = Command::HDel { key: self.client.keys().meta.clone(), fields };
        redis(self.client.command(command).await?).map(drop)
    }

    /// `queue.rateLimit`: the limiter is full for so long, for workers that have one.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn rate_limit(&self, milliseconds: i64) -> Result<(), QueueError> {
        /// `Number.MAX_SAFE_INTEGER`.
        const FULL: i64 = 9_007_199_254_740_991;
        self.client.ready().await?;
        let key = self.client.keys().limiter.clone();
        let (value, options) = (Bytes::from_int(FULL), SetOptions::px(milliseconds));
        redis(self.client.command(Command::Set { key, value, options }).await?).map(drop)
    }

    /// `queue.removeRepeatableByKey`: whether there was one.
    ///
    /// # Errors
    /// 6.x has no such method; an error of Redis.
    pub async fn remove_repeatable_by_key(&self, key: &str) -> Result<bool, QueueError> {
        if self.client.version() >= Version::V6_7_0 {
            return Err(QueueError::Refused("queue.removeRepeatableByKey is not a function"));
        }
        self.client.ready().await?;
        self.info_once(&self.repeat).await?;
        let removed = self.client.script(remove_by_key(key.into())).await?;
        Ok(matches!(removed, Returned::Code(0)))
    }

    /// `queue.getRepeatableJobs`.
    ///
    /// # Errors
    /// 6.x has no such method; an error of Redis.
    pub async fn get_repeatable_jobs(&self) -> Result<(), QueueError> {
        if self.client.version() >= Version::V6_7_0 {
            return Err(QueueError::Refused("queue.getRepeatableJobs is not a function"));
        }
        self.client.ready().await?;
        self.info_once(&self.repeat).await?;
        self.repeatables().await.map(drop)
    }

    /// `queue.getJobSchedulers`: the same, through the object of the newer API.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn get_job_schedulers(&self) -> Result<Vec<Listed>, QueueError> {
        self.client.ready().await?;
        self.info_once(&self.scheduler).await?;
        self.repeatables().await
    }

    /// Start-up code that begins afresh: `queue.getRepeatableJobs()`, then
    /// `queue.removeRepeatableByKey` for each, one after the other, the latest iteration first. It
    /// lists job schedulers as well.
    ///
    /// # Errors
    /// 6.x has no such methods; an error of Redis.
    pub async fn remove_all_repeatables(&self) -> Result<(), QueueError> {
        if self.client.version() >= Version::V6_7_0 {
            return Err(QueueError::Refused("queue.getRepeatableJobs is not a function"));
        }
        self.client.ready().await?;
        self.info_once(&self.repeat).await?;
        for Listed { key, .. } in self.repeatables().await? {
            self.client.script(remove_by_key(key)).await?;
        }
        Ok(())
    }

    /// `getRepeatableJobs`: the keys, and the hash of each, which is read all at once.
    async fn repeatables(&self) -> Result<Vec<Listed>, QueueError> {
        let keys = self.client.keys();
        let list =
            Command::ZRevRange { key: keys.repeat.clone(), start: 0, stop: -1, withscores: true };
        let Reply::Array(parts) = redis(self.client.command(list).await?)? else {
            return Ok(Vec::new());
        };
        let listed = parts.into_iter().filter_map(|part| match part {
            Reply::Bulk(key) => Some(key),
            _ => None,
        });
        let listed: Vec<Bytes> = listed.collect();
        let hash = |key| self.client.command(Command::HGetAll(keys.registration(key)));
        let hashes: Vec<_> = listed.iter().map(hash).collect();
        let mut all = Vec::new();
        for (key, hash) in listed.into_iter().zip(hashes) {
            let Reply::Array(hash) = redis(hash.await?)? else { continue };
            all.push(Listed { key, hash });
        }
        Ok(all)
    }

    /// `queue.removeDeduplicationKey`: whether the id was held.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn remove_deduplication_key(&self, id: &str) -> Result<bool, QueueError> {
        self.client.ready().await?;
        let key = self.client.keys().deduplication(id.as_bytes());
        let gone = redis(self.client.command(Command::Del(vec![key])).await?)?;
        Ok(gone == Reply::Int(1))
    }

    /// `job.remove` of the job of an id: whether there was one.
    ///
    /// # Errors
    /// [`QueueError::Locked`] if a worker has it; -8 if it is a delayed iteration of a registration;
    /// an error of Redis.
    pub async fn remove(&self, id: &Bytes) -> Result<bool, QueueError> {
        let Some(job) = self.get_job(id).await? else { return Ok(false) };
        match self.client.script(Call::RemoveJob(job.id)).await? {
            Returned::Code(0) => Err(QueueError::Locked),
            _ => Ok(true),
        }
    }

    /// `job.promote` of the job of an id: whether there was one.
    ///
    /// # Errors
    /// -3 if it is not delayed; an error of Redis.
    pub async fn promote(&self, id: &Bytes) -> Result<bool, QueueError> {
        let Some(job) = self.get_job(id).await? else { return Ok(false) };
        self.client.script(Call::Promote(job.id)).await?;
        Ok(true)
    }

    /// `job.retry` of the failed job of an id: whether there was one.
    ///
    /// # Errors
    /// -3 if it has not failed, -1 if it is gone meanwhile; an error of Redis.
    pub async fn retry(&self, id: &Bytes) -> Result<bool, QueueError> {
        let Some(job) = self.get_job(id).await? else { return Ok(false) };
        let call = ReprocessJob { id: job.id, lifo: job.lifo, state: Finish::Failed };
        self.client.script(Call::ReprocessJob(Box::new(call))).await?;
        Ok(true)
    }

    /// The oldest job of a name among some lists, in their order: its id. A person finds it in a
    /// dashboard, which reads the ids (`queue.getJobs`) and then each hash.
    ///
    /// # Errors
    /// An error of Redis.
    pub async fn find(&self, name: &str, among: &[JobList]) -> Result<Option<Bytes>, QueueError> {
        self.client.ready().await?;
        for list in among {
            for id in self.ids(*list).await? {
                let hash = Command::HGetAll(self.client.keys().job(&id));
                let Reply::Array(fields) = redis(self.client.command(hash).await?)? else {
                    continue;
                };
                if field(&fields, b"name").is_some_and(|is| is.as_bytes() == name.as_bytes()) {
                    return Ok(Some(id));
                }
            }
        }
        Ok(None)
    }

    /// The ids of a list or set, the oldest first.
    async fn ids(&self, list: JobList) -> Result<Vec<Bytes>, QueueError> {
        let keys = self.client.keys();
        let (start, stop, withscores) = (0, -1, false);
        let set = |key: &Key| Command::ZRange { key: key.clone(), start, stop, withscores };
        let pushed = |key: &Key| Command::LRange { key: key.clone(), start, stop };
        let (command, newest_first) = match list {
            JobList::Wait => (pushed(&keys.wait), true),
            JobList::Paused => (pushed(&keys.paused), true),
            JobList::Active => (pushed(&keys.active), true),
            JobList::Prioritized => (set(&keys.prioritized), false),
            JobList::Delayed => (set(&keys.delayed), false),
            JobList::Completed => (set(&keys.completed), false),
            JobList::Failed => (set(&keys.failed), false),
        };
        let Reply::Array(parts) = redis(self.client.command(command).await?)? else {
            return Ok(Vec::new());
        };
        let bulks = parts.into_iter().filter_map(|part| match part {
            Reply::Bulk(id) => Some(id),
            _ => None,
        });
        let mut ids: Vec<Bytes> = bulks.collect();
        if newest_first {
            ids.reverse();
        }
        Ok(ids)
    }

    /// `queue.getJob`.
    async fn get_job(&self, id: &Bytes) -> Result<Option<Found>, QueueError> {
        self.client.ready().await?;
        let id = id.clone();
        let hash = Command::HGetAll(self.client.keys().job(&id));
        let Reply::Array(fields) = redis(self.client.command(hash).await?)? else {
            return Ok(None);
        };
        let options = field(&fields, b"opts");
        let lifo = options.is_some_and(|json| Options::from_json(json).lifo);
        Ok((!fields.is_empty()).then_some(Found { id, lifo }))
    }
}

/// The value of a field in the reply to HGETALL.
fn field<'a>(fields: &'a [Reply], name: &[u8]) -> Option<&'a Bytes> {
    fields.chunks_exact(2).find_map(|pair| match pair {
        [Reply::Bulk(field), Reply::Bulk(value)] if field.as_bytes() == name => Some(value),
        _ => None,
    })
}

/// A job as an operator sees it.
struct Found {
    id: Bytes,
    lifo: bool,
}

/// A command's reply; an error of Redis is thrown.
fn redis(reply: Reply) -> Result<Reply, QueueError> {
    match reply {
        Reply::Error(error) => Err(QueueError::Redis(error)),
        reply => Ok(reply),
    }
}

/// `Repeat.removeRepeatableByKey`: the key is read as if an old version had made it.
fn remove_by_key(key: Bytes) -> Call {
    let text = String::from_utf8_lossy(&key).into_owned();
    let mut parts = text.split(':');
    let (name, id) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let hashed = md5_hex(&format!("{name}{id}{}", md5_hex(&text)));
    let old = parts.next().is_some();
    Call::RemoveRepeatable(Box::new(RemoveRepeatable {
        legacy_job_id: format!("repeat:{hashed}:").into(),
        legacy_key: if old { key.clone() } else { Bytes::new() },
        key,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::super::Version;
    use super::super::super::ids::refused_by_job;
    use super::super::super::keys::Keys;
    use super::super::super::options::RepeatOptions;
    use super::*;
    use crate::choices::{Choices, LifeName, Odds, Policy, Question};
    use crate::civil::Zone;
    use crate::clock::{Clock, Instant, Span};
    use crate::event::{Event, QueueId, ReleaseId};
    use crate::kernel::{Boot, Kernel, Link, Step};
    use crate::servers::{self, Servers};
    use std::rc::Rc;

    /// The plain answer to everything.
    struct Plain;

    impl Policy for Plain {
        fn answer(&mut self, _: &Question, _: &LifeName, _: u32, _: Odds) -> u32 {
            0
        }
    }

    /// The commands that reach Redis once a queue is ready, each after its instant in milliseconds:
    /// a round trip takes two.
    fn sent<F>(act: impl FnOnce(Queue) -> F + 'static) -> Vec<(i64, String)>
    where
        F: Future<Output = ()>,
    {
        sent_by(Version::V5_34_10, act)
    }

    fn sent_by<F>(version: Version, act: impl FnOnce(Queue) -> F + 'static) -> Vec<(i64, String)>
    where
        F: Future<Output = ()>,
    {
        let words: Vec<_> = servers::labels().collect();
        let mut choices = Choices::new(Box::new(Plain), words.clone());
        let name = LifeName { service: "worker".into(), ordinal: 1, life: 1 };
        let life = choices.enter(name);
        let link = Link::new(Span::from_ms(1), Span::from_ms(1));
        let networks = vec![vec![link]];
        let mut kernel = Kernel::<Servers>::new(Instant::from_ms(0), networks, choices);
        let boot = Boot {
            life,
            release: ReleaseId(0),
            clock: Clock::default(),
            zone: Zone::utc(),
            network: 0,
            dies_at: None,
        };
        kernel.boot(boot, |ctx| async move {
            let keys = Rc::new(Keys::new(QueueId(0), "bull", "q"));
            let queue = Queue::open(&ctx, keys, version);
            ctx.sleep(Span::from_ms(100)).await;
            act(queue).await;
            ctx.exit(0);
        });
        let mut servers = Servers::default();
        while kernel.step(&mut servers, Instant::from_ms(1000)) != Step::Idle {}
        let mut sent = Vec::new();
        kernel.drain(|stamp, event| {
            if let Event::Command { label, .. } = event
                && stamp.at >= Instant::from_ms(100)
            {
                sent.push((stamp.at.ms() - 100, words[usize::from(label.0)].to_string()));
            }
        });
        sent
    }

    fn job(name: &str, options: Options) -> NewJob {
        NewJob { name: name.into(), data: "{}".into(), options, tick: None }
    }

    fn expect(found: Vec<(i64, String)>, expected: &[(i64, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(at, word)| (*at, (*word).to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn each_version_adds_and_registers_in_its_own_way() {
        for version in Version::ALL {
            let found = sent_by(version, async |queue| {
                let none = Options { delay: Some(0), ..Options::default() };
                queue.add(job("a", none)).await.expect("no error");
                let every = RepeatOptions { every: Some(60_000), ..RepeatOptions::default() };
                let options = Options { repeat: Some(every), ..Options::default() };
                queue.add(job("r", options.clone())).await.expect("no error");
                queue.upsert_job_scheduler("s", job("r", options)).await.expect("no error");
            });
            let expected: &[(i64, &str)] = match version {
                Version::V5_34_10 => &[
                    (1, "addDelayedJob"),
                    (3, "INFO"),
                    (5, "addRepeatableJob"),
                    (7, "addDelayedJob"),
                    (9, "INFO"),
                    (11, "addJobScheduler"),
                ],
                Version::V5_81_5 => &[
                    (1, "addStandardJob"),
                    (3, "INFO"),
                    (5, "addRepeatableJob"),
                    (7, "addDelayedJob"),
                    (9, "INFO"),
                    (11, "addJobScheduler"),
                ],
                Version::V6_7_0 => {
                    &[(1, "addStandardJob"), (3, "addStandardJob"), (5, "addJobScheduler")]
                }
            };
            expect(found, expected);
        }
    }

    #[test]
    fn what_a_client_refuses_is_not_sent() {
        for version in Version::ALL {
            let newer = version >= Version::V5_81_5;
            let found = sent_by(version, async move |queue| {
                let with_id = |id: &str| Options { job_id: Some(id.into()), ..Options::default() };
                let refused = queue.add(job("a", with_id("12"))).await;
                let said = refused_by_job("12", version).expect("it is refused");
                assert_eq!(refused, Err(QueueError::Refused(said)));
                let bulk = ["13", "a"].map(|id| job("a", with_id(id)));
                let refused = queue.add_bulk(bulk.into()).await;
                assert_eq!(refused, Err(QueueError::Refused(said)), "all of it");
                assert_eq!(queue.add(job("a", with_id("a:b"))).await.is_err(), newer);
                queue.add(job("a", with_id("a:b:c"))).await.expect("three parts are taken");
                let past = RepeatOptions {
                    every: Some(60_000),
                    end_date: Some(1),
                    ..RepeatOptions::default()
                };
                let past = Options { repeat: Some(past), ..Options::default() };
                let refused = queue.upsert_job_scheduler("s", job("r", past)).await;
                assert!(matches!(refused, Err(QueueError::Refused(_))));
                assert_eq!(queue.set_global_rate_limit(1, 1000).await.is_ok(), newer);
                if version >= Version::V6_7_0 {
                    let all = queue.remove_all_repeatables().await;
                    assert!(matches!(all, Err(QueueError::Refused(_))));
                    let one = queue.remove_repeatable("r", RepeatOptions::default()).await;
                    assert!(matches!(one, Err(QueueError::Refused(_))));
                }
            });
            let scripts = if newer { 1 } else { 2 };
            assert_eq!(found.len(), scripts + usize::from(newer));
        }
    }

    #[test]
    fn all_delayed_jobs_are_promoted_a_thousand_at_a_time() {
        let found = sent(async |queue| {
            let delay = Options { delay: Some(5000), ..Options::default() };
            let jobs = (0..1000).map(|_| job("a", delay.clone()));
            queue.add_bulk(jobs.collect()).await.expect("no error");
            queue.promote_jobs().await.expect("no error");
            queue.clean(JobList::Wait, 0, 0).await.expect("no error");
            queue.retry_jobs(Finish::Failed).await.expect("no error");
        });
        expect(
            found[1000..].to_vec(),
            &[
                (3, "moveJobsToWait"),
                (5, "moveJobsToWait"),
                (7, "cleanJobsInSet"),
                (9, "moveJobsToWait"),
            ],
        );
    }

    #[test]
    fn jobs_in_bulk_are_sent_at_once() {
        let found = sent(async |queue| {
            let delay = Options { delay: Some(5000), ..Options::default() };
            let priority = Options { priority: Some(3), ..Options::default() };
            let jobs = [Options::default(), delay, priority].map(|options| job("a", options));
            queue.add_bulk(jobs.into()).await.expect("no error");
            queue.drain(true).await.expect("no error");
        });
        expect(
            found,
            &[(1, "addStandardJob"), (1, "addDelayedJob"), (1, "addPrioritizedJob"), (3, "drain")],
        );
    }

    #[test]
    fn all_registrations_are_listed_and_removed_one_by_one() {
        let found = sent(async |queue| {
            let every = RepeatOptions { every: Some(60_000), ..RepeatOptions::default() };
            let options = Options { repeat: Some(every), ..Options::default() };
            queue.add(job("r", options.clone())).await.expect("no error");
            queue.upsert_job_scheduler("s", job("r", options)).await.expect("no error");
            queue.remove_all_repeatables().await.expect("no error");
            queue.remove_all_repeatables().await.expect("no error");
        });
        expect(
            found,
            &[
                (1, "INFO"),
                (3, "addRepeatableJob"),
                (5, "addDelayedJob"),
                (7, "INFO"),
                (9, "addJobScheduler"),
                (11, "ZREVRANGE"),
                (13, "HGETALL"),
                (13, "HGETALL"),
                (15, "removeRepeatable"),
                (17, "removeRepeatable"),
                (19, "ZREVRANGE"),
            ],
        );
    }

    #[test]
    fn an_obliteration_pauses_first_and_goes_on_until_nothing_is_left() {
        let found = sent(async |queue| {
            let jobs = (0..1000).map(|_| job("a", Options::default()));
            queue.add_bulk(jobs.collect()).await.expect("no error");
            queue.obliterate(false).await.expect("no error");
        });
        expect(found[1000..].to_vec(), &[(3, "pause"), (5, "obliterate"), (7, "obliterate")]);
    }

    #[test]
    fn an_operator_reads_a_job_before_touching_it() {
        let found = sent(async |queue| {
            let delay = Options { delay: Some(5000), ..Options::default() };
            queue.add(job("a", delay)).await.expect("no error");
            assert_eq!(queue.promote(&"1".into()).await, Ok(true));
            assert_eq!(queue.promote(&"1".into()).await, Err(QueueError::Code(-3)));
            assert_eq!(queue.retry(&"1".into()).await, Err(QueueError::Code(-3)));
            assert_eq!(queue.remove(&"1".into()).await, Ok(true));
            assert_eq!(queue.remove(&"1".into()).await, Ok(false));
        });
        expect(
            found,
            &[
                (1, "addDelayedJob"),
                (3, "HGETALL"),
                (5, "promote"),
                (7, "HGETALL"),
                (9, "promote"),
                (11, "HGETALL"),
                (13, "reprocessJob"),
                (15, "HGETALL"),
                (17, "removeJob"),
                (19, "HGETALL"),
            ],
        );
    }

    /// Arguments that bullmq 5.34.10 itself sent.
    #[test]
    fn a_key_is_read_as_an_old_version_wrote_it() {
        let arguments = |key: &str| match remove_by_key(key.into()) {
            Call::RemoveRepeatable(args) => {
                [args.legacy_job_id, args.legacy_key, args.key].map(|text| text.to_string())
            }
            other => panic!("another script: {other:?}"),
        };
        let hashed = "d5ee4044b59d369579b73e8938277fda";
        let old = "repeat:17b37496f5a3f430360e219666ffca22:";
        assert_eq!(arguments(hashed), [old, "", hashed]);
        let old = "repeat:079bbeb32ec0f38f680553d99e0a8f78:";
        assert_eq!(arguments("s:a:b:c"), [old, "s:a:b:c", "s:a:b:c"]);
    }
}

//! The processor of a worker: what the scenario says that jobs of a name do; nothing for others.
//! Its steps run one after the other, and the first that fails ends the attempt.

use super::Process;
use crate::bullmq::QueueError;
use crate::bullmq::worker::{Ending, Job, Processing};
use crate::clock::Span;
use crate::database::{Does, Write};
use crate::event::{By, JobId, QueueId};
use crate::scenario::{Counted, JobStep, Outcome, Then};
use std::rc::Rc;

/// What follows on a step of a job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The next step.
    Step,
    /// The end of the attempt.
    End(Ending),
}

impl Process {
    /// What is done with a job, and how that ends.
    pub(super) fn processing(self: Rc<Self>, queue: QueueId, job: Rc<Job>) -> Processing {
        Box::pin(async move {
            let scenario = self.image.scenario.clone();
            let release = &scenario.releases[usize::from(self.release.0)];
            let mut jobs = release.jobs.iter().chain(&scenario.jobs);
            let does = jobs.find(|does| does.is(queue, &job.name));
            let Some(does) = does else { return Ending::Returned };
            let before = match does.counted {
                Counted::Made => job.attempts_made,
                Counted::Started => job.attempts_before(),
            };
            let outcome = does.outcomes[(before as usize).min(does.outcomes.len() - 1)];
            for (place, step) in does.steps.iter().enumerate() {
                if let Some(ending) = self.ends(outcome, Some(place)).await {
                    return ending;
                }
                match self.work(queue, &job, step).await {
                    Ok(Next::Step) => {}
                    Ok(Next::End(ending)) => return ending,
                    Err(_) => return Ending::Threw,
                }
            }
            self.ends(outcome, None).await.unwrap_or(Ending::Returned)
        })
    }

    /// Whether the attempt ends before the step at `place`, or after the last one, and how.
    async fn ends(&self, outcome: Outcome, place: Option<usize>) -> Option<Ending> {
        let here = |at: Option<u32>| at.map(|at| at as usize) == place;
        match outcome {
            Outcome::Fail(at) if here(at) => Some(Ending::Threw),
            Outcome::Exit(at) if here(at) => {
                self.ctx.exit(1);
                std::future::pending().await
            }
            _ => None,
        }
    }

    async fn work(&self, queue: QueueId, job: &Job, step: &JobStep) -> Result<Next, QueueError> {
        match step {
            JobStep::Query(takes) => {
                self.statement(self.draw(takes), Does::Query).await?;
            }
            JobStep::Write { rows, batches, takes } => {
                let takes = self.draw(takes);
                let takes = Span::from_nanos(takes.nanos() / i64::from(*batches));
                for batch in 0..u64::from(*batches) {
                    let job = JobId(job.id.clone());
                    let rows = share(*rows, u64::from(*batches), batch);
                    self.statement(takes, Does::Write(Write { queue, job, rows })).await?;
                }
            }
            JobStep::Sleep(range) => {
                // A kill point in the middle: a wait has no send and no reply that could be one.
                let span = self.draw(range);
                let half = Span::from_nanos(span.nanos() / 2);
                self.ctx.sleep(half).await;
                self.ctx.kill_point();
                self.ctx.sleep(Span::from_nanos(span.nanos() - half.nanos())).await;
            }
            JobStep::Block(range) => self.ctx.block(self.draw(range)).await,
            JobStep::RateLimit(range) => {
                let time = self.draw(range).ms();
                self.queue(queue, By::Processor).rate_limit(time).await?;
                return Ok(Next::End(Ending::RateLimited));
            }
            JobStep::Add(add) => self.add(add, By::Processor, None).await?,
            JobStep::Database(step, then, otherwise) => {
                let did = self.statement_of(step, None).await?;
                return Ok(match if did { then } else { otherwise } {
                    Then::GoOn => Next::Step,
                    Then::Return => Next::End(Ending::Returned),
                    Then::Fail => Next::End(Ending::Threw),
                });
            }
        }
        Ok(Next::Step)
    }
}

/// How many of `rows` the `batch`-th of `batches` writes: the remainder goes to the first ones.
fn share(rows: u64, batches: u64, batch: u64) -> u64 {
    rows / batches + u64::from(batch < rows % batches)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn batches_share_all_rows() {
        let shares: Vec<u64> = (0..44).map(|batch| share(43_149, 44, batch)).collect();
        assert_eq!(shares.iter().sum::<u64>(), 43_149);
        assert_eq!((shares[0], shares[43]), (981, 980));
    }
}

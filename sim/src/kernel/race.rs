//! Waiting for the first of two futures, the left one being looked at first: what `select!` with
//! `biased` does, without the macro that draws from a hidden generator when `biased` is forgotten.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Which of two futures was first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Either<A, B> {
    /// The left one.
    Left(A),
    /// The right one.
    Right(B),
}

/// Waits for the first of two futures and drops the other; the left one if both are ready.
pub async fn race<A, B>(
    left: impl Future<Output = A>,
    right: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|cx| match left.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Either::Left(output)),
        Poll::Pending => right.as_mut().poll(cx).map(Either::Right),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_test::{assert_pending, assert_ready_eq, task};

    #[test]
    fn the_left_one_wins_a_tie() {
        let mut both = task::spawn(race(async { 1 }, async { 2 }));
        assert_ready_eq!(both.poll(), Either::Left(1));
    }

    #[test]
    fn the_right_one_wins_alone_and_wakes_the_race() {
        let (send, receive) = tokio::sync::oneshot::channel::<u8>();
        let mut racing = task::spawn(race(std::future::pending::<()>(), receive));
        assert_pending!(racing.poll());
        send.send(7).expect("the race still listens");
        assert!(racing.is_woken());
        assert_ready_eq!(racing.poll(), Either::Right(Ok(7)));
    }
}

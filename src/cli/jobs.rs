//! Jobs side by side: as many at once as there is room for, each begun a little after the one before.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

/// From the start of one to that of the next: starting is what costs time of a core.
const APART: Duration = Duration::from_millis(150);

/// Begins jobs in their order, `most` at once, until they are all begun or `stop` is true; then waits for those that run.
/// `ended` gets what each came to, as it comes; an error for one that panicked.
pub(super) async fn side_by_side<J, F>(
    jobs: impl IntoIterator<Item = J>,
    most: usize,
    mut stop: watch::Receiver<bool>,
    mut begin: impl FnMut(J) -> F,
    mut ended: impl FnMut(Result<F::Output, JoinError>),
) where
    F: Future<Output: Send> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(most.max(1)));
    let mut running = JoinSet::new();
    let mut waiting = jobs.into_iter();
    let mut left = true;
    while left || !running.is_empty() {
        tokio::select! {
            biased;
            () = async { drop(stop.wait_for(|&stop| stop).await) }, if left => left = false,
            permit = Arc::clone(&room).acquire_owned(), if left => match (waiting.next(), permit) {
                (Some(job), Ok(permit)) => {
                    let job = begin(job);
                    running.spawn(async move {
                        let came_to = job.await;
                        drop(permit);
                        came_to
                    });
                    tokio::time::sleep(APART).await;
                }
                (_, _) => left = false,
            },
            Some(came_to) = running.join_next(), if !running.is_empty() => ended(came_to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn no_more_run_at_once_than_there_is_room_for_and_all_are_done() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (_stop, stopped) = watch::channel(false);
        let mut done = BTreeSet::new();
        let begin = |job: u32| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                // As long as it takes to begin two more.
                tokio::time::sleep(APART * 3).await;
                running.fetch_sub(1, Ordering::Relaxed);
                job
            }
        };
        side_by_side(0..4, 2, stopped, begin, |job| _ = done.insert(job.unwrap())).await;
        assert!(most.load(Ordering::Relaxed) <= 2);
        assert_eq!(done, (0..4).collect());
    }

    #[tokio::test]
    async fn once_it_is_stopped_none_is_begun_and_those_that_run_are_waited_for() {
        let (stop, stopped) = watch::channel(false);
        let (go, gone) = watch::channel(false);
        let mut done = BTreeSet::new();
        let begin = |job: u32| {
            if job == 2 {
                stop.send_replace(true);
            }
            let (mut gone, go) = (gone.clone(), go.clone());
            async move {
                if job == 2 {
                    go.send_replace(true);
                }
                gone.wait_for(|gone| *gone).await.unwrap();
                job
            }
        };
        side_by_side(0..7, 7, stopped, begin, |job| _ = done.insert(job.unwrap())).await;
        assert_eq!(done, (0..3).collect());
    }
}

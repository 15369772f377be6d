//! Work beside the thread's own that must not end with one panic.

use std::time::Duration;

/// Pause before work that panicked is begun again: a panic that comes at once each time must not fill the
/// log.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

/// Does `work` until it ends by itself, and begins it again, `pause` later, whenever it panics. The log
/// has the words of each panic.
pub(super) async fn again_and_again<F>(work: impl Fn() -> F, pause: Duration)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        match tokio::spawn(work()).await {
            Err(error) if error.is_panic() => {
                tracing::error!("the webhooks are watched anew; what is still wrong is told again");
                tokio::time::sleep(pause).await;
            }
            // It has ended, or the runtime has.
            Ok(()) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn what_panics_is_begun_again_until_it_ends_by_itself() {
        let begun = Arc::new(AtomicU32::new(0));
        let work = {
            let begun = Arc::clone(&begun);
            move || {
                let nth = begun.fetch_add(1, Ordering::Relaxed);
                async move { assert!(nth >= 3, "a bug of the work") }
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(again_and_again(work, Duration::from_millis(1)));
        assert_eq!(begun.load(Ordering::Relaxed), 4);
    }
}

//! In the place of tokio's semaphore: a number of permits. Nobody is woken; who finds none looks again.

/// `tokio::sync`.
pub mod sync {
    use loom::sync::Mutex;
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::Poll;

    /// Permits.
    #[derive(Debug)]
    pub struct Semaphore(Mutex<usize>);

    /// One of them, given back when it is dropped.
    #[derive(Debug)]
    pub struct OwnedSemaphorePermit(Arc<Semaphore>);

    impl Drop for OwnedSemaphorePermit {
        fn drop(&mut self) {
            self.0.add_permits(1);
        }
    }

    impl Semaphore {
        /// So many.
        pub fn new(count: usize) -> Semaphore {
            Semaphore(Mutex::new(count))
        }

        /// So many more.
        pub fn add_permits(&self, more: usize) {
            *self.0.lock().unwrap() += more;
        }

        /// So many fewer, or as many as nobody has; how many that are.
        pub fn forget_permits(&self, fewer: usize) -> usize {
            let mut count = self.0.lock().unwrap();
            let forgotten = fewer.min(*count);
            *count -= forgotten;
            forgotten
        }

        /// One, once there is one.
        pub async fn acquire_owned(self: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ()> {
            poll_fn(|_| {
                let mut count = self.0.lock().unwrap();
                if *count == 0 {
                    return Poll::Pending;
                }
                *count -= 1;
                Poll::Ready(())
            })
            .await;
            Ok(OwnedSemaphorePermit(self))
        }
    }
}

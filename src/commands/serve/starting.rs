//! A stop that comes while the service starts: the start may take its time, but not for ever.

use crate::logging;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::convert::Infallible;
use std::time::Duration;
use std::{process, thread};

/// The start that is under way, as the signals see it.
#[derive(Debug)]
pub(super) struct Starting {
    is_over: Receiver<Infallible>,
    within: Duration,
}

/// A start begins, and is over when the second of these is dropped. After a stop it may last `within`.
pub(super) fn begin(within: Duration) -> (Starting, Sender<Infallible>) {
    let (over, is_over) = bounded(0);
    (Starting { is_over, within }, over)
}

impl Starting {
    /// Whether the start is over in time.
    fn ends(&self) -> bool {
        // Nothing can be sent.
        self.is_over.recv_timeout(self.within) != Err(RecvTimeoutError::Timeout)
    }

    /// Ends the process if the start is not over in time: a store that does not answer may hold it up for
    /// long. Nothing was learnt that could be saved, so this is an end in good order.
    pub(super) fn must_be_over_soon(&self) {
        let starting = Starting {
            is_over: self.is_over.clone(),
            within: self.within,
        };
        let wait = move || {
            if !starting.ends() {
                tracing::warn!("told to stop before it had started; it ends without having begun");
                logging::flush();
                process::exit(0);
            }
        };
        // Without a thread the start goes on to its own end, and the stop comes after it.
        let _ = thread::Builder::new().name("stop".into()).spawn(wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_is_over_is_waited_for_and_one_that_hangs_is_not() {
        let (starting, over) = begin(Duration::from_millis(1));
        assert!(!starting.ends(), "it goes on");
        drop(over);
        assert!(starting.ends());
        let (starting, over) = begin(Duration::from_secs(600));
        let ends = thread::spawn(move || starting.ends());
        drop(over);
        assert!(ends.join().unwrap(), "as soon as it is over");
    }
}

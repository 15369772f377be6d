//! One signal path: SIGTERM and SIGINT stop, SIGHUP reloads.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::{Handle, Signals};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Read the configuration again.
    Reload,
    /// End in good order.
    Stop,
    /// End at once with this exit status: the second signal of those that stop.
    Exit(i32),
}

/// What the signals so far make of the next one.
#[derive(Clone, Copy, Debug, Default)]
struct Orders {
    stopping: bool,
}

impl Orders {
    fn order(&mut self, signal: i32) -> Order {
        match signal {
            SIGHUP => Order::Reload,
            _ if std::mem::replace(&mut self.stopping, true) => Order::Exit(128 + signal),
            _ => Order::Stop,
        }
    }
}

/// The thread that waits for signals; dropping it ends the thread.
#[derive(Debug)]
pub struct Listener {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// A file that may grow no more (RLIMIT_FSIZE) would end the process; the write says so as well.
pub fn outlive_limits_of_files() {
    // What cannot be registered is as it was.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Starts the `signals` thread, which obeys every signal from now on.
///
/// # Errors
/// The handlers or the thread cannot be made.
pub fn listen(mut obey: impl FnMut(Order) + Send + 'static) -> io::Result<Listener> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let handle = signals.handle();
    let thread = thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            let mut orders = Orders::default();
            for signal in signals.forever() {
                obey(orders.order(signal));
            }
        })?;
    Ok(Listener {
        handle,
        thread: Some(thread),
    })
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // It panicked if `obey` did, which was said on stderr.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;
    use std::time::Duration;

    #[test]
    fn the_second_signal_to_stop_exits_at_once() {
        let mut orders = Orders::default();
        assert_eq!(orders.order(SIGHUP), Order::Reload);
        assert_eq!(orders.order(SIGTERM), Order::Stop);
        assert_eq!(orders.order(SIGHUP), Order::Reload);
        assert_eq!(orders.order(SIGINT), Order::Exit(130));
        assert_eq!(orders.order(SIGTERM), Order::Exit(143));
    }

    #[test]
    fn a_signal_to_the_process_reaches_the_listener() {
        let (to, orders) = unbounded();
        let listener = listen(move |order| to.send(order).unwrap()).unwrap();
        signal_hook::low_level::raise(SIGHUP).unwrap();
        let order = orders.recv_timeout(Duration::from_secs(10));
        assert_eq!(order, Ok(Order::Reload));
        drop(listener);
        assert!(orders.recv().is_err(), "the thread has ended");
    }
}

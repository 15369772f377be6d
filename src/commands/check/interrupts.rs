//! Ctrl-C and SIGTERM, as a channel.

use crate::commands::status::EXIT_INTERRUPTED;
use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{process, thread};

/// Signals that are watched for.
#[derive(Debug)]
pub(super) struct Watch {
    told: Receiver<()>,
    /// Whether there is a list, so that an interrupt has something to print.
    read: Arc<AtomicBool>,
}

impl Watch {
    /// Until the lists are read, which may take as long as their writer likes, a signal ends the
    /// process at once.
    pub(super) fn start() -> io::Result<Watch> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let (tell, told) = bounded(1);
        let read = Arc::new(AtomicBool::new(false));
        let is_read = Arc::clone(&read);
        let listen = move || {
            let mut signals = signals.forever();
            if signals.next().is_some() && !is_read.load(Ordering::Acquire) {
                // Without stderr there is nobody to tell.
                let _ = writeln!(
                    io::stderr(),
                    "proxy-checker: interrupted while reading; nothing was checked"
                );
                process::exit(EXIT_INTERRUPTED.into());
            }
            // The check may have ended in this moment.
            let _ = tell.send(());
            if signals.next().is_some() {
                process::exit(EXIT_INTERRUPTED.into());
            }
        };
        thread::Builder::new()
            .name("signals".into())
            .spawn(listen)?;
        Ok(Watch { told, read })
    }

    /// The lists are read: from now on it says when the first signal comes. The second one ends the
    /// process at once, for those who do not want to wait for the rows.
    pub(super) fn lists_read(self) -> Receiver<()> {
        self.read.store(true, Ordering::Release);
        self.told
    }
}

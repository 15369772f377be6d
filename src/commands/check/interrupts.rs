//! Ctrl-C and SIGTERM, as a channel.

use crate::cli::EXIT_INTERRUPTED;
use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::{io, process, thread};

/// Says when the first signal comes. The second one ends the process at once, for those who do not
/// want to wait for the rows.
pub(super) fn listen() -> io::Result<Receiver<()>> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (tell, told) = bounded(1);
    let listen = move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            // The check may have ended in this moment.
            let _ = tell.send(());
        }
        if signals.next().is_some() {
            process::exit(EXIT_INTERRUPTED.into());
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(listen)?;
    Ok(told)
}

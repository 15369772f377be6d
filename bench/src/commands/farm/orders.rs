//! What a running farm is told: by signals, and by lines on its standard input.

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::io::{self, BufRead};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Take the target away, or bring it back.
    ToggleTarget,
    /// So many proxies leave the list and die, and as many come.
    Slide(usize),
    /// A line that says nothing of the kind.
    Unknown(String),
    /// End.
    End,
}

/// `slide 6000`
fn order(line: &str) -> Order {
    let slide = line.trim().strip_prefix("slide ");
    let by = slide.and_then(|by| by.trim().parse().ok());
    by.map_or_else(|| Order::Unknown(line.trim().to_owned()), Order::Slide)
}

/// Orders as they come; from here on a signal ends the farm in order, not the process. With
/// `from_input` standard input is read too, and its end is the farm's.
pub(super) fn listen(from_input: bool) -> io::Result<Receiver<Order>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR1])?;
    let (tell, orders) = mpsc::channel();
    let signalled = tell.clone();
    // Whoever is not heard any more speaks to a farm that ends.
    thread::spawn(move || {
        for signal in signals.forever() {
            let order = match signal {
                SIGUSR1 => Order::ToggleTarget,
                _ => Order::End,
            };
            signalled.send(order).ok();
        }
    });
    if from_input {
        thread::spawn(move || read(io::stdin().lock(), &tell));
    }
    Ok(orders)
}

fn read(input: impl BufRead, tell: &Sender<Order>) {
    for line in input.lines().map_while(Result::ok) {
        tell.send(order(&line)).ok();
    }
    tell.send(Order::End).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_orders_and_their_end_is_one_too() {
        let (tell, orders) = mpsc::channel();
        read(&b"slide 6000\nslide\n jump 3 \n"[..], &tell);
        drop(tell);
        let unknown = |line: &str| Order::Unknown(line.to_owned());
        assert_eq!(
            orders.iter().collect::<Vec<_>>(),
            [
                Order::Slide(6000),
                unknown("slide"),
                unknown("jump 3"),
                Order::End
            ]
        );
    }
}

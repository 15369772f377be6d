//! Looks host names up, a bounded number at once, each for a bounded time.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Longest time that one name may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The addresses of a name; may block.
pub(super) type LookUp = fn(&str) -> io::Result<Vec<IpAddr>>;

/// Asks the system's resolver.
pub(super) fn system(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|a| a.ip()).collect())
}

/// What looks names up. A clone shares the bound.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    look_up: LookUp,
    free: Arc<Semaphore>,
}

impl Resolver {
    /// At most `most` names are looked up at once.
    pub(super) fn new(look_up: LookUp, most: usize) -> Resolver {
        Resolver {
            look_up,
            free: Arc::new(Semaphore::new(most)),
        }
    }

    /// The address of `name` whose `turn` it is among those that may be dialled: IPv4 before IPv6
    /// and the lowest first, so that a name with several addresses stays with one while the turn
    /// stays.
    ///
    /// The system's resolver cannot be interrupted: a lookup that takes too long is given up, but
    /// holds its place until it ends.
    pub(super) async fn resolve(
        &self,
        name: Box<str>,
        turn: usize,
        allowed: impl Fn(IpAddr) -> bool,
    ) -> Option<IpAddr> {
        let place = self.free.clone().acquire_owned().await.ok()?;
        let look_up = self.look_up;
        let lookup = spawn_blocking(move || {
            let found = look_up(&name);
            drop(place);
            found
        });
        let found = timeout(TIMEOUT, lookup).await.ok()?.ok()?.ok()?;
        let usable = found.into_iter().map(|ip| ip.to_canonical());
        let mut usable: Vec<IpAddr> = usable.filter(|&ip| allowed(ip)).collect();
        usable.sort_unstable();
        usable.dedup();
        let place = turn.checked_rem(usable.len())?;
        usable.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(name: &str, turn: usize, allowed: fn(IpAddr) -> bool) -> Option<String> {
        let look_up: LookUp = |name| match name {
            "none.test" => Err(io::Error::other("no such name")),
            "empty.test" => Ok(vec![]),
            "panics.test" => panic!("as a resolver never should"),
            _ => Ok(["2001:db8::1", "9.9.9.9", "::ffff:8.8.8.8", "127.0.0.1"]
                .map(|ip| ip.parse().unwrap())
                .to_vec()),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let found = runtime.block_on(Resolver::new(look_up, 1).resolve(name.into(), turn, allowed));
        found.map(|ip| ip.to_string())
    }

    #[test]
    fn the_lowest_address_that_may_be_dialled_is_taken() {
        let found = resolve("a.test", 0, |ip| !ip.is_loopback());
        assert_eq!(found.as_deref(), Some("8.8.8.8"));
        let found = resolve("a.test", 0, |ip| ip.is_ipv6());
        assert_eq!(found.as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn each_address_of_a_name_has_its_turn() {
        let found = [0, 1, 2, 3, 4].map(|turn| resolve("a.test", turn, |_| true).unwrap());
        let expected = ["8.8.8.8", "9.9.9.9", "127.0.0.1", "2001:db8::1", "8.8.8.8"];
        assert_eq!(found, expected);
        assert_eq!(resolve("a.test", usize::MAX, |_| false), None);
    }

    #[test]
    fn a_name_without_an_address_that_may_be_dialled_has_none() {
        assert_eq!(resolve("a.test", 0, |_| false), None);
        for name in ["none.test", "empty.test", "panics.test"] {
            assert_eq!(resolve(name, 0, |_| true), None, "{name}");
        }
    }
}

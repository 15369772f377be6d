//! How many bytes each probe took from its peer, told to a test that holds the caps. Without the
//! feature `hooks` nothing is counted.

#[cfg(feature = "hooks")]
pub use told::{Heard, listen};

#[cfg(feature = "hooks")]
pub(crate) use told::Count;

/// Counts nothing.
#[cfg(not(feature = "hooks"))]
pub(crate) struct Count;

#[cfg(not(feature = "hooks"))]
impl Count {
    /// Of a probe that connects to this address.
    pub(crate) fn of(_: std::net::SocketAddr) -> Count {
        Count
    }

    /// So many bytes came.
    pub(crate) fn add(&mut self, _: usize) {}
}

#[cfg(feature = "hooks")]
mod told {
    use crossbeam_channel::{Receiver, Sender, unbounded};
    use std::net::SocketAddr;
    use std::sync::OnceLock;

    /// Where it is told, from the first [`listen`] on.
    static LISTENER: OnceLock<(Sender<Heard>, Receiver<Heard>)> = OnceLock::new();

    /// What one probe took from its peer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Heard {
        /// The peer.
        pub from: SocketAddr,
        /// Bytes that were received, those in TLS as they were on the wire.
        pub bytes: u64,
    }

    /// Has every probe of this process that gets as far as a connection tell what it took, when it
    /// is over. What nobody receives is kept.
    pub fn listen() -> Receiver<Heard> {
        LISTENER.get_or_init(unbounded).1.clone()
    }

    /// Counts for one probe, and tells when it is dropped.
    pub(crate) struct Count(Heard);

    impl Count {
        /// Of a probe that connects to this address.
        pub(crate) fn of(from: SocketAddr) -> Count {
            Count(Heard { from, bytes: 0 })
        }

        /// So many bytes came.
        pub(crate) fn add(&mut self, bytes: usize) {
            self.0.bytes += bytes as u64;
        }
    }

    impl Drop for Count {
        fn drop(&mut self) {
            if let Some((tell, _)) = LISTENER.get() {
                // The other end is in the same place and never gone.
                let _ = tell.send(self.0);
            }
        }
    }
}

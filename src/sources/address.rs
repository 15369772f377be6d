//! Which addresses may be dialled.

use std::net::IpAddr;

/// Which addresses may be dialled: checked when a list is parsed, and again before connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Whether special-purpose addresses (loopback, private, link-local …) are allowed.
    pub allow_private: bool,
}

impl AddressPolicy {
    /// Whether `ip` may be dialled.
    pub fn allows(self, _ip: IpAddr) -> bool {
        todo!()
    }
}

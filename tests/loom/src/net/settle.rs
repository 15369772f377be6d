//! How a round looks for completions; see `shards/src/net/settle.rs`.

use std::time::Duration;

/// Here nothing is waited for: what might come meanwhile may come later.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    Now,
    Wait(usize, Duration),
    Last,
}

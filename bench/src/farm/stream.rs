//! A socket and the layers of TLS over it: none, one to the proxy or to the target, or both.

use super::tls::{Layer, Opened};
use super::wire::{self, Wish};
use rustix::event::epoll::EventFlags;
use rustix::net::{self, Shutdown};
use std::ops::ControlFlow::{self, Continue};
use std::os::fd::OwnedFd;

/// What was heard from the peer.
#[derive(Debug)]
pub(super) enum Heard {
    /// So many bytes, in the buffer that was given.
    Here(usize),
    /// These, opened.
    Opened(Vec<u8>),
    /// Something that is no TLS where TLS was due; an alert is said already.
    Broken,
}

/// A connection's two directions.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) socket: OwnedFd,
    /// The outermost first.
    layers: Vec<Layer>,
    /// Sealed bytes that the kernel has not taken yet.
    unsent: Vec<u8>,
    /// Whether FIN was sent.
    is_shut: bool,
}

impl Stream {
    pub(super) fn new(socket: OwnedFd) -> Stream {
        Stream {
            socket,
            layers: Vec::new(),
            unsent: Vec::new(),
            is_shut: false,
        }
    }

    pub(super) fn layers(&mut self) -> impl Iterator<Item = &mut Layer> {
        self.layers.iter_mut()
    }

    /// Whether the kernel has taken everything that was said.
    pub(super) fn is_flushed(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Reads what is there; otherwise the wish to be woken for more, or to close.
    pub(super) fn hear(&mut self, scratch: &mut [u8]) -> ControlFlow<Wish, Heard> {
        let count = wire::read(&self.socket, scratch)?;
        if self.layers.is_empty() {
            return Continue(Heard::Here(count));
        }
        let mut bytes = scratch[..count].to_vec();
        let mut opened = Opened::Fine;
        for layer in &mut self.layers {
            let mut plain = Vec::new();
            opened = layer.open(&bytes, &mut plain);
            bytes = plain;
            if opened == Opened::Broken {
                break;
            }
        }
        self.seal(&[]);
        self.flush()?;
        Continue(match opened {
            Opened::Fine => Heard::Opened(bytes),
            Opened::Broken => Heard::Broken,
        })
    }

    /// Begins a layer over all others, with what was heard of it already.
    pub(super) fn begin(&mut self, mut layer: Layer, hello: &[u8]) -> ControlFlow<Wish, Heard> {
        let mut plain = Vec::new();
        let opened = layer.open(hello, &mut plain);
        self.layers.push(layer);
        self.seal(&[]);
        self.flush()?;
        Continue(match opened {
            Opened::Fine => Heard::Opened(plain),
            Opened::Broken => Heard::Broken,
        })
    }

    /// Says what there is room for, maybe 0 bytes.
    pub(super) fn send(&mut self, bytes: &[u8]) -> ControlFlow<Wish, usize> {
        if self.layers.is_empty() {
            return wire::send(&self.socket, bytes);
        }
        self.flush()?;
        if !self.is_flushed() || bytes.is_empty() {
            return Continue(0);
        }
        self.seal(bytes);
        self.flush()?;
        Continue(bytes.len())
    }

    /// Gives the kernel what it takes of the sealed bytes.
    pub(super) fn flush(&mut self) -> ControlFlow<Wish> {
        while !self.unsent.is_empty() {
            match wire::send(&self.socket, &self.unsent)? {
                0 => break,
                sent => drop(self.unsent.drain(..sent)),
            }
        }
        Continue(())
    }

    /// Ends what is said in TLS, if anything is.
    pub(super) fn close_layers(&mut self) -> ControlFlow<Wish> {
        if self.layers.is_empty() {
            return Continue(());
        }
        for place in (0..self.layers.len()).rev() {
            self.layers[place].close();
            self.seal(&[]);
        }
        self.flush()
    }

    /// Sends FIN, once.
    pub(super) fn shut(&mut self) {
        if !self.is_shut {
            // Where this fails the connection is gone, as the next read will say.
            net::shutdown(&self.socket, Shutdown::Write).ok();
            self.is_shut = true;
        }
    }

    /// What to watch for, if `wanted` is what the connection waits for.
    pub(super) fn watch(&self, wanted: EventFlags) -> Wish {
        Wish::Watch(match self.is_flushed() {
            true => wanted,
            false => EventFlags::OUT,
        })
    }

    /// Seals `plain` in every layer from the innermost on, with what each has to say by itself.
    fn seal(&mut self, plain: &[u8]) {
        let mut bytes = plain.to_vec();
        for layer in self.layers.iter_mut().rev() {
            let mut sealed = Vec::new();
            layer.seal(&bytes, &mut sealed);
            bytes = sealed;
        }
        self.unsent.append(&mut bytes);
    }
}

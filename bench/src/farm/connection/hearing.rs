//! How a connection hears: reads, opens what is sealed, and acts on what is whole.

use super::{Connection, Phase, Surroundings};
use crate::farm::play::{self, Act, Role, Scene};
use crate::farm::stream::Heard;
use crate::farm::table::Deed;
use crate::farm::tls::{Identity, Layer};
use crate::farm::wire::Wish;
use rustix::event::epoll::EventFlags;
use std::ops::ControlFlow::{self, Break, Continue};

impl Connection {
    pub(super) fn listen(
        &mut self,
        role: Role,
        around: &mut Surroundings<'_>,
    ) -> ControlFlow<Wish> {
        let scratch = std::mem::take(&mut around.scratch);
        let step = match self.stream.hear(scratch) {
            Break(wish) => Break(wish),
            Continue(Heard::Here(count)) => self.heard(role, &scratch[..count], around),
            Continue(Heard::Opened(bytes)) => self.heard(role, &bytes, around),
            Continue(Heard::Broken) => {
                self.drain(around);
                Continue(())
            }
        };
        around.scratch = scratch;
        step?;
        match self.phase {
            // One read a turn: who never stops talking must not keep the others waiting.
            Phase::Plays(_) => Break(Wish::Watch(EventFlags::IN)),
            _ => Continue(()),
        }
    }

    /// The same as [`Self::hear`], behind what was held back.
    fn heard(
        &mut self,
        role: Role,
        bytes: &[u8],
        around: &mut Surroundings<'_>,
    ) -> ControlFlow<Wish> {
        for layer in self.stream.layers() {
            if let Some(kind) = layer.handshake() {
                around.counters.shook_hands(kind);
            }
        }
        if self.held.is_empty() {
            return self.hear(role, bytes, around);
        }
        let mut input = std::mem::take(&mut self.held);
        input.extend_from_slice(bytes);
        self.hear(role, &input, around)
    }

    /// Acts on `input`, which may hold a part of a request or more than one.
    fn hear(
        &mut self,
        mut role: Role,
        mut input: &[u8],
        around: &mut Surroundings<'_>,
    ) -> ControlFlow<Wish> {
        let scene = Scene {
            local: self.local,
            peer: self.peer,
            target: around.target,
        };
        while !input.is_empty() {
            let act = play::act(role, input, &scene);
            if act == Act::More {
                break;
            }
            if act.is_served(role) {
                around.counters.served(self.resident);
            }
            if let Act::Tls {
                identity,
                deed,
                role,
            } = act
            {
                return self.begin_tls(identity, deed, role, input, around);
            }
            input = &input[act.used()..];
            self.carry_out(act, input.len(), around)?;
            match self.phase {
                Phase::Plays(next) => role = next,
                // What is sent to those who no longer listen.
                Phase::Drains | Phase::Drips { .. } | Phase::Floods { .. } | Phase::Deaf => {
                    return Continue(());
                }
                _ => break,
            }
        }
        self.held.extend_from_slice(input);
        Continue(())
    }

    /// Another layer of TLS, of which `hello` is the beginning; in it, `role`.
    fn begin_tls(
        &mut self,
        identity: Identity,
        deed: Deed,
        role: Role,
        hello: &[u8],
        around: &mut Surroundings<'_>,
    ) -> ControlFlow<Wish> {
        let Some(layer) = Layer::new(around.identities, identity, deed == Deed::Tampers) else {
            return Break(Wish::Close);
        };
        match self.stream.begin(layer, hello)? {
            Heard::Opened(plain) => {
                self.phase = Phase::Plays(role);
                self.hear(role, &plain, around)
            }
            _ => {
                self.drain(around);
                Continue(())
            }
        }
    }

    /// Hears what was held back while an answer was under way.
    pub(super) fn catch_up(&mut self, around: &mut Surroundings<'_>) -> ControlFlow<Wish> {
        match self.phase {
            Phase::Plays(role) => {
                let input = std::mem::take(&mut self.held);
                self.hear(role, &input, around)
            }
            _ => Continue(()),
        }
    }
}

//! What a connection does about an act: says it, at once, late, byte by byte or for ever.

use super::{Act, Connection, FLOOD_BYTES_PER_TURN, FLOOD_SEND_BUFFER, Phase, Surroundings};
use crate::farm::answers;
use crate::farm::play::Next;
use crate::farm::timers::Alarm;
use crate::farm::wire::{self, Wish, Words};
use rustix::event::epoll::EventFlags;
use rustix::net::sockopt as option;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

impl Connection {
    pub(super) fn carry_out(
        &mut self,
        act: Act,
        unread: usize,
        around: &mut Surroundings<'_>,
    ) -> ControlFlow<Wish> {
        match act {
            Act::More | Act::Tls { .. } => {}
            Act::Say { words, next, .. } => {
                return self.say(words, next.with_unread(unread), around);
            }
            Act::List { number, next, .. } => {
                let (words, next) = match around.lists.answer(number) {
                    Some(list) => (Words::Shared(list), next.with_unread(unread)),
                    None => (answers::NOT_FOUND.closes.into(), Next::Drain),
                };
                return self.say(words, next, around);
            }
            Act::SayLate { words, next, .. } => {
                let next = next.with_unread(unread);
                self.phase = Phase::Thinks { words, next };
                around.set_alarm(self.seat(), Alarm::Late);
            }
            Act::Drip { first } => {
                let (byte, first) = first.split_at(1);
                self.phase = Phase::Drips { first };
                return self.drip(byte, around);
            }
            Act::Flood { first, again } => {
                // Only thrift: a flood in a larger buffer is as good.
                option::set_socket_send_buffer_size(&self.stream.socket, FLOOD_SEND_BUFFER).ok();
                self.phase = Phase::Floods { now: first, again };
            }
            Act::Deaf => self.phase = Phase::Deaf,
            Act::Reset => {
                // Where this fails the peer has gone already.
                option::set_socket_linger(&self.stream.socket, Some(Duration::ZERO)).ok();
                return Break(Wish::Close);
            }
        }
        Continue(())
    }

    pub(super) fn say(
        &mut self,
        words: Words,
        next: Next,
        around: &mut Surroundings<'_>,
    ) -> ControlFlow<Wish> {
        let all = words.after(0);
        let sent = self.stream.send(all)?;
        if sent == all.len() && self.stream.is_flushed() {
            return self.go_on(next, around);
        }
        self.phase = Phase::Writes { words, sent, next };
        Continue(())
    }

    pub(super) fn write(&mut self, around: &mut Surroundings<'_>) -> ControlFlow<Wish> {
        let Phase::Writes { words, sent, next } = &mut self.phase else {
            return Continue(());
        };
        let next = *next;
        while !words.after(*sent).is_empty() {
            match self.stream.send(words.after(*sent))? {
                0 => return Break(Wish::Watch(EventFlags::OUT)),
                more => *sent += more,
            }
        }
        if !self.stream.is_flushed() {
            return Break(Wish::Watch(EventFlags::OUT));
        }
        self.go_on(next, around)?;
        self.catch_up(around)
    }

    fn go_on(&mut self, next: Next, around: &mut Surroundings<'_>) -> ControlFlow<Wish> {
        match next {
            Next::Play(role) => self.phase = Phase::Plays(role),
            Next::Close => {
                self.stream.close_layers()?;
                match self.stream.is_flushed() {
                    true => return Break(Wish::Close),
                    false => self.drain(around),
                }
            }
            Next::Drain => {
                self.stream.close_layers()?;
                self.drain(around);
            }
        }
        Continue(())
    }

    /// Sends FIN, behind all that was said, and reads to the peer's end.
    pub(super) fn drain(&mut self, around: &mut Surroundings<'_>) {
        if self.stream.is_flushed() {
            self.stream.shut();
        }
        self.phase = Phase::Drains;
        around.set_alarm(self.seat(), Alarm::Linger);
    }

    pub(super) fn read_to_end(&mut self, around: &mut Surroundings<'_>) -> ControlFlow<Wish> {
        self.stream.shut();
        wire::read(&self.stream.socket, around.scratch)?;
        Break(Wish::Watch(EventFlags::IN))
    }

    pub(super) fn drip(&mut self, byte: &[u8], around: &mut Surroundings<'_>) -> ControlFlow<Wish> {
        around.set_alarm(self.seat(), Alarm::Drip);
        self.stream.send(byte).map_continue(|_| ())
    }

    pub(super) fn flood(&mut self) -> ControlFlow<Wish> {
        let Phase::Floods { now, again } = &mut self.phase else {
            return Continue(());
        };
        let mut budget = FLOOD_BYTES_PER_TURN;
        while budget > 0 {
            let sent = self.stream.send(now)?;
            if sent == 0 {
                break;
            }
            *now = &now[sent..];
            if now.is_empty() {
                *now = again;
            }
            budget = budget.saturating_sub(sent);
        }
        Break(Wish::Watch(EventFlags::OUT))
    }
}

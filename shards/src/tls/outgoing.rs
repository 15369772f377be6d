//! Bytes for the wire, as rustls writes them where it has no buffer of its own.

use crate::rule::Rule;
use rustls::client::ClientConnectionData;
use rustls::unbuffered::{EncodeError, EncodeTlsData, EncryptError, WriteTraffic};
use std::rc::Rc;

/// What is to be sent together.
#[derive(Default)]
pub(super) struct Outgoing(Vec<u8>);

impl Outgoing {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of it, to be sent now.
    pub(super) fn take(&mut self) -> Rc<[u8]> {
        std::mem::take(&mut self.0).into()
    }

    /// Adds a message of the handshake.
    pub(super) fn encode(
        &mut self,
        mut message: EncodeTlsData<'_, ClientConnectionData>,
    ) -> Result<(), Rule> {
        self.append(|room| match message.encode(room) {
            Err(EncodeError::InsufficientSize(error)) => Err(Some(error.required_size)),
            written => written.map_err(|_| None),
        })
    }

    /// Adds a question, sealed.
    pub(super) fn seal(
        &mut self,
        traffic: &mut WriteTraffic<'_, ClientConnectionData>,
        question: &[u8],
    ) -> Result<(), Rule> {
        self.append(|room| match traffic.encrypt(question, room) {
            Err(EncryptError::InsufficientSize(error)) => Err(Some(error.required_size)),
            written => written.map_err(|_| None),
        })
    }

    /// Adds what `write` writes. Without room enough it must write nothing and say how much it needs.
    fn append(
        &mut self,
        mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
    ) -> Result<(), Rule> {
        let end = self.0.len();
        let mut written = write(&mut []);
        if let Err(Some(needed)) = written {
            self.0.resize(end + needed, 0);
            written = write(&mut self.0[end..]);
        }
        let length = written.map_err(|_| Rule::fault("rustls did not give what it has to send"))?;
        self.0.truncate(end + length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_room_is_given_it_behind_the_rest() {
        let mut outgoing = Outgoing::default();
        for word in [&b"one"[..], b"", b"three"] {
            let written = outgoing.append(|room| match room.get_mut(..word.len()) {
                Some(room) => {
                    room.copy_from_slice(word);
                    Ok(word.len())
                }
                // More than it needs in the end, as a seal may.
                None => Err(Some(word.len() + 7)),
            });
            assert!(written.is_ok());
        }
        assert_eq!(outgoing.len(), 8);
        assert_eq!(&*outgoing.take(), b"onethree");
        assert_eq!(outgoing.len(), 0);
    }

    #[test]
    fn what_cannot_be_written_is_a_fault_of_ours() {
        let mut outgoing = Outgoing::default();
        for error in [None, Some(3)] {
            let rule = outgoing.append(|_| Err(error)).expect_err("not written");
            assert_eq!(rule.verdict(), crate::Verdict::LocalFault);
        }
    }
}

//! Bodies that threads write and read while the other side takes and gives: a bounded number of
//! pieces is in between, however long they are.

use hyper::body::{Body, Bytes, Frame};
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Pieces in between.
const PIECES: usize = 4;
/// Bytes of a piece that is written.
const PIECE_BYTES: usize = 64 << 10;

/// A body that a thread writes.
pub(super) struct Poured(mpsc::Receiver<Bytes>);

/// The end of the thread. What is left in it goes with [`Spout::finish`].
pub(super) struct Spout {
    to: mpsc::Sender<Bytes>,
    gathered: Vec<u8>,
}

/// A body, and what writes it.
pub(super) fn poured() -> (Spout, Poured) {
    let (to, from) = mpsc::channel(PIECES);
    let spout = Spout {
        to,
        gathered: Vec::with_capacity(PIECE_BYTES),
    };
    (spout, Poured(from))
}

impl Poured {
    /// All of it is here already.
    pub(super) fn whole(text: String) -> Poured {
        let (to, from) = mpsc::channel(1);
        // There is room for one.
        let _ = to.try_send(text.into());
        Poured(from)
    }
}

impl Body for Poured {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

impl Spout {
    /// Hands over what is gathered.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()
    }
}

impl Write for Spout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let next = Vec::with_capacity(PIECE_BYTES);
        let piece = std::mem::replace(&mut self.gathered, next);
        let sent = self.to.blocking_send(piece.into());
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// What a thread reads of a body; the pieces come in by a channel.
pub(super) struct Drawn {
    from: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

/// A channel for the pieces, and what reads them.
pub(super) fn drawn() -> (mpsc::Sender<io::Result<Bytes>>, Drawn) {
    let (to, from) = mpsc::channel(PIECES);
    let piece = Bytes::new();
    (to, Drawn { from, piece })
}

impl Read for Drawn {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.from.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.piece = piece?,
            }
        }
        let taken = self.piece.split_to(self.piece.len().min(into.len()));
        into[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}

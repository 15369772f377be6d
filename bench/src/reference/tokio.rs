//! tokio on one thread: a task a probe, no more of them at once than there are lanes.

use super::Pace;
use super::answer::{End, Head};
use super::work::{Peer, Work};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub(super) fn check(work: &Arc<Work>, pace: Pace) -> io::Result<Vec<End>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ends: Arc<[AtomicU8]> = work.peers.iter().map(|_| AtomicU8::default()).collect();
    runtime.block_on(sweep(work, pace, &ends))?;
    let end = |end: &AtomicU8| End::ALL[usize::from(end.load(Relaxed))];
    Ok(ends.iter().map(end).collect())
}

async fn sweep(work: &Arc<Work>, pace: Pace, ends: &Arc<[AtomicU8]>) -> io::Result<()> {
    let lanes = Arc::new(Semaphore::new(pace.lanes as usize));
    for (index, &peer) in work.peers.iter().enumerate() {
        let lane = Arc::clone(&lanes).acquire_owned().await;
        let (work, ends) = (Arc::clone(work), Arc::clone(ends));
        tokio::spawn(async move {
            let end = timeout(pace.timeout, probe(&work, peer, pace)).await;
            ends[index].store(end.unwrap_or(End::TimedOut) as u8, Relaxed);
            drop(lane);
        });
    }
    let _all = lanes.acquire_many(pace.lanes).await;
    Ok(())
}

async fn probe(work: &Work, peer: Peer, pace: Pace) -> End {
    let connected = timeout(pace.connect_timeout, TcpStream::connect(peer.at)).await;
    let asked = match connected {
        Err(_) => return End::TimedOut,
        Ok(Err(error)) => Err(error),
        Ok(Ok(stream)) => ask(stream, work.request(peer)).await,
    };
    asked.unwrap_or_else(|error| error.raw_os_error().map_or(End::Lost, End::of_errno))
}

async fn ask(mut stream: TcpStream, request: &[u8]) -> io::Result<End> {
    stream.write_all(request).await?;
    let mut head = Head::default();
    loop {
        stream.readable().await?;
        // Not held over an await, so that it is no part of the task's memory.
        let mut buffer = [0; 4096];
        match stream.try_read(&mut buffer) {
            Ok(count) => {
                if let Some(end) = head.take(&buffer[..count]) {
                    return Ok(end);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

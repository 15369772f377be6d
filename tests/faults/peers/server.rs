//! Peers of thousands of candidates on one thread: each address is one of them and plays its part. What
//! was said to whom, and how long it took, is told at the end.

use super::parts::{Part, Talk};
use crate::support::PATIENCE;
use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::{LocalSet, spawn_local};

/// The first candidate's address; the farm's proxies are below (`127.B.x.y`), each at its port.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 200, 0, 0);
/// Ports that candidates share: each has a queue of its own, so that none overflows when thousands come
/// at once.
const PORTS: usize = 4;
/// How often the thread looks how late it is.
const TICK: Duration = Duration::from_millis(20);
/// What `listen` is asked for; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: u32 = 4_096;

/// One connection to a peer.
#[derive(Debug)]
pub(crate) struct Visit {
    /// Which candidate's.
    pub(crate) number: usize,
    /// From when it was accepted to when its other end had closed it.
    pub(crate) lived: Duration,
    pub(crate) talk: Talk,
}

/// What the peers' thread has to tell at its end.
struct Told {
    visits: Vec<Visit>,
    /// Connections that are open still.
    left: usize,
    late: Duration,
}

/// Peers that listen.
pub(crate) struct Peers {
    ports: Vec<u16>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Told>,
}

impl Peers {
    /// The candidate `n` plays part `n`.
    pub(crate) fn start(parts: Arc<[Part]>) -> Peers {
        let (stop, stopped) = oneshot::channel();
        let (tell, ports) = mpsc::channel();
        let play = move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            LocalSet::new().block_on(&runtime, perform(parts, tell, stopped))
        };
        let thread = thread::Builder::new().name("peers".into()).spawn(play);
        Peers {
            ports: ports.recv().unwrap(),
            stop,
            thread: thread.unwrap(),
        }
    }

    /// Where a candidate is dialled.
    pub(crate) fn address(&self, number: usize) -> SocketAddr {
        let ip = Ipv4Addr::from_bits(FIRST.to_bits() + u32::try_from(number).unwrap());
        SocketAddr::from((ip, self.ports[number % PORTS]))
    }

    /// Which candidate is dialled there.
    pub(crate) fn number(address: SocketAddr) -> usize {
        let IpAddr::V4(ip) = address.ip() else {
            panic!("{address}: not a peer's");
        };
        (ip.to_bits() - FIRST.to_bits()) as usize
    }

    /// Every visit there was, and how late the peers came to their own tick at worst: what they measure
    /// is wrong by as much. Nobody who visited may still be there: panics if a connection is not closed
    /// by its other end.
    pub(crate) fn end(self) -> (Vec<Visit>, Duration) {
        self.stop.send(()).ok();
        let told = self.thread.join().expect("the peers' thread");
        assert_eq!(told.left, 0, "connections that were never closed");
        (told.visits, told.late)
    }
}

/// What all visits share.
#[derive(Default)]
struct Book {
    visits: RefCell<Vec<Visit>>,
    open: Cell<usize>,
    late: Cell<Duration>,
    /// A visit is over.
    over: Notify,
}

async fn perform(
    parts: Arc<[Part]>,
    tell: mpsc::Sender<Vec<u16>>,
    stop: oneshot::Receiver<()>,
) -> Told {
    let book = Rc::new(Book::default());
    spawn_local(tick(Rc::clone(&book)));
    let mut ports = Vec::new();
    for _ in 0..PORTS {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
        let listener = socket.listen(BACKLOG).unwrap();
        ports.push(listener.local_addr().unwrap().port());
        spawn_local(welcome(listener, Arc::clone(&parts), Rc::clone(&book)));
    }
    tell.send(ports).unwrap();
    stop.await.unwrap();
    let until = tokio::time::Instant::now() + PATIENCE;
    while book.open.get() > 0 {
        let over = book.over.notified();
        if tokio::time::timeout_at(until, over).await.is_err() {
            break;
        }
    }
    Told {
        visits: book.visits.take(),
        left: book.open.get(),
        late: book.late.get(),
    }
}

/// Sees how late this thread is.
async fn tick(book: Rc<Book>) {
    let mut due = tokio::time::Instant::now();
    loop {
        due += TICK;
        tokio::time::sleep_until(due).await;
        book.late.set(book.late.get().max(due.elapsed()));
        due = tokio::time::Instant::now();
    }
}

async fn welcome(listener: TcpListener, parts: Arc<[Part]>, book: Rc<Book>) {
    loop {
        // A peer who is gone before it was here is nobody's fault; anything else is the test's.
        match listener.accept().await {
            Ok((stream, _)) => {
                book.open.set(book.open.get() + 1);
                spawn_local(receive(stream, Arc::clone(&parts), Rc::clone(&book)));
            }
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted),
        }
    }
}

async fn receive(stream: TcpStream, parts: Arc<[Part]>, book: Rc<Book>) {
    let began = Instant::now();
    if let Ok(local) = stream.local_addr() {
        let number = Peers::number(local);
        let talk = parts[number].play(stream).await;
        book.visits.borrow_mut().push(Visit {
            number,
            lived: began.elapsed(),
            talk,
        });
    }
    book.open.set(book.open.get() - 1);
    book.over.notify_one();
}

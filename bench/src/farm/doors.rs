//! The farm's sockets that are listened on, or on purpose not.

use super::table::Door;
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, Shutdown, SocketFlags, SocketType, ipproto, sockopt as option,
};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

/// Listeners that share one port: each has a queue of its own, as long as the system allows.
const OPEN_LISTENERS: usize = 8;
const SLOW_LISTENERS: usize = 4;
/// With a `somaxconn` of 4096 the queues of these hold 65 000 connections.
const SILENT_LISTENERS: usize = 16;
/// What `listen` is asked for; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;

/// A listener that accepts no more than `open_max` connections at a time; the others wait in the
/// kernel's queue.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: OwnedFd,
    pub(super) open: usize,
    pub(super) open_max: usize,
    /// Whether the poll does not watch it at present.
    pub(super) paused: bool,
}

/// All sockets of a farm but its connections.
#[derive(Debug)]
pub(super) struct Doors {
    pub(super) listeners: Vec<Listener>,
    /// Held for as long as the farm lives: the port nobody listens on, the full queue and the
    /// connection that fills it.
    pub(super) kept: [OwnedFd; 3],
}

/// The port of each [`Door`], and whether IPv6 is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) by_door: [u16; Door::COUNT],
    pub(super) ipv6: bool,
}

impl Doors {
    /// Opens every door, on consecutive ports from `first_port`, or on free ones if that is 0. At
    /// most `connections_max` connections are accepted at a time.
    pub(super) fn open(first_port: u16, connections_max: usize) -> io::Result<(Doors, Ports)> {
        let mut ports = Ports {
            by_door: [0; Door::COUNT],
            ipv6: false,
        };
        let wanted = |door: Door| match first_port {
            0 => Ok(0),
            first => first.checked_add(door as u16).ok_or_else(|| {
                let last = u16::MAX - Door::COUNT as u16 + 1;
                io::Error::other(format!("port {first}: choose one up to {last}"))
            }),
        };
        let half = connections_max / 2;
        let mut listeners = Vec::new();
        for (door, count, open_max) in [
            (Door::Open, OPEN_LISTENERS, half / OPEN_LISTENERS),
            (Door::Slow, SLOW_LISTENERS, half / SLOW_LISTENERS),
            (Door::Silent, SILENT_LISTENERS, SILENT_HEADS),
            (Door::Target, 1, TARGET_OPEN_MAX),
        ] {
            let (port, sockets) = group(wanted(door)?, count)?;
            ports.by_door[door as usize] = port;
            listeners.extend(sockets.into_iter().map(|s| Listener::new(s, open_max)));
        }
        let open_port = ports.by_door[Door::Open as usize];
        if let Ok(socket) = listen_v6(open_port) {
            ports.ipv6 = true;
            listeners.push(Listener::new(socket, half / OPEN_LISTENERS));
        }
        let (port, hole, filler) = black_hole(wanted(Door::BlackHole)?)?;
        ports.by_door[Door::BlackHole as usize] = port;
        let (port, refusing) = bound(wanted(Door::Refuses)?)?;
        ports.by_door[Door::Refuses as usize] = port;
        let kept = [hole, filler, refusing];
        Ok((Doors { listeners, kept }, ports))
    }
}

/// Connections to the target without a proxy at a time.
const TARGET_OPEN_MAX: usize = 1_024;

/// How many of the oldest connections of a silent queue are accepted, only to see them end: what is
/// closed by its peer stays in the queue until it is accepted, and would fill it in the long run.
const SILENT_HEADS: usize = 4;

impl Listener {
    fn new(socket: OwnedFd, open_max: usize) -> Listener {
        Listener {
            socket,
            open: 0,
            open_max: open_max.max(1),
            paused: true,
        }
    }
}

fn new_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    Ok(socket)
}

fn bind(socket: &OwnedFd, address: impl Into<SocketAddr>) -> io::Result<()> {
    let address = address.into();
    net::bind(socket, &address).map_err(|errno| {
        let remedy = match errno {
            Errno::ADDRINUSE => ": another process has that port, choose other ports",
            _ => "",
        };
        io::Error::new(errno.kind(), format!("{address}: {errno}{remedy}"))
    })
}

fn port_of(socket: &OwnedFd) -> io::Result<u16> {
    let address = SocketAddr::try_from(net::getsockname(socket)?)?;
    Ok(address.port())
}

/// `count` listeners that share one port of all IPv4 addresses.
fn group(port: u16, count: usize) -> io::Result<(u16, Vec<OwnedFd>)> {
    let address = |port| (Ipv4Addr::UNSPECIFIED, port);
    // SO_REUSEPORT would share a port with another farm too; without it the port must be free.
    let alone = new_socket(AddressFamily::INET)?;
    option::set_socket_reuseaddr(&alone, true)?;
    bind(&alone, address(port))?;
    drop(alone);
    let mut sockets = Vec::with_capacity(count);
    let mut port = port;
    for _ in 0..count {
        let socket = new_socket(AddressFamily::INET)?;
        option::set_socket_reuseaddr(&socket, true)?;
        option::set_socket_reuseport(&socket, true)?;
        option::set_tcp_nodelay(&socket, true)?; // accepted sockets inherit it
        bind(&socket, address(port))?;
        net::listen(&socket, BACKLOG)?;
        port = port_of(&socket)?;
        sockets.push(socket);
    }
    Ok((port, sockets))
}

fn listen_v6(port: u16) -> io::Result<OwnedFd> {
    let socket = new_socket(AddressFamily::INET6)?;
    option::set_ipv6_v6only(&socket, true)?;
    option::set_socket_reuseaddr(&socket, true)?;
    option::set_tcp_nodelay(&socket, true)?;
    bind(&socket, (Ipv6Addr::LOCALHOST, port))?;
    net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// A port that is taken and that nobody listens on.
fn bound(port: u16) -> io::Result<(u16, OwnedFd)> {
    let socket = new_socket(AddressFamily::INET)?;
    bind(&socket, (Ipv4Addr::UNSPECIFIED, port))?;
    Ok((port_of(&socket)?, socket))
}

/// A listener whose queue has one place, and the connection that takes it: Linux drops the SYNs of
/// all others.
fn black_hole(port: u16) -> io::Result<(u16, OwnedFd, OwnedFd)> {
    let hole = new_socket(AddressFamily::INET)?;
    option::set_socket_reuseaddr(&hole, true)?;
    bind(&hole, (Ipv4Addr::UNSPECIFIED, port))?;
    net::listen(&hole, 0)?;
    let port = port_of(&hole)?;
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let filler = OwnedFd::from(std::net::TcpStream::connect(here)?);
    net::shutdown(&filler, Shutdown::Read)?;
    Ok((port, hole, filler))
}

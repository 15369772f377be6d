//! A server to compare with: nginx that answers 200 without doing anything, if it is installed.

use crate::harness::program::{Program, Running};
use crate::harness::service::free_port;
use crate::harness::{Error, Result, at, system};
use rustix::process::Signal;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// How often it is looked for, and for how long in all.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS: u32 = 250;

/// A running nginx: one process, no log. Dropped, it is killed and its folder removed.
#[derive(Debug)]
pub struct Nginx {
    running: Running,
    address: SocketAddr,
    command: String,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it on these CPUs.
    ///
    /// # Errors
    /// It does not start; what it said is told.
    pub fn start(path: &Path, cpus: &[usize]) -> Result<Nginx> {
        let folder = TempDir::with_prefix("proxy-bench-").map_err(system("a scratch folder"))?;
        let address = free_port()?;
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config(address)).map_err(at(&file))?;
        let place = folder.path().display().to_string();
        let arguments = ["-p", &place, "-c", "nginx.conf", "-e", "stderr"];
        let program = Program::new(path, arguments).on(cpus);
        let nginx = Nginx {
            command: program.command().replace(&place, "$DIR"),
            running: program.start(Vec::new())?,
            address,
            _folder: folder,
        };
        for _ in 0..LOOKS {
            if TcpStream::connect(address).is_ok() {
                return Ok(nginx);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(Error::Failed {
            said: nginx.running.said()?,
            status: "no port".into(),
            command: nginx.command,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its command, with `$DIR` for its folder.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The CPU time that it has used so far, in seconds.
    pub fn cpu_s(&self) -> Option<f64> {
        self.running.now().map(|now| now.cpu_s)
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// Another end than a good one.
    pub fn stop(self) -> Result<()> {
        self.running.signal(Signal::TERM)?;
        self.running.finish().map(drop)
    }
}

/// As fast as it can be: one process, kept connections, a body as long as that of `/health`.
fn config(address: SocketAddr) -> String {
    format!(
        "daemon off;
master_process off;
worker_processes 1;
error_log stderr;
pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{ listen {address}; default_type text/plain; location / {{ return 200 ok; }} }}
}}
"
    )
}

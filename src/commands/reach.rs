//! Who has the ledger: the running service, or nobody, and then this command reads the store.

use super::serve::configured;
use super::status::Failure;
use crate::config::{Backend, Config};
use crate::operator;
use crate::store::{self, Image, StoreError};
use clap::Args;
use std::path::PathBuf;

/// Which ledger is meant.
#[derive(Args, Clone, Debug)]
pub struct ReachArgs {
    /// Configuration file of the service; without it as `serve` finds it
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask the running service on this socket, wherever the configuration has its store
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    socket: Option<PathBuf>,
}

/// Who has the ledger.
pub(super) enum Reach {
    /// Nobody: the store holds this, and was not changed by reading it.
    Store(Backend, Box<Image>),
    /// A running service, which is asked on this socket.
    Service(PathBuf),
}

/// Whether a store that is not there yet will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It is read, so it must be there.
    Existing,
    /// It is written, and made if it is missing.
    Any,
}

impl ReachArgs {
    /// Reads the store, or finds the socket of the service that has it.
    pub(super) fn reach(&self, need: Need) -> Result<Reach, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(Reach::Service(socket.clone()));
        }
        let config = self.configured()?;
        let backend = &config.storage.backend;
        let socket = operator::answered(backend);
        if *backend == Backend::Memory && socket.is_none() {
            let text = "storage.type is memory, which keeps nothing while no service runs; if one runs, \
                        name its socket with --socket (control.sock in its RUNTIME_DIRECTORY)";
            return Err(Failure::Failed(text.to_owned()));
        }
        if need == Need::Existing
            && socket.is_none()
            && let Some(path) = backend.path().filter(|path| !path.exists())
        {
            let path = path.display();
            return Err(Failure::Failed(format!("{path}: there is no store here")));
        }
        // A store without a place here has no lock that would tell.
        if backend.path().is_none()
            && let Some(socket) = socket
        {
            return Ok(Reach::Service(socket));
        }
        if need == Need::Any && config.cluster.is_some() && socket.is_none() {
            let text = "this is a node of a cluster, whose ledger is in Redis: what is imported into the \
                        store of a stopped node is lost when it starts; import into the node that leads, \
                        while it runs (cluster.leader in /stat)";
            return Err(Failure::Failed(text.to_owned()));
        }
        match (store::look(backend), socket) {
            (Ok(image), _) => Ok(Reach::Store(backend.clone(), Box::new(image))),
            (Err(StoreError::Busy { .. }), Some(socket)) => Ok(Reach::Service(socket)),
            (Err(error @ StoreError::Busy { .. }), None) => Err(Failure::Failed(format!(
                "{error}; there is no socket on which it could be asked, and its log says why"
            ))),
            (Err(error), _) => Err(failed(error)),
        }
    }

    /// The socket of the running service.
    pub(super) fn socket(&self) -> Result<PathBuf, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        let config = self.configured()?;
        let backend = &config.storage.backend;
        let socket = operator::answered(backend).or_else(|| operator::place(backend));
        socket.ok_or_else(|| {
            let text = "a service with this store has no socket beside it; name it with --socket";
            Failure::Failed(text.to_owned())
        })
    }

    fn configured(&self) -> Result<Config, Failure> {
        configured(self.config.as_deref()).map_err(failed)
    }
}

pub(super) fn failed(error: impl ToString) -> Failure {
    Failure::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_keeps_nothing_is_not_taken_for_one_that_can_be_read_or_filled() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = r#"{"api":{"enable_api_key_auth":false},"storage":{"type":"memory"}}"#;
        std::fs::write(file.path(), text).unwrap();
        let args = ReachArgs {
            config: Some(file.path().to_owned()),
            socket: None,
        };
        for need in [Need::Existing, Need::Any] {
            let Err(Failure::Failed(why)) = args.reach(need) else {
                panic!("{need:?}: what would be imported would be nowhere");
            };
            assert!(why.contains("memory") && why.contains("--socket"), "{why}");
        }
    }
}

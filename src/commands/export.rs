//! `proxy-checker export`: all that is known, to a file or to standard output.

use super::reach::{Need, Reach, ReachArgs, failed};
use super::status::Failure;
use crate::operator::client::{self, Unanswered};
use crate::regular::{self, instead_of_file, is_of_the_system};
use crate::store::Image;
use crate::store::text::{self, Form, Which};
use clap::{Args, ValueEnum};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Seek, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Arguments of `export`.
#[derive(Args, Clone, Debug)]
#[command(after_help = STATUS)]
pub struct ExportArgs {
    #[command(flatten)]
    reach: ReachArgs,
    /// json: the whole ledger, which `import` reads without loss; csv, txt: for people
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// With csv and txt: every candidate, not only the alive
    #[arg(long)]
    all: bool,
    /// Write to this file, which only its owner can read; compressed if its name ends in .gz; `-` is
    /// standard output, the default. A device or a FIFO is written to as it is
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

const STATUS: &str = "\
Exit status: 0 all of it was written; 1 the store could not be read, or the file not written; 2 wrong usage.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Csv,
    Txt,
}

/// Names of standard output. Opened anew it would have another place in its file, and may be refused.
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

impl ExportArgs {
    fn output(&self) -> Option<&Path> {
        let named = self.output.as_deref();
        named.filter(|path| !STDOUT.map(Path::new).contains(path))
    }

    fn not_written(&self, error: &io::Error) -> Failure {
        match self.output() {
            Some(path) => failed(format!("{}: {error}", path.display())),
            None => failed(format!("cannot write to standard output: {error}")),
        }
    }
}

/// Writes the ledger. A file appears only when it is whole; a device or a FIFO is written to.
///
/// # Errors
/// The ledger cannot be reached or read, or the output takes no more.
pub fn run(args: &ExportArgs, stdout: impl Write) -> Result<(), Failure> {
    let wrong = |error| args.not_written(&error);
    let Some(path) = args.output() else {
        return write_plain(args, stdout);
    };
    if let Some(file) = as_it_is(path).map_err(wrong)? {
        return write_as_named(args, path, file);
    }
    // A symbolic link stays, and what it leads to is replaced.
    let place = regular::followed(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => wrong(io::Error::other("is a symbolic link that leads nowhere")),
        _ => wrong(error),
    })?;
    let mut file = beside(&place).map_err(wrong)?;
    write_as_named(args, path, file.as_file_mut())?;
    file.as_file().sync_all().map_err(wrong)?;
    file.persist(place).map_err(|error| wrong(error.error))?;
    Ok(())
}

/// What is written to instead of being replaced, opened: a FIFO, a device, a descriptor of this process.
fn as_it_is(path: &Path) -> io::Result<Option<File>> {
    let Ok(there) = fs::metadata(path) else {
        return Ok(None);
    };
    let kind = there.file_type();
    match instead_of_file(kind) {
        Some(_) if kind.is_block_device() => {
            let text = "is a disk, and what is on it would be overwritten; name a file";
            Err(io::Error::other(text))
        }
        None if !is_of_the_system(path) => Ok(None),
        Some(_) | None => OpenOptions::new().append(true).open(path).map(Some),
    }
}

/// Writes it as the name of the output asks for.
fn write_as_named(args: &ExportArgs, name: &Path, out: impl Write) -> Result<(), Failure> {
    let wrong = |error| args.not_written(&error);
    if name.extension() != Some(OsStr::new("gz")) {
        return write_plain(args, out);
    }
    let mut squeezed = GzEncoder::new(BufWriter::new(out), Compression::default());
    write_plain(args, &mut squeezed)?;
    squeezed
        .finish()
        .and_then(|mut out| out.flush())
        .map_err(wrong)
}

fn write_plain(args: &ExportArgs, out: impl Write) -> Result<(), Failure> {
    let mut out = BufWriter::new(out);
    write(args, &mut out)?;
    out.flush().map_err(|error| args.not_written(&error))
}

/// A new file in the folder of `path`, for its owner only: it holds credentials.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
}

fn write(args: &ExportArgs, out: &mut impl Write) -> Result<(), Failure> {
    let form = match args.format {
        Format::Json => None,
        Format::Csv => Some(Form::Csv),
        Format::Txt => Some(Form::Txt),
    };
    let reach = args.reach.reach(Need::Existing)?;
    let store = match &reach {
        Reach::Store(backend, _) => backend.path().map(Path::to_owned),
        // It lies beside.
        Reach::Service(socket) => Some(socket.with_extension("")),
    };
    if args
        .output()
        .is_some_and(|output| store.is_some_and(|store| is_same(&store, output)))
    {
        let error = io::Error::other("is the store itself; name another file");
        return Err(args.not_written(&error));
    }
    let image = match (reach, form) {
        (Reach::Service(socket), None) => {
            return client::export(&socket, out).map_err(|error| match error {
                Unanswered::Output(error) => args.not_written(&error),
                error => failed(format!("{}: {error}", socket.display())),
            });
        }
        (Reach::Service(socket), Some(_)) => ask(&socket)?,
        (Reach::Store(_, image), _) => {
            // What was exported before is worth more than an empty file in its place.
            if image.entries.is_empty() {
                let text = "the store holds no candidate, so nothing was written; if it was moved aside, \
                            the file or folder beside it with .broken- in its name is what it was";
                return Err(Failure::Failed(text.to_owned()));
            }
            *image
        }
    };
    let which = match args.all {
        true => Which::All,
        false => Which::Alive,
    };
    match form {
        None => text::write(&image, out),
        Some(form) => text::write_for_people(&image, form, which, out),
    }
    .map_err(|error| args.not_written(&error))
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// What the service knows. It is long, so it is kept in a file that has no name.
fn ask(socket: &Path) -> Result<Image, Failure> {
    let wrong = |error: &dyn std::fmt::Display| failed(format!("{}: {error}", socket.display()));
    let mut file = tempfile::tempfile().map_err(|error| wrong(&error))?;
    client::export(socket, &mut file).map_err(|error| wrong(&error))?;
    file.rewind().map_err(|error| wrong(&error))?;
    let reading = text::read(BufReader::new(file)).map_err(|error| wrong(&error))?;
    match reading.cut {
        None => Ok(reading.image),
        Some(_) => Err(wrong(&"the service ended in the middle of it")),
    }
}

//! How `distro deregister` reaches the `distro register` that keeps an instance: a socket in the
//! file system. The registry itself lets only the connection that registered withdraw.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use distro_core::message::naming::ServiceKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// A directory of this user alone.
fn directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir).join("distro"),
        None => {
            let user = std::env::var("USER").unwrap_or_default();
            std::env::temp_dir().join(format!("distro-{user}"))
        }
    }
}

fn path(service: &ServiceKey, address: &str) -> PathBuf {
    // Paths of sockets are short.
    let mut hasher = DefaultHasher::new();
    (service, address).hash(&mut hasher);
    directory().join(format!("{:016x}.sock", hasher.finish()))
}

/// Waits for a `distro deregister`; the file goes when this does.
#[derive(Debug)]
pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
}

/// One `distro deregister` that waits for its answer.
#[derive(Debug)]
pub(super) struct Guest(UnixStream);

impl Door {
    /// Opens the door of an instance; `AddrInUse` when another process holds it.
    pub(super) async fn open(service: &ServiceKey, address: &str) -> io::Result<Door> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory())?;
        let path = path(service, address);
        if UnixStream::connect(&path).await.is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // What a killed process left behind.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path)?;
        Ok(Door { listener, path })
    }

    /// The next one who wants the instance withdrawn.
    pub(super) async fn knock(&self) -> Guest {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let mut guest = Guest(stream);
                    let mut word = [0; 1];
                    // One that only looks whether somebody is here says nothing.
                    if guest.0.read_exact(&mut word).await.is_ok() {
                        return guest;
                    }
                }
                Err(_) => std::future::pending::<()>().await,
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // A file that stays is found dead by the next one.
        std::fs::remove_file(&self.path).unwrap_or_default();
    }
}

impl Guest {
    /// Tells how it went: empty for well.
    pub(super) async fn tell(mut self, text: &str) {
        // It may not wait any more.
        self.0.write_all(text.as_bytes()).await.unwrap_or_default();
        self.0.shutdown().await.unwrap_or_default();
    }
}

/// Asks who keeps the instance to withdraw it: what went wrong there, empty for nothing.
pub(super) async fn withdraw(service: &ServiceKey, address: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(path(service, address)).await?;
    stream.write_all(b"w").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

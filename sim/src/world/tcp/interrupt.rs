//! SIGINT and SIGTERM end the runs that are under way in this world, so that they clean up; when
//! none is, they end the program as they always do.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

static WATCH: OnceLock<Result<watch::Sender<bool>, String>> = OnceLock::new();
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// One run under way. Its future resolves when somebody wants it to end.
#[derive(Debug)]
pub(super) struct Interrupted(watch::Receiver<bool>);

impl Interrupted {
    /// Waits for a signal.
    pub(super) async fn wait(&mut self) {
        if self.0.wait_for(|told| *told).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Interrupted {
    fn drop(&mut self) {
        RUNS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// True when a signal has ended runs.
pub(super) fn told() -> bool {
    let watch = WATCH.get().and_then(|watch| watch.as_ref().ok());
    watch.is_some_and(|told| *told.borrow())
}

/// From now on signals end the run that this is for.
///
/// # Errors
/// Signals cannot be caught.
pub(super) fn watch() -> Result<Interrupted, String> {
    match WATCH.get_or_init(start) {
        Ok(told) => {
            RUNS.fetch_add(1, Ordering::SeqCst);
            Ok(Interrupted(told.subscribe()))
        }
        Err(why) => Err(why.clone()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "signals of the machine are waited for beside runs in real time"
)]
fn start() -> Result<watch::Sender<bool>, String> {
    let told = watch::Sender::new(false);
    let tell = told.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no event loop for signals: {error}"))?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        let catch = |kind| signal(kind).map_err(|error| format!("no signals: {error}"));
        (
            catch(SignalKind::interrupt())?,
            catch(SignalKind::terminate())?,
        )
    };
    std::thread::spawn(move || {
        runtime.block_on(async move {
            loop {
                let code = tokio::select! {
                    biased;
                    _ = interrupt.recv() => 130,
                    _ = terminate.recv() => 143,
                };
                if RUNS.load(Ordering::SeqCst) == 0 {
                    std::process::exit(code);
                }
                tell.send_replace(true);
            }
        });
    });
    Ok(told)
}

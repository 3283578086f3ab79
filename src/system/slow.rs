//! Tells people that something goes on, when it takes longer than one waits without wondering.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Tells the user what is waited for.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// How long one waits without wondering.
const SOON: Duration = Duration::from_secs(1);

/// Something that goes on until this is dropped.
#[derive(Debug, Default)]
pub struct GoingOn(Option<(Sender<()>, JoinHandle<()>)>);

impl GoingOn {
    /// Has this told after a second, if it still goes on then.
    pub fn new(tell: Tell, message: String) -> Self {
        Self::told_after(SOON, tell, message)
    }

    fn told_after(soon: Duration, tell: Tell, message: String) -> Self {
        let (over, ends) = mpsc::channel();
        let waits = move || {
            if ends.recv_timeout(soon) == Err(RecvTimeoutError::Timeout) {
                tell(&message);
            }
        };
        // Without a thread nobody is told, and that is no reason not to go on.
        Self(thread::Builder::new().spawn(waits).ok().map(|teller| (over, teller)))
    }
}

impl Drop for GoingOn {
    fn drop(&mut self) {
        if let Some((over, teller)) = self.0.take() {
            drop(over);
            let _ = teller.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn only_what_takes_long_is_told() {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let tell: Tell = {
            let told = Arc::clone(&told);
            Arc::new(move |message| told.lock().unwrap().push(message.to_owned()))
        };
        drop(GoingOn::told_after(Duration::from_mins(1), Arc::clone(&tell), "short".to_owned()));
        let long = GoingOn::told_after(Duration::ZERO, tell, "long".to_owned());
        while told.lock().unwrap().is_empty() {
            thread::yield_now();
        }
        drop(long);
        assert_eq!(*told.lock().unwrap(), ["long"]);
    }
}

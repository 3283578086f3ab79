//! The registry in PostgreSQL, for a team.
//!
//! Writers of one host queue for an advisory lock of that host, so a busy host costs others nothing. What
//! holds across hosts (a production port, a public name, a project's range) is held by constraints alone,
//! and a row that another host changed meanwhile is noticed by its revision: the transaction is then run
//! again, on what is there now. A transaction leaves a number of its own behind, so that one whose answer
//! was lost can be looked up rather than repeated.

mod address;
mod columns;
mod link;
mod passfile;
mod rows;
mod tls;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::migrate::{APPLICATION_ID, MIN_READER, MIN_WRITER, POSTGRES, VERSION};
use super::{Rows, Store, StoreError, Transaction, Verdict};
use crate::registry::{Token, scope};
use crate::system::lock::Patience;
use crate::system::random_bytes;
use crate::system::slow::Tell;
use link::{Link, Trouble};
use rows::PostgresRows;

pub use address::{Address, Surroundings, is_url};

/// How long a statement may take on the server.
const STATEMENT: Duration = Duration::from_secs(10);
/// How much later than that its answer may come: a server that was stopped keeps to no limit.
const DELAY: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(STATEMENT.as_secs() + DELAY.as_secs());
/// How long a connection that was lost, or a race, is made good for.
const AGAIN_FOR: Duration = Duration::from_secs(10);
/// How long a server that did not answer is taken for down.
const DOWN_FOR: Duration = Duration::from_secs(5);
/// How often a race may be lost.
const RACES: u32 = 20;
/// How often a constraint may hold against a transaction before it is believed: another host may have
/// written between reading and writing, and whoever looks again sees that.
const CONSTRAINTS: u32 = 3;

/// What a connection is for; the number is the place in what is allowed.
#[derive(Clone, Copy)]
enum Act {
    Read,
    Write,
}

/// The registry in PostgreSQL.
pub struct PostgresStore {
    address: Address,
    host: String,
    patience: Patience,
    tell: Option<Tell>,
    link: Option<Link>,
    /// The version of the tables; 0 where there are none.
    version: i64,
    /// The oldest programs that may read and write them.
    minimum: [i64; 2],
    /// Since when no server answers, and why.
    down: Option<(Instant, String)>,
}

impl PostgresStore {
    /// Returns the registry at this address, as the machine with this key uses it. A writer waits in
    /// line at most `patience`.
    pub fn new(address: Address, host: &str, patience: impl Into<Patience>) -> Self {
        let (host, patience) = (host.to_owned(), patience.into());
        Self { address, host, patience, tell: None, link: None, version: 0, minimum: [0; 2], down: None }
    }

    /// Has somebody told when the server keeps one waiting.
    #[must_use]
    pub fn telling(mut self, tell: Option<Tell>) -> Self {
        self.tell = tell;
        self
    }

    fn unavailable(&self, why: impl Into<String>) -> StoreError {
        StoreError::Unavailable { registry: self.location(), why: why.into() }
    }

    /// Fails at once where no server answered a moment ago: a command asks more than once, and need not
    /// wait each time.
    fn check_up(&self) -> Result<(), StoreError> {
        match &self.down {
            Some((since, why)) if since.elapsed() < DOWN_FOR => Err(self.unavailable(why.clone())),
            _ => Ok(()),
        }
    }

    fn believed(&self, trouble: Trouble) -> StoreError {
        match trouble {
            Trouble::Final(error) => error,
            Trouble::Lost(why) => self.unavailable(why),
            Trouble::Race(_) => StoreError::Busy { registry: self.location() },
            Trouble::Constraint(why) => StoreError::Constraint { why },
            Trouble::Unmade => {
                StoreError::Failed { registry: self.location(), why: "its tables are gone".to_owned() }
            }
        }
    }

    /// Returns the connection, connecting if there is none, once it is clear that this program may do this.
    fn link(&mut self, act: Act) -> Result<&Link, Trouble> {
        let link = match self.link.take().filter(|link| !link.is_closed()) {
            Some(link) => link,
            None => {
                let opened = Link::open(&self.address, self.tell.as_ref());
                self.down = match &opened {
                    Err(Trouble::Final(StoreError::Unavailable { why, .. })) => {
                        Some((Instant::now(), why.clone()))
                    }
                    _ => None,
                };
                self.version = 0;
                opened?
            }
        };
        if self.version == 0 {
            self.learn(&link)?;
        }
        let minimum = self.minimum[act as usize];
        let link = self.link.insert(link);
        if self.version > VERSION && minimum > VERSION {
            let registry = self.address.shown().to_owned();
            return Err(Trouble::Final(StoreError::Newer { registry, found: self.version, known: VERSION }));
        }
        Ok(link)
    }

    /// Reads of which version the tables are, and who may use them.
    fn learn(&mut self, link: &Link) -> Result<(), Trouble> {
        let sql =
            "SELECT key, value FROM git_port.notes WHERE key IN ('version', 'min_reader', 'min_writer')";
        let rows = match link.query(sql, &[], ANSWER) {
            Ok(rows) => rows,
            Err(Trouble::Unmade) => Vec::new(),
            Err(trouble) => return Err(trouble),
        };
        let number = |wanted: &str| {
            let row = rows.iter().find(|row| row.get::<_, &str>(0) == wanted)?;
            row.get::<_, &str>(1).parse::<i64>().ok()
        };
        self.version = number("version").unwrap_or(0);
        self.minimum = ["min_reader", "min_writer"].map(|key| number(key).unwrap_or(self.version));
        Ok(())
    }

    /// Makes the tables, or adds what this version needs, while nobody else does.
    fn migrate(&mut self) -> Result<(), Trouble> {
        if self.version >= VERSION {
            return Ok(());
        }
        let waiting = self.waiting();
        let begin = format!(
            "BEGIN; {}; SELECT pg_advisory_xact_lock({APPLICATION_ID}, 0)",
            limits(self.patience.at_most)
        );
        let link = self.link(Act::Write)?;
        link.batch(&begin, waiting)?;
        let ask = |sql: &str| Ok::<_, Trouble>(link.query(sql, &[], ANSWER)?.into_iter().next());
        let is = |sql: &str| Ok::<_, Trouble>(ask(sql)?.is_some_and(|row| row.get(0)));
        // Whoever held the lock may have done it; and who may not make a schema may have been given one.
        let mut version = 0;
        if is("SELECT to_regclass('git_port.notes') IS NOT NULL")? {
            let noted = ask("SELECT value FROM git_port.notes WHERE key = 'version'")?;
            version = noted.and_then(|row| row.get::<_, &str>(0).parse().ok()).unwrap_or(0);
        } else if !is("SELECT to_regnamespace('git_port') IS NOT NULL")? {
            link.batch("CREATE SCHEMA git_port", ANSWER)?;
        }
        for script in POSTGRES.iter().skip(usize::try_from(version).unwrap_or(0)) {
            link.batch(script, ANSWER)?;
        }
        if version < VERSION {
            for (key, value) in [("version", VERSION), ("min_reader", MIN_READER), ("min_writer", MIN_WRITER)]
            {
                let sql = "INSERT INTO git_port.notes (key, value) VALUES ($1, $2) \
                    ON CONFLICT (key) DO UPDATE SET value = excluded.value";
                link.execute(sql, &[key.into(), value.to_string().as_str().into()], ANSWER)?;
            }
        }
        link.batch("COMMIT", ANSWER)?;
        self.version = version.max(VERSION);
        Ok(())
    }

    /// How long the answer of a statement may take that waits for a lock.
    fn waiting(&self) -> Duration {
        self.patience.at_most + DELAY
    }

    /// Runs `work` once. `lost` is the number of a transaction whose answer was lost.
    fn attempt(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Transaction) -> Verdict,
        lost: &mut Option<String>,
    ) -> Result<(), Trouble> {
        self.link(Act::Write)?;
        let migrated = self.migrate();
        self.undo_if_failed(&migrated);
        migrated?;
        let begun = self.begin_writing();
        self.undo_if_failed(&begun);
        begun?;
        let link = self.link.as_ref().ok_or_else(|| Trouble::Lost("it was closed".to_owned()))?;
        if let Some(number) = lost.take() {
            // With this host's lock in hand, that transaction has come to its end, one way or the other.
            let sql = "SELECT 1 FROM git_port.commits WHERE number = $1";
            let found = link.query(sql, &[number.as_str().into()], ANSWER);
            let found = found.inspect_err(|_| *lost = Some(number))?;
            if !found.is_empty() {
                let _ = link.batch("ROLLBACK", ANSWER);
                return Ok(());
            }
        }
        let mut rows = PostgresRows::new(link, ANSWER, self.version);
        let verdict = work(&mut rows);
        let trouble = rows.into_trouble();
        if verdict == Verdict::Commit && trouble.is_none() {
            let random =
                random_bytes().map_err(|error| Trouble::Final(self.unavailable(error.to_string())))?;
            let number = Token::from_random(random).to_string();
            let sql = format!("INSERT INTO git_port.commits (number) VALUES ('{number}'); COMMIT");
            let ended = link.batch(&sql, ANSWER);
            if matches!(ended, Err(Trouble::Lost(_))) {
                *lost = Some(number);
            }
            self.undo_if_failed(&ended);
            return ended;
        }
        if link.batch("ROLLBACK", ANSWER).is_err() {
            self.link = None;
        }
        match trouble {
            Some(trouble) => Err(trouble),
            None => Ok(()),
        }
    }

    /// Takes this host's lock, in a transaction. The snapshot of each statement is taken after that, so
    /// whoever waited sees what the others wrote.
    fn begin_writing(&mut self) -> Result<(), Trouble> {
        let waiting = self.waiting();
        let turn = format!("SELECT pg_advisory_xact_lock({APPLICATION_ID}, {})", lock_number(&self.host));
        let sql = format!("BEGIN ISOLATION LEVEL READ COMMITTED; {}; {turn}", limits(self.patience.at_most));
        self.link(Act::Write)?.batch(&sql, waiting)
    }

    /// Leaves no transaction half done: what comes next would be part of it.
    fn undo_if_failed<T>(&mut self, ended: &Result<T, Trouble>) {
        let Err(trouble) = ended else { return };
        let undone = match (&self.link, trouble) {
            (_, Trouble::Lost(_)) => false,
            (Some(link), _) => link.batch("ROLLBACK", ANSWER).is_ok(),
            (None, _) => return,
        };
        if !undone {
            self.link = None;
        }
    }

    fn look(&mut self, work: &mut dyn FnMut(&mut dyn Rows)) -> Result<(), Trouble> {
        let waiting = self.waiting();
        let sql =
            format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}", limits(self.patience.at_most));
        let link = self.link(Act::Read)?;
        let begun = link.batch(&sql, waiting);
        self.undo_if_failed(&begun);
        begun?;
        let link = self.link.as_ref().ok_or_else(|| Trouble::Lost("it was closed".to_owned()))?;
        let mut rows = PostgresRows::new(link, ANSWER, self.version);
        work(&mut rows);
        let trouble = rows.into_trouble();
        // Nothing hangs on how a transaction ends that only read.
        if link.batch("ROLLBACK", ANSWER).is_err() {
            self.link = None;
        }
        trouble.map_or(Ok(()), Err)
    }
}

impl Store for PostgresStore {
    fn view(&mut self, work: &mut dyn FnMut(&mut dyn Rows)) -> Result<(), StoreError> {
        self.check_up()?;
        let is_fresh = self.link.is_none();
        match self.look(work) {
            // A connection that lay idle may have gone since; reading twice does no harm.
            Err(Trouble::Lost(_)) if !is_fresh => self.look(work),
            other => other,
        }
        .map_err(|trouble| self.believed(trouble))
    }

    fn transact(&mut self, work: &mut dyn FnMut(&mut dyn Transaction) -> Verdict) -> Result<(), StoreError> {
        self.check_up()?;
        let since = Instant::now();
        let (mut races, mut constraints) = (0, 0);
        let mut lost = None;
        let mut was_there = self.link.is_some();
        loop {
            let trouble = match self.attempt(work, &mut lost) {
                Ok(()) => return Ok(()),
                Err(trouble) => trouble,
            };
            let again = match &trouble {
                Trouble::Race(_) => {
                    races += 1;
                    races < RACES
                }
                Trouble::Constraint(_) => {
                    constraints += 1;
                    constraints < CONSTRAINTS
                }
                // A server that was there may come back, or another may take its place.
                Trouble::Lost(_) => true,
                Trouble::Final(StoreError::Unavailable { .. }) => was_there,
                Trouble::Unmade | Trouble::Final(_) => false,
            };
            was_there |= matches!(trouble, Trouble::Lost(_));
            if !again || since.elapsed() >= AGAIN_FOR {
                return Err(match lost {
                    Some(_) => self.unavailable(
                        "the connection was lost before the answer came, so it is not known whether it was \
                         recorded; the same command again will tell",
                    ),
                    None => self.believed(trouble),
                });
            }
            pause(races, &trouble);
        }
    }

    fn location(&self) -> String {
        self.address.shown().to_owned()
    }

    fn file(&self) -> Option<PathBuf> {
        None
    }
}

/// Waits a little, and not as long as everybody else.
fn pause(races: u32, trouble: &Trouble) {
    let most = match trouble {
        Trouble::Constraint(_) => 5,
        Trouble::Race(_) => 10 << races.min(5),
        _ => 300,
    };
    let share = random_bytes().map_or(128, |bytes| u64::from(bytes[0]));
    std::thread::sleep(Duration::from_millis(most / 4 + most * share / 256));
}

/// The limits of a transaction. A holder of the lock who has gone to sleep loses it; and whatever the
/// database is set to, what was acknowledged is on its disk.
fn limits(patience: Duration) -> String {
    let statement = STATEMENT.as_millis();
    let lock = patience.as_millis().max(1);
    format!(
        "SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {lock}; \
         SET LOCAL idle_in_transaction_session_timeout = {statement}; \
         SELECT set_config('synchronous_commit', 'on', true) \
         WHERE current_setting('synchronous_commit') = 'off'",
        statement.max(lock + 1)
    )
}

/// Returns the number of a host's lock. It is the same in every version, or two versions would not keep
/// out of each other's way; 0 is the lock of the migrations.
fn lock_number(host: &str) -> i32 {
    match scope::fnv1a(host.as_bytes()).cast_signed() {
        0 => 1,
        number => number,
    }
}

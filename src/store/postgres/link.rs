//! One connection to the server, of which every act has a time limit.
//!
//! The server's own limits hold for its statements. Those here hold for everything: a server that was
//! stopped, or a cable that was pulled, answers nothing at all.

use std::error::Error as _;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, Row, Socket};

use super::address::{Address, Encryption, Server, Session};
use super::tls;
use crate::store::StoreError;
use crate::system::slow::Tell;

/// After this long the user is told what is waited for.
const SILENT_FOR: Duration = Duration::from_millis(1500);

/// How long a server that is starting, or has no connection left, is asked again.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// A parameter of a statement.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Truth(bool),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    fn bound(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Text(value) => (value, Type::TEXT),
            Self::Number(value) => (value, Type::INT8),
            Self::Truth(value) => (value, Type::BOOL),
            Self::Bytes(value) => (value, Type::BYTEA),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

/// What went wrong below the rows.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection is gone, and with it whatever was not committed.
    Lost(String),
    /// The server undid the transaction in favour of another.
    Race(String),
    /// A constraint holds against it; perhaps since another host wrote.
    Constraint(String),
    /// The tables are not there: nothing was ever recorded.
    Unmade,
    /// Nothing will change if it is tried again.
    Final(StoreError),
}

/// A connection.
pub(super) struct Link {
    /// None only while it is being dropped.
    runtime: Option<Runtime>,
    client: Client,
    tell: Option<Tell>,
    shown: String,
}

impl Drop for Link {
    fn drop(&mut self) {
        // A name that is still being looked up must not hold up the end of the program.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Link {
    /// Connects to the first server that will do.
    pub(super) fn open(address: &Address, tell: Option<&Tell>) -> Result<Self, Trouble> {
        let unavailable = |why: String| {
            Trouble::Final(StoreError::Unavailable { registry: address.shown().to_owned(), why })
        };
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| unavailable(error.to_string()))?;
        let since = Instant::now();
        let connecting = async {
            loop {
                match connect_to_any(address).await {
                    Ok(client) => return Ok(client),
                    Err((Trouble::Race(_), _)) if since.elapsed() < STARTS_WITHIN => {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    Err((trouble, _)) => return Err(trouble),
                }
            }
        };
        let client = runtime.block_on(telling(tell, address.shown(), connecting));
        match client {
            Ok(client) => Ok(Self {
                runtime: Some(runtime),
                client,
                tell: tell.cloned(),
                shown: address.shown().into(),
            }),
            Err(trouble) => {
                runtime.shutdown_background();
                Err(trouble)
            }
        }
    }

    /// Runs statements without parameters.
    pub(super) fn batch(&self, sql: &str, within: Duration) -> Result<(), Trouble> {
        self.run(within, self.client.batch_execute(sql))
    }

    pub(super) fn query(&self, sql: &str, values: &[Value], within: Duration) -> Result<Vec<Row>, Trouble> {
        let bound: Vec<_> = values.iter().map(Value::bound).collect();
        self.run(within, self.client.query_typed(sql, &bound))
    }

    /// Returns how many rows were changed.
    pub(super) fn execute(&self, sql: &str, values: &[Value], within: Duration) -> Result<u64, Trouble> {
        let bound: Vec<_> = values.iter().map(Value::bound).collect();
        self.run(within, self.client.execute_typed(sql, &bound))
    }

    /// Returns the registry's address for people.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    fn run<T>(
        &self,
        within: Duration,
        act: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Trouble> {
        let Some(runtime) = &self.runtime else { return Err(Trouble::Lost("it was closed".to_owned())) };
        let limited = async {
            match tokio::time::timeout(within, act).await {
                Ok(answer) => answer.map_err(|error| trouble(&self.shown, &error)),
                Err(_) => Err(Trouble::Lost(format!("no answer within {} s", within.as_secs()))),
            }
        };
        runtime.block_on(telling(self.tell.as_ref(), &self.shown, limited))
    }
}

/// Tells the user, once, when an act takes longer than one waits without wondering.
async fn telling<T>(tell: Option<&Tell>, shown: &str, act: impl Future<Output = T>) -> T {
    let mut act = pin!(act);
    if let Ok(answer) = tokio::time::timeout(SILENT_FOR, &mut act).await {
        return answer;
    }
    if let Some(tell) = tell {
        tell(&format!("waiting for the registry '{shown}'"));
    }
    act.await
}

/// Connects to the first server that will do. With the trouble comes how bad it is: what somebody can act
/// on is told rather than that another server did not answer.
async fn connect_to_any(address: &Address) -> Result<Client, (Trouble, u8)> {
    let mut worst: Option<(Trouble, u8)> = None;
    for server in &address.servers {
        match connect(address, server).await {
            Ok(client) => return Ok(client),
            Err(trouble) => {
                let weight = match &trouble {
                    Trouble::Final(StoreError::Unavailable { .. }) => 0,
                    Trouble::Race(_) => 2,
                    _ => 1,
                };
                if worst.as_ref().is_none_or(|(_, known)| weight > *known) {
                    worst = Some((trouble, weight));
                }
            }
        }
    }
    Err(worst.unwrap_or_else(|| (Trouble::Lost("it names no server".to_owned()), 0)))
}

async fn connect(address: &Address, server: &Server) -> Result<Client, Trouble> {
    let mut config = Config::new();
    config
        .host(&server.host)
        .port(server.port)
        .user(&address.user)
        .dbname(&address.database)
        .application_name(&address.application)
        .tcp_user_timeout(Duration::from_secs(10))
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(3))
        .keepalives_retries(3);
    if let Some(ip) = server.address {
        config.hostaddr(ip);
    }
    if let Some(password) = &server.password {
        config.password(password);
    }
    if let Some(options) = &address.options {
        config.options(options);
    }
    let encryption = if server.is_socket() { Encryption::Never } else { address.encryption };
    config.ssl_mode(match encryption {
        Encryption::Never => SslMode::Disable,
        Encryption::Offered => SslMode::Prefer,
        Encryption::Always => SslMode::Require,
    });
    let connecting = async {
        let client = if encryption == Encryption::Never {
            started(&config, NoTls).await
        } else {
            let connector = tls::connector(address).map_err(|why| unavailable(address, &why))?;
            started(&config, connector).await
        };
        let client = client.map_err(|error| refused(address, &error))?;
        if address.session == Session::ReadWrite && is_read_only(&client).await {
            return Err(unavailable(address, "no server of it can be written"));
        }
        Ok(client)
    };
    match tokio::time::timeout(address.connect_within, connecting).await {
        Ok(connected) => connected,
        Err(_) => {
            let seconds = address.connect_within.as_secs();
            Err(unavailable(address, &format!("'{}' does not answer within {seconds} s", server.host)))
        }
    }
}

/// Connects, and lets what the connection has to do be done whenever something is asked of it.
async fn started<T>(config: &Config, tls: T) -> Result<Client, tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let (client, connection) = config.connect(tls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn is_read_only(client: &Client) -> bool {
    let asked = client.query_typed("SHOW transaction_read_only", &[]).await;
    asked.is_ok_and(|rows| rows.first().is_some_and(|row| row.get::<_, &str>(0) == "on"))
}

fn unavailable(address: &Address, why: &str) -> Trouble {
    Trouble::Final(StoreError::Unavailable { registry: address.shown().to_owned(), why: why.to_owned() })
}

/// Says why there is no connection.
fn refused(address: &Address, error: &tokio_postgres::Error) -> Trouble {
    let registry = address.shown().to_owned();
    let why = words(error);
    match error.code() {
        // Starting, or full: a moment later it may be otherwise.
        Some(code) if [SqlState::CANNOT_CONNECT_NOW, SqlState::TOO_MANY_CONNECTIONS].contains(code) => {
            Trouble::Race(why)
        }
        Some(code) if code.code().starts_with("28") || *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            Trouble::Final(StoreError::Refused { act: "open", registry, why })
        }
        None if why.ends_with("password missing") => {
            let why = "the server asks for a password, and none is known".to_owned();
            Trouble::Final(StoreError::Refused { act: "open", registry, why })
        }
        _ => Trouble::Final(StoreError::Unavailable { registry, why }),
    }
}

/// Says what an error means for whoever is in a transaction.
fn trouble(shown: &str, error: &tokio_postgres::Error) -> Trouble {
    let registry = shown.to_owned();
    let why = words(error);
    let Some(code) = error.code() else {
        return Trouble::Lost(why);
    };
    match code.code() {
        "40001" | "40P01" => Trouble::Race(why),
        "42P01" | "3F000" => Trouble::Unmade,
        // A standby that was a primary, or a server that goes down or came up: another connection helps.
        "25006" | "25P03" | "57P01" | "57P02" | "57P03" | "57P05" => Trouble::Lost(why),
        text if text.starts_with("08") => Trouble::Lost(why),
        text if text.starts_with("23") => Trouble::Constraint(why),
        "55P03" => Trouble::Final(StoreError::Busy { registry }),
        "42501" => Trouble::Final(StoreError::Refused { act: "use", registry, why }),
        "57014" => Trouble::Final(StoreError::Unavailable { registry, why: "it takes too long".to_owned() }),
        text if text.starts_with("53") => Trouble::Final(StoreError::Unavailable { registry, why }),
        _ => Trouble::Final(StoreError::Failed { registry, why }),
    }
}

/// Returns what the server, or the way to it, said.
fn words(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}

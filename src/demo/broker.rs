//! An MQTT broker inside this process, for the demo and for tests: on a free port of the loopback
//! interface, everything in memory. Knows nothing of roles and the link.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use mqtt5::broker::config::{StorageBackend, StorageConfig};
use mqtt5::broker::{AuthProvider, AuthResult, BrokerConfig, BrokerShutdownHandle, MqttBroker};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;

use crate::link::Login;
use crate::role::{Failure, Kind};

/// A running broker. Dropping it stops it, and waits until it has stopped.
pub struct Broker {
    port: u16,
    shutdown: BrokerShutdownHandle,
    thread: Option<JoinHandle<()>>,
}

/// What the broker's thread reports once: that it listens, or why it does not.
type Started = Result<(u16, BrokerShutdownHandle), String>;

impl Broker {
    /// Starts a broker that asks for no login.
    ///
    /// # Errors
    /// When the system gives it no port or no thread.
    pub fn start() -> Result<Self, Failure> {
        Self::launch(None)
    }

    /// Starts a broker that accepts this login and no other.
    ///
    /// # Errors
    /// When the system gives it no port or no thread.
    pub fn start_with_login(login: Login) -> Result<Self, Failure> {
        Self::launch(Some(login))
    }

    /// The TCP port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    fn launch(login: Option<Login>) -> Result<Self, Failure> {
        let failed = |why: &dyn std::fmt::Display| {
            let text = format!("the embedded broker cannot start: {why}");
            Failure::new(Kind::Unreachable, text)
        };
        let (sender, started) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("broker".to_owned())
            .spawn(move || {
                if let Err(why) = serve(login, &sender) {
                    // After the start the receiver is gone, and the error with it.
                    let _ = sender.send(Err(why));
                }
            })
            .map_err(|error| failed(&error))?;
        match started.recv() {
            Ok(Ok((port, shutdown))) => Ok(Self {
                port,
                shutdown,
                thread: Some(thread),
            }),
            Ok(Err(why)) => Err(failed(&why)),
            Err(_) => Err(failed(&"its thread ended")),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.shutdown.shutdown();
        if let Some(thread) = self.thread.take() {
            // It ends with the broker; a panic has been printed where it happened.
            let _ = thread.join();
        }
    }
}

/// Runs the broker until it is shut down.
fn serve(login: Option<Login>, started: &Sender<Started>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut broker = MqttBroker::with_config(config())
            .await
            .map_err(|error| error.to_string())?;
        if let Some(login) = login {
            broker = broker.with_auth_provider(Arc::new(OneLogin(login)));
        }
        let address = broker.local_addr().ok_or("it has no address")?;
        let running = (address.port(), broker.shutdown_handle());
        let mut ready = broker.ready_receiver();
        let started = started.clone();
        // A shutdown before the broker is ready would be lost, and waiting for its end hang.
        tokio::spawn(async move {
            if ready.wait_for(|ready| *ready).await.is_ok() {
                let _ = started.send(Ok(running));
            }
        });
        broker.run().await.map_err(|error| error.to_string())
    })
}

/// Its defaults would listen to the whole network, on port 1883, and write into the working directory.
fn config() -> BrokerConfig {
    BrokerConfig::new()
        .with_bind_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .with_sys_topics_enabled(false)
        .with_storage(StorageConfig::new().with_backend(StorageBackend::Memory))
}

/// Answers at once; mqtt5's own check of a password file takes most of a second.
struct OneLogin(Login);

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl AuthProvider for OneLogin {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _: SocketAddr,
    ) -> Answer<'a, mqtt5::Result<AuthResult>> {
        let Login { username, password } = &self.0;
        let right = connect.username.as_ref() == Some(username)
            && connect.password.as_deref() == Some(password.as_bytes());
        let result = match right {
            true => AuthResult::success_with_user(username.as_str()),
            false => AuthResult::fail(ReasonCode::BadUsernameOrPassword),
        };
        Box::pin(std::future::ready(Ok(result)))
    }

    fn authorize_publish<'a>(
        &'a self,
        _: &str,
        _: Option<&'a str>,
        _: &'a str,
    ) -> Answer<'a, bool> {
        Box::pin(std::future::ready(true))
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _: &str,
        _: Option<&'a str>,
        _: &'a str,
    ) -> Answer<'a, bool> {
        Box::pin(std::future::ready(true))
    }
}

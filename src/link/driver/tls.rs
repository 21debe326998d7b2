//! TLS: which certificates are trusted, which one is shown, and what a broken handshake means.

use std::path::PathBuf;

use crate::role::Failure;

/// The files that a TLS connection is configured by; each is PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Whom to trust instead of the system's certificate authorities.
    pub authorities: Option<PathBuf>,
    /// The certificate to show, where the broker asks for one, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

#[cfg(not(feature = "tls"))]
mod absent {
    use super::{Failure, TlsFiles};
    use crate::role::Kind;

    /// There is no TLS in this build.
    #[derive(Debug, Clone)]
    pub enum Tls {}

    impl Tls {
        /// Says so.
        ///
        /// # Errors
        /// Always.
        pub fn load(_: &TlsFiles) -> Result<Self, Failure> {
            let text = "this build has no TLS: build it with the feature `tls`";
            Err(Failure::new(Kind::Usage, text))
        }
    }
}

#[cfg(not(feature = "tls"))]
pub use absent::Tls;

#[cfg(feature = "tls")]
mod present {
    use std::io;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use rumqttc::{TlsConfiguration, TlsError, Transport};
    use rustls::client::ResolvesClientCert;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::sign::CertifiedKey;
    use rustls::{
        AlertDescription, CertificateError, ClientConfig, Error, RootCertStore, SignatureScheme,
    };

    use super::{Failure, TlsFiles};
    use crate::role::Kind;

    /// A TLS configuration, ready for any number of connections. Certificates are always verified.
    #[derive(Debug, Clone)]
    pub struct Tls {
        config: Arc<ClientConfig>,
        /// Why some of the system's certificate authorities are not among the trusted.
        incomplete: Option<String>,
        identity: Identity,
    }

    /// What there is to show a broker that asks for a certificate.
    #[derive(Debug, Clone)]
    enum Identity {
        Given,
        Absent(Arc<NothingToShow>),
    }

    /// Remembers that the broker asked: up to TLS 1.2 its alert has the same name for a certificate that
    /// it missed as for ciphers that it does not like (RFC 5246, sections 7.2.2 and 7.4.6).
    #[derive(Debug, Default)]
    struct NothingToShow {
        asked: AtomicBool,
    }

    impl ResolvesClientCert for NothingToShow {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            self.asked.store(true, Ordering::Relaxed);
            None
        }

        fn has_certs(&self) -> bool {
            false
        }
    }

    fn wrong(option: &str, file: &Path, why: impl std::fmt::Display) -> Failure {
        Failure::new(Kind::Config, format!("{option} {}: {why}", file.display()))
    }

    impl Tls {
        /// Reads the files, and the system's certificate authorities where none are named.
        ///
        /// # Errors
        /// Names the file that cannot be read or is not what it should be.
        pub fn load(files: &TlsFiles) -> Result<Self, Failure> {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let (trusted, incomplete) = match &files.authorities {
                Some(file) => (authorities(file)?, None),
                None => system_authorities()?,
            };
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| Failure::new(Kind::Config, format!("TLS: {error}")))?
                .with_root_certificates(trusted);
            let (config, identity) = match &files.identity {
                None => {
                    let nothing = Arc::new(NothingToShow::default());
                    let config = config.with_client_cert_resolver(Arc::clone(&nothing) as _);
                    (config, Identity::Absent(nothing))
                }
                Some((certificate, key)) => {
                    let config = config
                        .with_client_auth_cert(
                            certificates("--cert", certificate)?,
                            private_key(key)?,
                        )
                        .map_err(|error| {
                            let certificate = certificate.display();
                            let why = match error {
                                Error::InconsistentKeys(_) => {
                                    format!("it is not the key of {certificate}")
                                }
                                error => format!("with {certificate}: {error}"),
                            };
                            wrong("--key", key, why)
                        })?;
                    (config, Identity::Given)
                }
            };
            Ok(Self {
                config: Arc::new(config),
                incomplete,
                identity,
            })
        }

        pub(crate) fn transport(&self) -> Transport {
            Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(&self.config)))
        }
    }

    fn certificates(option: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
        let pem = std::fs::read(file).map_err(|error| wrong(option, file, error))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            Ok(_) => Err(wrong(
                option,
                file,
                "there is no certificate in PEM form in it",
            )),
            Err(error) => Err(wrong(
                option,
                file,
                format!("not a certificate in PEM form: {error}"),
            )),
        }
    }

    fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
        let pem = std::fs::read(file).map_err(|error| wrong("--key", file, error))?;
        PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
            wrong(
                "--key",
                file,
                "there is no unencrypted private key in PEM form in it",
            )
        })
    }

    fn authorities(file: &Path) -> Result<RootCertStore, Failure> {
        let mut store = RootCertStore::empty();
        for certificate in certificates("--cafile", file)? {
            store.add(certificate).map_err(|error| {
                wrong(
                    "--cafile",
                    file,
                    format!("not a certificate authority: {error}"),
                )
            })?;
        }
        Ok(store)
    }

    /// With what went wrong first, if anything did. Not a warning yet: most brokers need none of what is
    /// missing.
    fn system_authorities() -> Result<(RootCertStore, Option<String>), Failure> {
        let found = rustls_native_certs::load_native_certs();
        let incomplete = found.errors.first().map(ToString::to_string);
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            let why = match incomplete {
                Some(error) => format!("this system's certificate authorities: {error}"),
                None => "this system has no certificate authorities".to_owned(),
            };
            let text = format!("{why}; install ca-certificates, or name one with --cafile");
            return Err(Failure::new(Kind::Config, text));
        }
        Ok((store, incomplete))
    }

    /// What a TLS error means: what to say, whether waiting cannot mend it, and the exit code then.
    pub(crate) fn explain(error: &Error, tls: &Tls) -> Option<(String, Option<Kind>)> {
        let final_ = Some(Kind::Unreachable);
        Some(match error {
            Error::InvalidCertificate(problem) => match problem {
                // A bad signature: another authority of the same name, as when it was made anew.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => (
                    format!(
                        "shows a certificate of an authority that is not trusted here: name the authority with --cafile{}",
                        tls.incomplete.as_ref().map_or(String::new(), |why| format!(
                            " (not all of the system's could be read: {why})"
                        ))
                    ),
                    final_,
                ),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                    "shows a certificate that has expired: renew it there, or set the clock here".to_owned(),
                    final_,
                ),
                // A Pi has no clock of its own: it starts in the past, until the network tells it.
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
                    "shows a certificate that is not valid yet: is the clock here set?".to_owned(),
                    None,
                ),
                CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => (
                    "shows a certificate without a subjectAltName: make it again with one for this host".to_owned(),
                    final_,
                ),
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => (
                    "shows a certificate for another name: use the host name that is in it".to_owned(),
                    final_,
                ),
                CertificateError::Other(other) => (
                    match other.to_string().as_str() {
                        "UnsupportedCertVersion" => "shows a certificate of X.509 version 1: make it again with a subjectAltName, which makes it version 3".to_owned(),
                        "CaUsedAsEndEntity" => "shows an authority's certificate as its own: make it again with basicConstraints CA:FALSE".to_owned(),
                        other => format!("shows a certificate that cannot be used: {other}"),
                    },
                    final_,
                ),
                other => (format!("shows a certificate that cannot be used: {other}"), final_),
            },
            Error::AlertReceived(AlertDescription::CertificateRequired) => wants_certificate(),
            Error::AlertReceived(AlertDescription::HandshakeFailure) => match &tls.identity {
                Identity::Absent(nothing) if nothing.asked.swap(false, Ordering::Relaxed) => {
                    wants_certificate()
                }
                Identity::Absent(_) => (
                    "refused the TLS handshake: does it accept TLS 1.2 or 1.3, with ciphers of today?".to_owned(),
                    final_,
                ),
                Identity::Given => (
                    "refused the TLS handshake: does it accept the certificate given with --cert, and TLS 1.2 or 1.3 with ciphers of today?".to_owned(),
                    final_,
                ),
            },
            Error::AlertReceived(AlertDescription::ProtocolVersion) => (
                "speaks no TLS newer than 1.1: allow TLS 1.2 or 1.3 there".to_owned(),
                final_,
            ),
            Error::AlertReceived(
                AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateExpired
                | AlertDescription::AccessDenied,
            ) => (
                "refused the certificate given with --cert".to_owned(),
                Some(Kind::Refused),
            ),
            Error::InvalidMessage(_) => (
                "does not speak TLS on this port: check --port, or leave --tls away".to_owned(),
                None,
            ),
            _ => return None,
        })
    }

    fn wants_certificate() -> (String, Option<Kind>) {
        let text = "wants a certificate from its clients: give --cert and --key";
        (text.to_owned(), Some(Kind::Refused))
    }

    /// The TLS error inside an I/O error, if it is one.
    pub(crate) fn inside(error: &io::Error) -> Option<&Error> {
        error.get_ref()?.downcast_ref()
    }

    /// The TLS error inside rumqttc's, if it is one.
    pub(crate) fn inside_rumqttc(error: &TlsError) -> Option<&Error> {
        match error {
            TlsError::Io(error) => inside(error),
            TlsError::TLS(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(feature = "tls")]
pub use present::Tls;
#[cfg(feature = "tls")]
pub(super) use present::{explain, inside, inside_rumqttc};

//! TLS: which certificate authorities this program trusts, which certificate it shows, and what a failed handshake
//! means.

use std::path::PathBuf;

use crate::role::Failure;

/// The files that configure a TLS connection; each is PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate authorities to trust instead of the system's.
    pub authorities: Option<PathBuf>,
    /// The certificate for a broker that asks for one, and the certificate's key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

#[cfg(not(feature = "tls"))]
mod absent {
    use super::{Failure, TlsFiles};
    use crate::role::Kind;

    /// No TLS: this build was made without the feature `tls`.
    #[derive(Debug, Clone)]
    pub enum Tls {}

    impl Tls {
        /// Fails, because this build has no TLS.
        ///
        /// # Errors
        /// Always; the text names the feature.
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
    use crate::utc;

    /// A TLS configuration for any number of connections. It always verifies the broker's certificate.
    #[derive(Debug, Clone)]
    pub struct Tls {
        config: Arc<ClientConfig>,
        /// Why some of the system's certificate authorities could not be read, and so are not trusted.
        incomplete: Option<String>,
        identity: Identity,
    }

    /// Whether the user has given a certificate for a broker that asks for one.
    #[derive(Debug, Clone)]
    enum Identity {
        Given,
        Absent(Arc<NothingToShow>),
    }

    /// Remembers that the broker asked for a certificate, because up to TLS 1.2 the broker's alert is the same for a
    /// missing certificate and for ciphers that it does not accept (RFC 5246, sections 7.2.2 and 7.4.6).
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
        /// Reads the files, and the system's certificate authorities where `files` names none.
        ///
        /// # Errors
        /// When a file cannot be read or has the wrong content; the text names the file.
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

        pub(crate) fn config(&self) -> Arc<ClientConfig> {
            Arc::clone(&self.config)
        }

        pub(crate) fn transport(&self) -> Transport {
            Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(&self.config)))
        }

        /// A configuration for tests that open no connection.
        #[cfg(test)]
        pub(crate) fn that_trusts_no_authority() -> Self {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let nothing = Arc::new(NothingToShow::default());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(RootCertStore::empty())
                .with_client_cert_resolver(Arc::clone(&nothing) as _);
            Self {
                config: Arc::new(config),
                incomplete: None,
                identity: Identity::Absent(nothing),
            }
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

    /// The system's certificate authorities, and the first error among them. The error is no warning, because most
    /// brokers need none of the missing authorities.
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

    /// What a TLS error means: the text for the user, and how the run ends if waiting cannot mend the error. `None`
    /// for an error that needs no text of its own.
    pub(crate) fn explain(error: &Error, tls: &Tls) -> Option<(String, Option<Kind>)> {
        let final_ = Some(Kind::Unreachable);
        Some(match error {
            Error::InvalidCertificate(problem) => match problem {
                // The signature is bad when the authority was made anew under its old name.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => (
                    format!(
                        "shows a certificate of an authority that is not trusted here: name the authority with --cafile{}",
                        tls.incomplete.as_ref().map_or(String::new(), |why| format!(
                            " (not all of the system's could be read: {why})"
                        ))
                    ),
                    final_,
                ),
                CertificateError::ExpiredContext { time, not_after } => (
                    format!(
                        "shows a certificate that has expired on {}: renew it there, or set the clock here, which says {}",
                        utc::date(not_after.as_secs()),
                        utc::date(time.as_secs())
                    ),
                    final_,
                ),
                CertificateError::Expired => (
                    "shows a certificate that has expired: renew it there, or set the clock here".to_owned(),
                    final_,
                ),
                // Waiting may mend this, because a Pi has no clock of its own: after a start its time is in the
                // past, until it has asked the network.
                CertificateError::NotValidYetContext { time, not_before } => (
                    format!(
                        "shows a certificate that is not valid yet, but from {} on: is the clock here set? it says {}",
                        utc::date(not_before.as_secs()),
                        utc::date(time.as_secs())
                    ),
                    None,
                ),
                CertificateError::NotValidYet => (
                    "shows a certificate that is not valid yet: is the clock here set?".to_owned(),
                    None,
                ),
                CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => (
                    "shows a certificate without a subjectAltName: make it again with one for this host".to_owned(),
                    final_,
                ),
                CertificateError::NotValidForNameContext { presented, .. } => (
                    format!(
                        "shows a certificate for another name: use the host name that is in it ({}), or make it again with one for this host",
                        names(presented)
                    ),
                    final_,
                ),
                CertificateError::NotValidForName => (
                    "shows a certificate for another name: use the host name that is in it".to_owned(),
                    final_,
                ),
                // rustls prints these two as Rust structs. The text lists what `ring` can verify.
                CertificateError::UnsupportedSignatureAlgorithmContext { .. }
                | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
                    "shows a certificate whose signature cannot be checked here, such as one of ECDSA P-521: have it signed with RSA, Ed25519, ECDSA P-256 or P-384, and SHA-256 or SHA-384".to_owned(),
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
                    "refused the TLS handshake: does it accept TLS 1.2 or 1.3 with ciphers of today, and does it use a key other than ECDSA P-521?".to_owned(),
                    final_,
                ),
                Identity::Given => (
                    "refused the TLS handshake: does it accept the certificate given with --cert, and TLS 1.2 or 1.3 with ciphers of today, and does it use a key other than ECDSA P-521?".to_owned(),
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

    /// The names in a certificate, which rustls writes as `DnsName("pi.local")` and `IpAddress(192.0.2.7)`.
    fn names(presented: &[String]) -> String {
        let bare = |name: &String| {
            let inside = name.split_once('(').map_or(&**name, |(_, inside)| inside);
            inside.trim_matches(['"', ')']).to_owned()
        };
        presented.iter().map(bare).collect::<Vec<_>>().join(", ")
    }

    fn wants_certificate() -> (String, Option<Kind>) {
        let text = "wants a certificate from its clients: give --cert and --key";
        (text.to_owned(), Some(Kind::Refused))
    }

    /// The TLS error inside an I/O error, if there is one.
    pub(crate) fn inside(error: &io::Error) -> Option<&Error> {
        error.get_ref()?.downcast_ref()
    }

    /// The TLS error inside rumqttc's error, if there is one.
    pub(crate) fn inside_rumqttc(error: &TlsError) -> Option<&Error> {
        match error {
            TlsError::Io(error) => inside(error),
            TlsError::TLS(error) => Some(error),
            _ => None,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_certificate_with_a_signature_beyond_ring_is_explained_without_a_rust_struct() {
            let signature_algorithm_id = || vec![6, 8, 42, 134, 72, 206, 61, 4, 3, 4];
            for problem in [
                CertificateError::UnsupportedSignatureAlgorithmContext {
                    signature_algorithm_id: signature_algorithm_id(),
                    supported_algorithms: Vec::new(),
                },
                CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                    signature_algorithm_id: signature_algorithm_id(),
                    public_key_algorithm_id: vec![6, 7, 42, 134, 72, 206, 61, 2, 1],
                },
            ] {
                let name = format!("{problem:?}");
                let error = Error::InvalidCertificate(problem);
                let tls = Tls::that_trusts_no_authority();
                let (text, fatal) = explain(&error, &tls).unwrap();
                assert!(text.starts_with("shows a certificate whose signature cannot be checked"));
                assert!(text.contains("P-521") && text.contains("P-256"), "{text}");
                assert!(!text.contains(['{', '[']), "{text}");
                assert_eq!(fatal, Some(Kind::Unreachable), "{name}");
            }
        }

        #[test]
        fn a_failed_handshake_is_about_the_certificate_only_where_the_broker_asked_for_one() {
            let failure = Error::AlertReceived(AlertDescription::HandshakeFailure);
            let tls = Tls::that_trusts_no_authority();
            let (text, fatal) = explain(&failure, &tls).unwrap();
            assert!(text.contains("ciphers") && text.contains("P-521"), "{text}");
            assert_eq!(fatal, Some(Kind::Unreachable));
            tls.config.client_auth_cert_resolver.resolve(&[], &[]);
            let (text, fatal) = explain(&failure, &tls).unwrap();
            assert!(text.contains("--cert"), "{text}");
            assert_eq!(fatal, Some(Kind::Refused));
        }
    }
}

#[cfg(feature = "tls")]
pub use present::Tls;
#[cfg(feature = "tls")]
pub(super) use present::{explain, inside, inside_rumqttc};

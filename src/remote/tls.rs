//! Where the network is not trusted: TLS with certificates on both sides.
//!
//! Each host has a certificate of one authority, and asks for one. Names in them are not addresses, which may
//! all change: every host's certificate carries the same name, that of the cluster.

use std::fmt;
use std::sync::Arc;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SignatureVerificationAlgorithm, UnixTime,
};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::error::LinkError;
use super::stream::{BoxChannel, Channel};

/// The first byte of every TLS connection.
pub const TLS_FIRST_BYTE: u8 = 0x16;

/// What is read, as errors call it.
const CERTIFICATE: &str = "certificate";
const KEY: &str = "key";
const AUTHORITY: &str = "certificate of the authority";

/// Certificates for both directions.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
    name: ServerName<'static>,
    /// Why other hosts would not believe this one.
    doubt: Option<String>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls(as {:?})", self.name)
    }
}

/// Why certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// Not a certificate.
    #[error("the {0} cannot be read as PEM: {1}")]
    Pem(&'static str, String),
    /// No certificate in it.
    #[error("there is no certificate in the {0}")]
    Empty(&'static str),
    /// The name cannot be one.
    #[error("{0:?} cannot be the name in a certificate")]
    Name(String),
    /// Certificate and key do not fit.
    #[error("the key does not belong to the certificate")]
    OtherKey,
    /// They are of a kind that is not known here, or the like.
    #[error("these certificates cannot be used: {0}")]
    Unusable(String),
}

/// What a host that is dialled under that name would be told of its own certificate.
fn doubt(
    chain: &[CertificateDer<'_>],
    roots: &RootCertStore,
    name: &ServerName<'_>,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Option<String> {
    let (own, between) = chain.split_first()?;
    let believed = ParsedCertificate::try_from(own).and_then(|own| {
        verify_server_name(&own, name)?;
        verify_server_cert_signed_by_trust_anchor(&own, roots, between, UnixTime::now(), algorithms)
    });
    believed.err().map(|error| error.to_string())
}

impl Tls {
    /// Reads this host's certificate chain and key and the authority's certificate, all PEM. `name` stands in
    /// the certificate of every host, as a DNS name.
    ///
    /// # Errors
    /// [`TlsError`] says which of them is no good.
    pub fn from_pem(
        chain: &[u8],
        key: &[u8],
        authority: &[u8],
        name: &str,
    ) -> Result<Tls, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unusable = |error: &dyn fmt::Display| TlsError::Unusable(error.to_string());
        let chain = certificates(CERTIFICATE, chain)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| TlsError::Pem(KEY, error.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(AUTHORITY, authority)? {
            let added = roots.add(certificate);
            added.map_err(|error| TlsError::Pem(AUTHORITY, error.to_string()))?;
        }
        let name =
            ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
        let algorithms = provider.signature_verification_algorithms.all;
        let doubt = doubt(&chain, &roots, &name, algorithms);
        let roots = Arc::new(roots);
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_root_certificates(Arc::clone(&roots))
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .map_err(
                |error| match matches!(error, rustls::Error::InconsistentKeys(_)) {
                    true => TlsError::OtherKey,
                    false => unusable(&error),
                },
            )?;
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| unusable(&error))?;
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| unusable(&error))?;
        Ok(Tls {
            doubt,
            connector: TlsConnector::from(Arc::new(client)),
            acceptor: TlsAcceptor::from(Arc::new(server)),
            name,
        })
    }

    /// Why other hosts, with the same authority and name, would turn this one away, as far as it can see itself: its
    /// certificate has another name, is of another authority, or its time is over.
    #[must_use]
    pub fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    /// The dialler's side.
    pub(super) async fn connect(&self, stream: BoxChannel) -> Result<BoxChannel, LinkError> {
        match self.connector.connect(self.name.clone(), stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) if is_plain(&error) => Err(LinkError::Tls(
                "the other side does not speak it: give all hosts certificates (--tls-cert), or none".into(),
            )),
            Err(error) => Err(LinkError::Tls(error.to_string())),
        }
    }

    /// The acceptor's side.
    pub(super) async fn accept<S: Channel + 'static>(
        &self,
        stream: S,
    ) -> Result<BoxChannel, LinkError> {
        match self.acceptor.accept(stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(LinkError::Tls(error.to_string())),
        }
    }
}

/// Whether what came was no TLS at all, or the alert of a host of ours that has no certificate.
fn is_plain(error: &std::io::Error) -> bool {
    use rustls::{AlertDescription, Error, InvalidMessage};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(
        inner,
        Some(
            Error::InvalidMessage(InvalidMessage::InvalidContentType)
                | Error::AlertReceived(AlertDescription::HandshakeFailure)
        )
    )
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| TlsError::Pem(what, error.to_string()))?;
    if all.is_empty() {
        return Err(TlsError::Empty(what));
    }
    Ok(all)
}

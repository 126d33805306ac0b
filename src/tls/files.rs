//! Certificates and keys from PEM files, and rustls's configurations of them.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::{Demand, Files, Speaks, TlsError};

/// What the files hold, in the order of [`Files`]. Never shown: one of them is a key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
    server_ca: Option<Vec<u8>>,
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contents(..)")
    }
}

impl Contents {
    pub(super) fn read(files: &Files) -> Result<Contents, TlsError> {
        let read = |path: &Option<std::path::PathBuf>| match path {
            None => Ok(None),
            Some(path) => std::fs::read(path)
                .map(Some)
                .map_err(|error| wrong(path, &format!("cannot be read: {error}"))),
        };
        Ok(Contents {
            cert: read(&files.cert)?,
            key: read(&files.key)?,
            client_ca: read(&files.client_ca)?,
            server_ca: read(&files.server_ca)?,
        })
    }
}

fn wrong(path: &Path, what: &str) -> TlsError {
    TlsError(format!("{} {what}", path.display()))
}

/// Configurations for all that this end does with TLS.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Without a certificate of the peer.
    plain: Option<Both>,
    mutual: Option<Both>,
    pub(super) client: Arc<ClientConfig>,
}

#[derive(Debug)]
struct Both {
    carriers: Arc<ServerConfig>,
    http1: Arc<ServerConfig>,
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Loaded {
    pub(super) fn new(files: &Files, contents: &Contents) -> Result<Loaded, TlsError> {
        let provider = Arc::new(default_provider());
        let identity = identity(files, contents)?;
        let client_ca = roots(files.client_ca.as_deref(), contents.client_ca.as_deref())?;
        let server_ca = roots(files.server_ca.as_deref(), contents.server_ca.as_deref())?;
        let server = |ca: Option<&RootCertStore>| match &identity {
            Some(identity) => server(&provider, identity, ca).map(Some),
            None => Ok(None),
        };
        let plain = server(None)?;
        let mutual = match &client_ca {
            Some(ca) => server(Some(ca))?,
            None => None,
        };
        let client = client(
            &provider,
            identity.as_ref(),
            server_ca.unwrap_or_else(RootCertStore::empty),
        )?;
        Ok(Loaded {
            plain,
            mutual,
            client: Arc::new(client),
        })
    }

    pub(super) fn server(&self, demand: Demand, speaks: Speaks) -> Option<Arc<ServerConfig>> {
        let both = match demand {
            Demand::Server => self.plain.as_ref()?,
            Demand::Mutual => self.mutual.as_ref()?,
        };
        Some(match speaks {
            Speaks::Carriers => both.carriers.clone(),
            Speaks::Http1 => both.http1.clone(),
        })
    }
}

fn failed(error: &rustls::Error) -> TlsError {
    TlsError(format!("the certificate cannot be used: {error}"))
}

fn identity(files: &Files, contents: &Contents) -> Result<Option<Identity>, TlsError> {
    let (Some(cert_path), Some(cert)) = (&files.cert, &contents.cert) else {
        return match &files.key {
            Some(path) => Err(wrong(path, "is a key without a certificate")),
            None => Ok(None),
        };
    };
    let (Some(key_path), Some(key)) = (&files.key, &contents.key) else {
        return Err(wrong(cert_path, "is a certificate without its key"));
    };
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| wrong(key_path, &format!("holds no private key in PEM: {error}")))?;
    Ok(Some((certificates(cert_path, cert)?, key)))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| wrong(path, &format!("is not PEM: {error}")))?;
    if all.is_empty() {
        return Err(wrong(path, "holds no certificate in PEM"));
    }
    Ok(all)
}

fn roots(path: Option<&Path>, pem: Option<&[u8]>) -> Result<Option<RootCertStore>, TlsError> {
    let (Some(path), Some(pem)) = (path, pem) else {
        return Ok(None);
    };
    let mut store = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        store
            .add(certificate)
            .map_err(|error| wrong(path, &format!("holds no authority: {error}")))?;
    }
    Ok(Some(store))
}

/// `ca`: those who connect must show a certificate that it vouches for.
fn server(
    provider: &Arc<CryptoProvider>,
    (chain, key): &Identity,
    ca: Option<&RootCertStore>,
) -> Result<Both, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    let builder = match ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let roots = Arc::new(ca.clone());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
            let verifier = verifier
                .build()
                .map_err(|error| TlsError(format!("no authority for clients: {error}")))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(|error| failed(&error))?;
    let offering = |protocol: &[u8]| {
        let mut config = config.clone();
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    };
    Ok(Both {
        carriers: offering(b"h2"),
        http1: offering(b"http/1.1"),
    })
}

fn client(
    provider: &Arc<CryptoProvider>,
    identity: Option<&Identity>,
    roots: RootCertStore,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .map_err(|error| failed(&error)),
    }
}

//! Certificates of our own, made as the tests run.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

/// An authority that vouches for whoever asks.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Authority { issuer, dir }
    }

    /// Writes a certificate for these names, and its key.
    pub(crate) fn write(&self, names: &[&str]) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path("cert.pem"), cert.pem()).unwrap();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A node of this authority that believes in it.
    pub(crate) fn node(&self, names: &[&str]) -> Tls {
        self.write(names);
        Tls::load(Files {
            cert: Some(self.path("cert.pem")),
            key: Some(self.path("key.pem")),
            client_ca: Some(self.path("ca.pem")),
            server_ca: Some(self.path("ca.pem")),
        })
        .unwrap()
    }

    /// Somebody without a certificate who believes in it.
    pub(crate) fn nobody(&self) -> Tls {
        Tls::load(Files {
            server_ca: Some(self.path("ca.pem")),
            ..Files::default()
        })
        .unwrap()
    }
}

/// What the server read of `hello`, and what the client saw of its echo.
async fn hello(
    server: &Acceptor,
    client: &Connector,
    host: &str,
) -> (io::Result<()>, io::Result<()>) {
    let (here, there) = duplex(4096);
    let mut accepted: ServerStream<DuplexStream> = server.wrap(there);
    let serve = async {
        let mut word = [0; 5];
        accepted.read_exact(&mut word).await?;
        accepted.write_all(&word).await?;
        accepted.flush().await
    };
    let ask = async {
        let mut stream = client.connect(host, here).await?;
        stream.write_all(b"hello").await?;
        stream.flush().await?;
        let mut word = [0; 5];
        stream.read_exact(&mut word).await?;
        assert_eq!(&word, b"hello");
        Ok(())
    };
    // Whoever fails drops its end, as a task does.
    tokio::join!(serve, ask)
}

#[tokio::test]
async fn a_client_that_believes_in_the_authority_is_served() {
    let authority = Authority::new();
    let node = authority.node(&["127.0.0.1", "node.internal"]);
    let acceptor = node.acceptor(Demand::Server, Speaks::Carriers);
    let client = authority.nobody().connector();
    for host in ["127.0.0.1", "node.internal"] {
        let (served, asked) = hello(&acceptor, &client, host).await;
        served.unwrap();
        asked.unwrap();
    }
    let (served, asked) = hello(&acceptor, &client, "127.0.0.2").await;
    assert!(is_tls_error(&served.unwrap_err()));
    assert!(
        asked
            .unwrap_err()
            .to_string()
            .contains("not valid for name")
    );
    let named = client.expecting("node.internal");
    hello(&acceptor, &named, "127.0.0.2").await.1.unwrap();
}

#[tokio::test]
async fn a_mutual_listener_serves_only_those_with_a_certificate_of_its_authority() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let node = ours.node(&["127.0.0.1"]);
    let acceptor = node.acceptor(Demand::Mutual, Speaks::Carriers);
    hello(&acceptor, &node.connector(), "127.0.0.1")
        .await
        .0
        .unwrap();
    let (served, _) = hello(&acceptor, &ours.nobody().connector(), "127.0.0.1").await;
    assert!(is_tls_error(&served.unwrap_err()));
    theirs.write(&["127.0.0.1"]);
    let stranger = Tls::load(Files {
        cert: Some(theirs.path("cert.pem")),
        key: Some(theirs.path("key.pem")),
        client_ca: None,
        server_ca: Some(ours.path("ca.pem")),
    });
    let (served, _) = hello(&acceptor, &stranger.unwrap().connector(), "127.0.0.1").await;
    assert!(is_tls_error(&served.unwrap_err()));
}

#[tokio::test]
async fn a_new_certificate_is_used_and_a_bad_one_is_not() {
    let authority = Authority::new();
    let node = authority.node(&["old.internal"]);
    let acceptor = node.acceptor(Demand::Server, Speaks::Http1);
    let client = authority.nobody().connector();
    assert_eq!(node.reload(), Reload::Same);

    authority.write(&["new.internal"]);
    assert_eq!(node.reload(), Reload::Changed);
    hello(&acceptor, &client, "new.internal").await.1.unwrap();
    hello(&acceptor, &client, "old.internal")
        .await
        .1
        .unwrap_err();

    std::fs::write(authority.path("cert.pem"), "soup").unwrap();
    let Reload::Kept(error) = node.reload() else {
        panic!("soup was taken")
    };
    assert!(
        error
            .to_string()
            .ends_with("cert.pem holds no certificate in PEM"),
        "{error}"
    );
    assert_eq!(node.reload(), Reload::Same, "it is told once");
    hello(&acceptor, &client, "new.internal").await.1.unwrap();

    // Half of a pair: the certificate came first.
    let key = std::fs::read(authority.path("key.pem")).unwrap();
    authority.write(&["newer.internal"]);
    let newer = std::fs::read(authority.path("key.pem")).unwrap();
    std::fs::write(authority.path("key.pem"), key).unwrap();
    assert!(matches!(node.reload(), Reload::Kept(_)));
    std::fs::write(authority.path("key.pem"), newer).unwrap();
    assert_eq!(node.reload(), Reload::Changed);
    hello(&acceptor, &client, "newer.internal").await.1.unwrap();
    std::fs::remove_file(authority.path("key.pem")).unwrap();
    assert!(matches!(node.reload(), Reload::Kept(_)));
}

#[test]
fn files_that_cannot_be_used_are_told_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path: PathBuf = Path::new(dir.path()).join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let fails = |files: Files| Tls::load(files).unwrap_err().to_string();
    let only_cert = Files {
        cert: file("cert", "soup"),
        ..Files::default()
    };
    assert!(fails(only_cert.clone()).ends_with("cert is a certificate without its key"));
    let no_key = Files {
        key: file("key", "soup"),
        ..only_cert
    };
    assert!(fails(no_key).contains("key holds no private key in PEM"));
    let no_ca = Files {
        client_ca: Some(dir.path().join("absent")),
        ..Files::default()
    };
    assert!(fails(no_ca).contains("absent cannot be read"));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_stops_is_given_up() {
    let authority = Authority::new();
    let node = authority.node(&["127.0.0.1"]);
    let (_silent, there) = duplex(64);
    let mut accepted = node.acceptor(Demand::Server, Speaks::Carriers).wrap(there);
    let error = accepted.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

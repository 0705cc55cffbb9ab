//! A catalog service behind TLS, as its users reach it: `grpcs://`, with the authority that signed its certificate, and with a
//! certificate of one's own where that is who one is.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use rcgen::{CertificateParams, DnType, KeyPair};
use tempfile::TempDir;

fn glaux(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glaux"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GLAUX")) {
        command.env_remove(name);
    }
    command.arg("--data-dir").arg(folder.join("data")).stdin(Stdio::null());
    command
}

/// Writes a certificate that is its own authority, and its key.
fn pair(folder: &Path, name: &str, subject: &str) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, subject);
    let certificate = params.self_signed(&key).unwrap();
    let (pem, private) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    fs::write(&pem, certificate.pem()).unwrap();
    fs::write(&private, key.serialize_pem()).unwrap();
    (pem, private)
}

/// A server, killed with this, and its port.
struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn serve(folder: &Path, config: &str) -> Server {
    let file = folder.join("server.toml");
    fs::write(&file, config).unwrap();
    let mut command = glaux(folder);
    command.arg("--config").arg(file).args(["serve", "--flight-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said = lines.find_map(|line| line.strip_prefix("glaux: Flight SQL on grpc+tls://127.0.0.1:").map(str::to_owned)).unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    Server(child, said.parse().unwrap())
}

fn text(output: &Output) -> String {
    [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat()
}

#[test]
fn a_service_is_trusted_by_its_authority_alone() {
    let (server_folder, client_folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (certificate, key) = pair(server_folder.path(), "server", "server");
    let (stranger, _) = pair(client_folder.path(), "stranger", "stranger");
    let server = serve(server_folder.path(), &format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n"));
    let ask = |scheme: &str, authority: Option<&Path>| {
        let mut command = glaux(client_folder.path());
        command.arg("--catalog").arg(format!("{scheme}://127.0.0.1:{}", server.1));
        if let Some(authority) = authority {
            command.arg("--catalog-ca-certificate").arg(authority);
        }
        command.args(["sql", "-e", "CREATE DATABASE IF NOT EXISTS d; SHOW DATABASES", "--format", "csv"]).output().unwrap()
    };
    let trusted = ask("grpcs", Some(&certificate));
    assert!(trusted.status.success() && text(&trusted).contains("\nd\n"), "{}", text(&trusted));
    for (scheme, authority, word) in
        [("grpcs", Some(stranger.as_path()), "certificate"), ("grpcs", None, "certificate"), ("grpc", None, "grpcs://")]
    {
        let refused = ask(scheme, authority);
        assert_eq!(refused.status.code(), Some(11), "{}", text(&refused));
        assert!(text(&refused).contains(word), "{}", text(&refused));
    }
    let wrong = ask("grpc", Some(&certificate));
    assert!(wrong.status.code() == Some(2) && text(&wrong).contains("not encrypted"), "{}", text(&wrong));
}

#[test]
fn a_certificate_is_who_one_is() {
    let (server_folder, client_folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (certificate, key) = pair(server_folder.path(), "server", "server");
    let (own, own_key) = pair(client_folder.path(), "ada", "ada");
    let server = serve(
        server_folder.path(),
        &format!(
            "[tls]\ncertificate = {certificate:?}\nkey = {key:?}\nclient_ca = {own:?}\nclient_certificates = \"optional\"\n\
             [auth]\nidentity = \"mtls\"\n"
        ),
    );
    let ask = |more: &str| {
        let file = client_folder.path().join("client.toml");
        let url = format!("grpcs://127.0.0.1:{}", server.1);
        fs::write(&file, format!("[catalog]\nurl = \"{url}\"\nca_certificate = {certificate:?}\n{more}")).unwrap();
        glaux(client_folder.path()).arg("--config").arg(file).arg("doctor").output().unwrap()
    };
    let known = ask(&format!("client_certificate = {own:?}\nclient_key = {own_key:?}\n"));
    assert!(known.status.success() && text(&known).contains("accepts \"ada\": "), "{}", text(&known));
    let nobody = ask("");
    assert_eq!(nobody.status.code(), Some(8), "{}", text(&nobody));
    assert!(
        text(&nobody).contains("requires valid credentials") && text(&nobody).contains("no credentials were sent"),
        "{}",
        text(&nobody)
    );
}

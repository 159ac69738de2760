//! The ways that bytes can take between a device and its hub, and the command line of each.

use crate::args::{self, Args};
use crate::profiles::Rules;
use crate::tls::Pki;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// A way, and what the tables call it.
#[derive(Clone)]
pub struct Way {
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone)]
pub enum Kind {
    /// One connection, nothing in between.
    Direct,
    /// This executable as tokio's `copy_bidirectional`.
    Copy,
    Brownout {
        binary: PathBuf,
        rules: Rules,
    },
    HaProxy,
    Toxiproxy,
    /// A command template, and the template of its configuration.
    Template {
        command: String,
        config: Option<PathBuf>,
    },
}

/// The cores of a run that pins its processes.
#[derive(Clone, Copy)]
pub struct Cores {
    /// Of what is in between.
    pub proxy: usize,
    /// Of devices and hub.
    pub load: usize,
    /// How many there are.
    pub all: usize,
}

/// Where a way listens and where it dials, ports of 127.0.0.1; what it may write into.
pub struct Place<'a> {
    pub listen: u16,
    pub hub: u16,
    pub directory: &'a Path,
    /// Of rows with TLS: both legs have it.
    pub pki: Option<&'a Pki>,
}

/// All ways of this run, but brownout's with no other rules than none.
pub fn all(args: &Args) -> Vec<Way> {
    let mut ways = vec![Way::new("direct", Kind::Direct), Way::new("copy", Kind::Copy)];
    if find("haproxy").is_some() {
        ways.push(Way::new("haproxy", Kind::HaProxy));
    }
    if find("toxiproxy-server").is_some() {
        ways.push(Way::new("toxiproxy", Kind::Toxiproxy));
    }
    ways.extend(args.proxy.iter().map(|text| template(text, &args.proxy_config)));
    let own = installed();
    let given = args.brownout.iter().enumerate().map(|(nth, text)| args::build(text, nth));
    for (name, binary) in std::iter::once(("brownout".to_owned(), own)).chain(given) {
        if binary.is_file() {
            ways.push(Way { name, kind: Kind::Brownout { binary, rules: Rules::None } });
        } else {
            eprintln!("{}: there is none, so {name} is left out", binary.display());
        }
    }
    ways
}

/// The executable that is installed: beside dev-dependencies, which ask more of some crates, cargo makes another one, whose
/// functions lie elsewhere (build/order.ld) and map 2 MB more. Not run by cargo, the bench takes what lies there.
fn installed() -> PathBuf {
    let Some(cargo) = env::var_os("CARGO") else { return env!("CARGO_BIN_EXE_brownout").into() };
    let mut build = Command::new(cargo);
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    build.args(["build", "--release", "--bin", "brownout", "--message-format", "json-render-diagnostics"]);
    let built = build.stderr(Stdio::inherit()).output().expect("cargo can be run again");
    assert!(built.status.success(), "`cargo build --release` failed");
    let executable = |line: &[u8]| -> Option<PathBuf> {
        let told: serde_json::Value = serde_json::from_slice(line).ok()?;
        told.get("executable")?.as_str().map(PathBuf::from)
    };
    built.stdout.split(|byte| *byte == b'\n').find_map(executable).expect("cargo tells where it is")
}

fn template(text: &str, configs: &[String]) -> Way {
    let (name, command) =
        args::named(text).unwrap_or_else(|| panic!("--proxy {text}: NAME=COMMAND is wanted"));
    let config = configs.iter().filter_map(|text| args::named(text)).find(|(of, _)| *of == name);
    Way { name, kind: Kind::Template { command, config: config.map(|(_, path)| path.into()) } }
}

/// A program of the PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).chain(["/usr/sbin".into()]).map(|at| at.join(program)).find(|file| file.is_file())
}

impl Way {
    fn new(name: &str, kind: Kind) -> Way {
        Way { name: name.to_owned(), kind }
    }

    /// The same build of brownout with other rules.
    pub fn with(&self, rules: Rules) -> Option<Way> {
        let Kind::Brownout { binary, .. } = &self.kind else { return None };
        let kind = Kind::Brownout { binary: binary.clone(), rules };
        Some(Way { name: format!("{}{}", self.name, rules.suffix()), kind })
    }

    /// The cores that it may run on.
    pub fn cores(&self, cores: Cores) -> Vec<usize> {
        match self.kind {
            Kind::Brownout { rules: Rules::SecondCore, .. } => vec![cores.proxy, cores.second()],
            _ => vec![cores.proxy],
        }
    }

    /// Its command; nothing for the way without anything in between.
    pub fn command(&self, place: &Place) -> Option<Command> {
        match &self.kind {
            Kind::Direct => None,
            Kind::Copy => Some(copy(place)),
            Kind::Brownout { binary, rules } => Some(brownout(binary, *rules, place)),
            Kind::HaProxy => Some(haproxy(place)),
            Kind::Toxiproxy => Some(toxiproxy(place)),
            Kind::Template { command, config } => Some(place.template(command, config.as_deref())),
        }
    }
}

impl Cores {
    /// A second core for what is in between: one that nothing else has, or else the load's.
    fn second(self) -> usize {
        (0..self.all).find(|core| ![self.proxy, self.load].contains(core)).unwrap_or(self.load)
    }
}

impl Place<'_> {
    fn fill(&self, text: &str, config: &str) -> String {
        text.replace("{listen}", &format!("127.0.0.1:{}", self.listen))
            .replace("{hub}", &format!("127.0.0.1:{}", self.hub))
            .replace("{listen_port}", &self.listen.to_string())
            .replace("{hub_port}", &self.hub.to_string())
            .replace("{config}", config)
    }

    fn template(&self, command: &str, config: Option<&Path>) -> Command {
        let file = self.directory.join("config");
        if let Some(config) = config {
            fs::write(&file, self.fill(&fs::read_to_string(config).unwrap(), "")).unwrap();
        }
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("exec {}", self.fill(command, &file.display().to_string())));
        shell
    }
}

fn copy(place: &Place) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg("--serve-copy").args([place.listen, place.hub].map(|port| format!("127.0.0.1:{port}")));
    command
}

fn brownout(binary: &Path, rules: Rules, place: &Place) -> Command {
    let mut command = Command::new(binary);
    command.arg("run").arg(rules.write(place.directory)).arg("-q");
    command.args(["--listen", &format!("127.0.0.1:{}", place.listen)]);
    command.args(["--upstream", &format!("127.0.0.1:{}", place.hub)]);
    command.arg("--report").arg(place.directory.join("report"));
    if let Some(pki) = place.pki {
        command.args(["--tls", "reoriginate", "--hub-insecure", "--cert"]).arg(pki.file("cert.pem"));
        command.arg("--key").arg(pki.file("key.pem"));
    }
    command
}

/// HAProxy in TCP mode, with one thread.
fn haproxy(place: &Place) -> Command {
    let bind =
        place.pki.map(|pki| format!(" ssl crt {}", pki.file("both.pem").display())).unwrap_or_default();
    let server = place.pki.map_or("", |_| " ssl verify none no-ssl-reuse");
    let config = format!(
        "global\n nbthread 1\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n\
         frontend f\n bind 127.0.0.1:{}{bind}\n default_backend b\nbackend b\n server s 127.0.0.1:{}{server}\n",
        place.listen, place.hub
    );
    let path = place.directory.join("haproxy.cfg");
    fs::write(&path, config).unwrap();
    let mut command = Command::new(find("haproxy").unwrap());
    command.args(["-q", "-db", "-f"]).arg(path);
    command
}

fn toxiproxy(place: &Place) -> Command {
    let proxy = serde_json::json!([{
        "name": "bench", "enabled": true,
        "listen": format!("127.0.0.1:{}", place.listen), "upstream": format!("127.0.0.1:{}", place.hub),
    }]);
    let path = place.directory.join("toxiproxy.json");
    fs::write(&path, proxy.to_string()).unwrap();
    let control = crate::route::free_port().to_string();
    let mut command = Command::new(find("toxiproxy-server").unwrap());
    command.args(["-port", &control, "-config"]).arg(path);
    command
}

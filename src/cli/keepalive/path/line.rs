//! One connection to the hub: MQTT that does nothing by itself.

use crate::base::{Secret, Time};
use crate::device::{HowClosed, Open, Target, dial};
use crate::mqtt::inlet::Inlet;
use crate::mqtt::packet::{Connack, Connect, Disconnect, reason};
use crate::mqtt::{Packet, Properties, Version, encode};
use crate::net::Clock;
use crate::net::sys::info::{TcpInfo, tcp_info};
use crate::net::sys::{icmp, reset};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// How long TCP, TLS, CONNECT and CONNACK may take together.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);

/// Bytes of the largest packet taken: nothing is subscribed to, so that none is large.
const MAX_PACKET: usize = 64 * 1024;

/// Bytes read at once.
const READ_SIZE: usize = 4096;

/// What all connections of a search have in common.
#[derive(Debug)]
pub(super) struct Terms {
    pub target: Target,
    pub version: Version,
    /// In CONNECT, seconds.
    pub keep_alive: u16,
    pub username: Option<String>,
    pub password: Option<Secret<Vec<u8>>>,
    /// What client identifiers begin with.
    pub prefix: String,
    pub answer_within: Duration,
    pub clock: Clock,
}

/// A connection that the hub accepted.
pub(super) struct Line {
    open: Open,
    inlet: Inlet,
    version: Version,
    /// What the hub said.
    pub connack: Connack,
}

/// What came from the other side.
pub(super) enum News {
    Packet(Packet),
    /// The connection is over.
    Over(HowClosed),
}

impl Terms {
    pub fn client_id(&self, number: u32) -> String {
        format!("{}{number}", self.prefix)
    }

    fn connect(&self, client_id: &str) -> Packet {
        Packet::Connect(Connect {
            version: self.version,
            clean_start: true,
            keep_alive: self.keep_alive,
            properties: Properties::NONE,
            client_id: client_id.to_owned(),
            will: None,
            username: self.username.clone(),
            password: self.password.clone(),
        })
    }
}

impl Line {
    /// Connects, or says why it cannot.
    pub async fn connect(terms: &Terms, client_id: &str) -> Result<Line, String> {
        let greeted = tokio::time::timeout(CONNECT_WITHIN, Line::greet(terms, client_id)).await;
        greeted.unwrap_or_else(|_| Err(format!("no CONNACK within {} s", CONNECT_WITHIN.as_secs())))
    }

    async fn greet(terms: &Terms, client_id: &str) -> Result<Line, String> {
        let (stream, connection) = dial(terms.target.clone()).await?;
        let open = Open::new(stream, connection);
        let connack = Connack { session_present: false, code: 0, properties: Properties::NONE };
        let mut line = Line { open, inlet: Inlet::new(MAX_PACKET), version: terms.version, connack };
        line.send(&terms.connect(client_id));
        match line.news().await {
            News::Packet(Packet::Connack(connack)) if connack.code == 0 => {
                line.connack = connack;
                Ok(line)
            }
            News::Packet(Packet::Connack(connack)) => Err(refused(terms, connack.code)),
            News::Packet(_) => Err("the answer to CONNECT is no CONNACK".into()),
            News::Over(HowClosed::BadRecord) => Err("the answer to CONNECT is not MQTT".into()),
            News::Over(_) => Err("the connection was closed before CONNACK".into()),
        }
    }

    /// What comes next. Nothing is lost where it is not waited for to the end.
    pub async fn news(&mut self) -> News {
        let mut buffer = [0; READ_SIZE];
        loop {
            match self.inlet.next_packet(self.version) {
                Ok(Some(packet)) => return News::Packet(packet),
                Ok(None) => {}
                Err(_) => return News::Over(HowClosed::BadRecord),
            }
            tokio::select! {
                biased;
                () = self.open.ready() => {}
                how = failed(self.open.socket()) => return News::Over(how),
            }
            match self.open.read(&mut buffer) {
                Some(Ok(count)) => self.inlet.push(&buffer[..count]),
                Some(Err(how)) => return News::Over(how),
                None => {}
            }
            if let Err(how) = self.open.write() {
                return News::Over(how);
            }
        }
    }

    /// Sends PINGREQ now; what TCP cannot take at once goes with [`Line::news`], which also tells of a failure.
    pub fn ping(&mut self) {
        self.send(&Packet::Pingreq);
        let _ = self.open.write();
    }

    /// Waits for PINGRESP until then: when it came, how the connection ended instead, or `None` for neither.
    pub async fn pingresp(&mut self, clock: Clock, until: Time) -> Option<Result<Time, HowClosed>> {
        let wait = async {
            loop {
                match self.news().await {
                    News::Packet(Packet::Pingresp) => return Ok(clock.now()),
                    News::Packet(Packet::Disconnect(_)) => return Err(HowClosed::Fin),
                    News::Packet(_) => {}
                    News::Over(how) => return Err(how),
                }
            }
        };
        tokio::time::timeout_at(clock.instant(until).into(), wait).await.ok()
    }

    /// TCP segments that went either way so far; `None` where the kernel does not say.
    pub fn segments(&self) -> Option<u64> {
        let info = self.info()?;
        Some(u64::from(info.segments_in) + u64::from(info.segments_out))
    }

    /// How long ago the kernel took in the latest data, to some milliseconds: it knows better than a task that had to wait for its
    /// turn. `None` where it does not say.
    pub fn since_data(&self) -> Option<Duration> {
        self.info().map(|info| info.last_data)
    }

    /// Whether TCP has an acknowledgement of all that was written.
    pub fn is_acknowledged(&self) -> bool {
        self.info().is_some_and(|info| info.unacked == 0 && info.unsent_bytes == 0)
    }

    fn info(&self) -> Option<TcpInfo> {
        tcp_info(self.open.socket()).ok()
    }

    /// ICMP errors end it from now on, as RST does.
    pub fn take_icmp_to_heart(&self) {
        let socket = self.open.socket();
        if let Err(error) = socket.peer_addr().and_then(|peer| icmp::take_to_heart(socket, peer)) {
            tracing::debug!(%error, "ICMP errors will not be seen");
        }
    }

    /// Has TCP send a keepalive probe whenever it was idle for so long; whole seconds, at least 1.
    pub fn keep_by_tcp(&self, every: Duration) -> Result<(), String> {
        let keepalive = TcpKeepalive::new().with_time(every).with_interval(every);
        SockRef::from(self.open.socket()).set_tcp_keepalive(&keepalive).map_err(|error| error.to_string())
    }

    /// DISCONNECT and FIN.
    pub fn leave(mut self) {
        self.send(&Packet::Disconnect(Disconnect::default()));
        self.open.close();
    }

    /// Away without a word that TCP would have to send again and again.
    pub fn abandon(self) {
        if let Err(error) = reset::arm(self.open.socket()) {
            tracing::debug!(%error, "the reset was refused; it is a FIN");
        }
    }

    fn send(&mut self, packet: &Packet) {
        let mut bytes = Vec::new();
        // Only a text of more than 65,535 bytes cannot be written; CONNECT's are checked before.
        if encode(packet, self.version, &mut bytes).is_ok() {
            self.open.give(&bytes);
        }
    }
}

/// Waits for an error of the socket that comes without an end of its stream: ICMP's.
async fn failed(socket: &TcpStream) -> HowClosed {
    loop {
        // An error of the readiness itself shows again in the read beside it.
        let _ = socket.ready(Interest::ERROR).await;
        if let Ok(Some(error)) = socket.take_error() {
            return match error.kind() {
                ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                    HowClosed::TimedOut
                }
                _ => HowClosed::Reset,
            };
        }
        // None there: wait for the next.
        let _: io::Result<()> = socket.try_io(Interest::ERROR, || Err(ErrorKind::WouldBlock.into()));
    }
}

fn refused(terms: &Terms, code: u8) -> String {
    use reason::v3;
    let name = match (terms.version, code) {
        (Version::V5, code) => reason::name(code),
        (Version::V31 | Version::V311, v3::UNACCEPTABLE_PROTOCOL) => Some("unacceptable protocol version"),
        (Version::V31 | Version::V311, v3::IDENTIFIER_REJECTED) => Some("identifier rejected"),
        (Version::V31 | Version::V311, v3::SERVER_UNAVAILABLE) => Some("server unavailable"),
        (Version::V31 | Version::V311, v3::BAD_USER_NAME_OR_PASSWORD) => Some("bad user name or password"),
        (Version::V31 | Version::V311, v3::NOT_AUTHORIZED) => Some("not authorized"),
        (Version::V31 | Version::V311, _) => None,
    };
    let name = name.unwrap_or("a code that MQTT does not know");
    let hint = match terms.keep_alive {
        0 => "; a hub that takes no keep-alive of 0 takes one by --keep-alive",
        _ => "",
    };
    format!("the hub refused with {code:#04x}, {name}{hint}")
}

//! The other client of a `takeover`: it connects to the hub with a device's own CONNECT, so that the hub closes the
//! device's link [MQTT-3.1.4-2].
//!
//! It keeps its link up with PINGREQ and answers nothing. A CONNECT may hold a password: it is kept in memory for as long
//! as its link or its rival lives, only where a rule may need it, and is never told.

use super::core::Core;
use super::dial::dial;
use super::sys::limit::explain;
use crate::base::{LinkId, Time, WindowId};
use crate::engine::Input;
use crate::event::RivalNews;
use crate::fault::Ending;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_rustls::TlsConnector;

/// The longest CONNECT that is kept, in bytes.
const CONNECT_LIMIT: usize = 64 * 1024;

/// How long the hub may take to accept the connection, with TLS where it has that, and then to answer CONNECT.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long DISCONNECT and FIN may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long it rests at the least before it connects again.
const LEAST_REST: Duration = Duration::from_millis(10);

/// Longer than any run.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

const CONNACK: u8 = 0x20;
const PINGREQ: [u8; 2] = [0xC0, 0];
const DISCONNECT: [u8; 2] = [0xE0, 0];

/// The CONNECT of a link, as it came.
#[derive(Clone, Default)]
pub enum Kept {
    /// No rule may need it.
    #[default]
    No,
    /// So much of it is there.
    Begun(Vec<u8>),
    /// All of it.
    Whole(Arc<[u8]>),
    /// There is none to keep, for this reason.
    Never(&'static str),
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kept::No => "No",
            Kept::Begun(_) => "Begun",
            Kept::Whole(_) => "Whole",
            Kept::Never(_) => "Never",
        })
    }
}

impl Kept {
    /// Takes in what the device says.
    pub fn push(&mut self, bytes: &[u8]) {
        let Kept::Begun(kept) = self else { return };
        let room = CONNECT_LIMIT + 1 - kept.len();
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if kept.first().is_some_and(|first| *first != 0x10) {
            *self = Kept::Never(
                "the link's first bytes are no CONNECT in the clear: in WebSocket, and in TLS that is passed through, \
                 there is none to connect with",
            );
            return;
        }
        match length_of(kept) {
            Length::Unknown => {}
            Length::None => *self = Kept::Never("the link's first packet is malformed"),
            Length::Known(length) if length > CONNECT_LIMIT => {
                *self = Kept::Never("the link's CONNECT is longer than 64 KiB");
            }
            Length::Known(length) => {
                if let Some(whole) = kept.get(..length) {
                    *self = Kept::Whole(whole.into());
                }
            }
        }
    }
}

enum Length {
    Unknown,
    None,
    Known(usize),
}

/// How long the packet is that begins here (MQTT section 2.2.3).
fn length_of(bytes: &[u8]) -> Length {
    let mut length = 0;
    for (nth, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * nth);
        if byte & 0x80 == 0 {
            return Length::Known(2 + nth + length);
        }
    }
    if bytes.len() > 4 { Length::None } else { Length::Unknown }
}

/// The keep-alive that a CONNECT asks for; zero for none.
fn keep_alive_of(connect: &[u8]) -> Duration {
    let seconds = || {
        let rest = connect.iter().skip(1).position(|byte| byte & 0x80 == 0)? + 2;
        let body = connect.get(rest..)?;
        let name = usize::from(u16::from_be_bytes(body.get(..2)?.try_into().ok()?));
        // Behind the name: the level, the flags.
        let bytes = body.get(2 + name + 2..2 + name + 4)?;
        Some(u16::from_be_bytes(bytes.try_into().ok()?))
    };
    Duration::from_secs(seconds().unwrap_or(0).into())
}

/// The other client.
pub struct Rival {
    /// Whom to tell.
    pub core: Arc<Core>,
    /// The link whose CONNECT it has.
    pub link: LinkId,
    /// Its window.
    pub window: WindowId,
    /// When it leaves.
    pub until: Time,
    /// How long after it has lost its own link it connects again.
    pub again: Option<Duration>,
    /// What it says, to whom; or why it cannot.
    pub way: Result<Way, String>,
}

/// What a rival says, to whom.
pub struct Way {
    /// The hub's address.
    pub upstream: Arc<str>,
    /// TLS with it, and the name that it is asked for.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The device's CONNECT.
    pub connect: Arc<[u8]>,
}

impl fmt::Debug for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rival")
            .field("link", &self.link)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

/// Any connection.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}
type Stream = Box<dyn Duplex>;

impl Rival {
    /// Sends it on its way. It ends by itself, and [`RivalNews::Left`] is the last that is told of it: when its time is
    /// over, or the run is.
    pub fn send(self) {
        let counted = self.core.count_rival();
        tokio::spawn(async move {
            let mut stream = None;
            tokio::select! {
                biased;
                () = self.over() => {}
                never = self.live(&mut stream) => match never {},
            }
            if let Some(stream) = stream {
                // Whether the hub hears it does not matter any more.
                let _ = timeout(FAREWELL, say_goodbye(stream)).await;
            }
            self.tell(RivalNews::Left);
            drop(counted);
        });
    }

    async fn over(&self) {
        let until = Instant::from_std(self.core.clock().instant(self.until));
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            _ = self.core.finished() => {}
        }
    }

    /// Connects, again and again where it is to.
    async fn live(&self, stream: &mut Option<Stream>) -> Infallible {
        let way = match &self.way {
            Ok(way) => way,
            Err(error) => {
                self.tell(RivalNews::Failed { error: error.clone() });
                return std::future::pending().await;
            }
        };
        loop {
            let news = self.visit(way, stream).await;
            *stream = None;
            self.tell(news);
            match self.again {
                Some(again) => tokio::time::sleep(again.max(LEAST_REST)).await,
                None => return std::future::pending().await,
            }
        }
    }

    /// One link of its own, until the hub has ended it: what came of it in the end.
    async fn visit(&self, way: &Way, held: &mut Option<Stream>) -> RivalNews {
        let failed =
            |error: &io::Error| RivalNews::Failed { error: format!("{}: {}", way.upstream, explain(error)) };
        let stream =
            match timeout(PATIENCE, way.arrive()).await.unwrap_or_else(|_| Err(slow("no connection"))) {
                Ok(stream) => held.insert(stream),
                Err(error) => return failed(&error),
            };
        let answered = timeout(PATIENCE, way.introduce(stream)).await;
        match answered.unwrap_or_else(|_| Err(slow("no CONNACK"))) {
            Err(error) => failed(&error),
            Ok(0) => {
                self.tell(RivalNews::Accepted);
                RivalNews::Ended { how: stay(stream, keep_alive_of(&way.connect)).await }
            }
            Ok(code) => RivalNews::Refused { code },
        }
    }

    fn tell(&self, news: RivalNews) {
        self.core.tell(Input::Rival { link: self.link, window: self.window, news });
    }
}

impl Way {
    /// Connects to the hub.
    async fn arrive(&self) -> io::Result<Stream> {
        let stream = dial(Arc::clone(&self.upstream)).await?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some((config, name)) => {
                Box::new(TlsConnector::from(Arc::clone(config)).connect(name.clone(), stream).await?)
            }
        })
    }

    /// Says CONNECT: the code of the CONNACK that answers it.
    async fn introduce(&self, stream: &mut Stream) -> io::Result<u8> {
        stream.write_all(&self.connect).await?;
        stream.flush().await?;
        let first = stream.read_u8().await?;
        // The remaining length of a CONNACK takes two bytes where it has many properties.
        for _ in 0..4 {
            if stream.read_u8().await? & 0x80 == 0 {
                break;
            }
        }
        let _flags = stream.read_u8().await?;
        let code = stream.read_u8().await?;
        if first == CONNACK {
            Ok(code)
        } else {
            Err(io::Error::other("the hub's answer to CONNECT is no CONNACK"))
        }
    }
}

/// Keeps a link up, and hears what comes without an answer: how the hub ended it.
async fn stay(stream: &mut Stream, keep_alive: Duration) -> Ending {
    let pause = if keep_alive.is_zero() { FAR } else { keep_alive.mul_f64(0.75) };
    let mut pings = interval_at(Instant::now() + pause, pause);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut buffer = vec![0; 4096];
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(0) => return Ending::Fin,
                Ok(_) => {}
                Err(error) => return ending_of(&error),
            },
            _ = pings.tick() => {
                // What the hub does not take ends with what it says next, or with the fault.
                let _ = timeout(FAREWELL, stream.write_all(&PINGREQ)).await;
                let _ = timeout(FAREWELL, stream.flush()).await;
            }
        }
    }
}

async fn say_goodbye(mut stream: Stream) -> io::Result<()> {
    stream.write_all(&DISCONNECT).await?;
    stream.shutdown().await
}

fn ending_of(error: &io::Error) -> Ending {
    // rustls's word for FIN without close_notify.
    if error.kind() == io::ErrorKind::UnexpectedEof { Ending::Unnotified } else { Ending::Reset }
}

fn slow(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{what} in {} s", PATIENCE.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &[u8] = b"\x10\x0E\x00\x04MQTT\x04\x02\x00\x3C\x00\x02d1";

    fn kept(pieces: &[&[u8]]) -> Kept {
        let mut kept = Kept::Begun(Vec::new());
        for piece in pieces {
            kept.push(piece);
        }
        kept
    }

    #[test]
    fn a_connect_is_kept_whole_however_it_comes() {
        for at in 0..CONNECT.len() {
            let (head, tail) = CONNECT.split_at(at);
            let Kept::Whole(whole) = kept(&[head, tail, b"\xC0\x00"]) else { panic!("split at {at}") };
            assert_eq!(*whole, *CONNECT);
        }
        assert!(matches!(kept(&[&CONNECT[..15]]), Kept::Begun(_)));
        assert!(matches!(kept(&[b"GET / HTTP/1.1"]), Kept::Never(_)));
        assert!(matches!(kept(&[b"\x10\xFF\xFF\xFF\xFF\x01"]), Kept::Never(_)));
        assert_eq!(format!("{:?}", kept(&[CONNECT])), "Whole", "what it holds is never told");
    }

    #[test]
    fn a_huge_connect_is_not_kept() {
        // 65,533 and 65,532 bytes behind a head of four.
        let of = |length: &[u8], body: usize| [b"\x10", length, &vec![0; body]].concat();
        assert!(matches!(kept(&[&of(b"\xFC\xFF\x03", 65_532)]), Kept::Whole(_)));
        assert!(matches!(kept(&[&of(b"\xFD\xFF\x03", 65_533)]), Kept::Never(_)));
    }

    #[test]
    fn the_keep_alive_is_read_where_it_is() {
        assert_eq!(keep_alive_of(CONNECT), Duration::from_secs(60));
        assert_eq!(keep_alive_of(&CONNECT[..11]), Duration::ZERO);
        assert_eq!(keep_alive_of(b"\x10"), Duration::ZERO);
    }
}

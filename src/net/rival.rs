//! The other client of a `takeover`: it connects to the hub with a device's own CONNECT, so that the hub closes the
//! device's link [MQTT-3.1.4-2].
//!
//! It keeps its link up with PINGREQ and answers nothing. A CONNECT may hold a password: it is kept in memory for as long
//! as its link or its rival lives, only where a rule may need it, and is never told.

mod connect;

pub use connect::{Kept, keep_alive_of};

use super::core::Core;
use super::dial::{LIMIT, Upstream, dial};
use super::sys::limit::explain;
use super::transparent::Course;
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
    pub upstream: Upstream,
    /// The device's way there, where the kernel led it to brownout: the rival is seen as the device is.
    pub course: Option<Course>,
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
        let stream = match self.course {
            Some(course) => course.dial().await?,
            None => dial(&self.upstream, LIMIT).await?,
        };
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

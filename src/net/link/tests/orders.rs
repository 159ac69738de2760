//! Orders that say something of brownout's own: packets put in, and last words.

use super::*;
use crate::base::WindowId;
use crate::event::Delivery;
use crate::fault::{ConnackCode, Inject, Injection, LegFate};
use crate::mqtt::{PacketKind, QoS};

const CONNECT: [&[u8]; 2] = [
    b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02d1",
    b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02d1",
];
const CONNACK: [&[u8]; 2] = [b"\x20\x02\x00\x00", b"\x20\x03\x00\x00\x00"];

/// A plan by which packets may be worked on.
pub(super) fn plan_of_packets() -> Arc<Plan> {
    Arc::new(Plan { server_keep_alive: Some(60), ..Plan::clone(&plan()) })
}

/// A link whose ends are the test's.
pub(super) struct Ring {
    pub(super) device: TcpStream,
    pub(super) served: TcpStream,
    mailbox: Arc<Mailbox>,
    queue: EventQueue,
    task: tokio::task::JoinHandle<()>,
}

impl Ring {
    async fn start() -> Ring {
        Ring::under(plan_of_packets()).await
    }

    async fn under(plan: Arc<Plan>) -> Ring {
        let hub = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = ListenerPlan {
            name: "main".into(),
            listen: String::new(),
            upstream: hub.local_addr().unwrap().to_string(),
            tls: TlsPlan::default(),
        };
        let (terms, _) = Terms::load(&listener, &Arc::new(KeyLog::from_environment().unwrap())).unwrap();
        let (clock, queue) = (Clock::start(), EventQueue::default());
        let alarm = Alarm::start(clock).unwrap();
        let core = Arc::new(Core::new(Engine::new(plan, 1, false), clock, queue.clone()));
        let device = TcpStream::connect(door.local_addr().unwrap()).await.unwrap();
        let (accepted, peer) = door.accept().await.unwrap();
        let (id, mailbox) = core.open_link(ListenerId(0), peer, None);
        let leg = Leg::connected(accepted, None);
        let mut link = Link::new(id, core, Arc::clone(&mailbox), leg, Arc::new(terms), alarm.slot());
        let task = tokio::spawn(async move {
            let _alarm = alarm;
            poll_fn(|cx| link.poll(cx)).await;
        });
        let served = hub.accept().await.unwrap().0;
        Ring { device, served, mailbox, queue, task }
    }

    /// One that is connected, in MQTT 3.1.1 (0) or 5 (1).
    pub(super) async fn connected(version: usize) -> Ring {
        Ring::connected_under(plan_of_packets(), version).await
    }

    pub(super) async fn connected_under(plan: Arc<Plan>, version: usize) -> Ring {
        let mut ring = Ring::under(plan).await;
        ring.device.write_all(CONNECT[version]).await.unwrap();
        expect(&mut ring.served, CONNECT[version]).await;
        ring.served.write_all(CONNACK[version]).await.unwrap();
        let mut connack = vec![0; if version == 0 { 4 } else { 8 }];
        ring.device.read_exact(&mut connack).await.unwrap();
        ring
    }

    pub(super) fn order(&self, order: Order) {
        self.mailbox.post(Letter::Order(order));
    }

    pub(super) fn cut(&self, device: LegFate, hub: LegFate) {
        self.order(Order::Cut(Cut { window: None, legs: Ends { device, hub } }));
    }

    /// What is told until both ends have gone.
    pub(super) async fn told(self) -> Vec<Event> {
        drop((self.device, self.served));
        let over = tokio::time::timeout(Duration::from_secs(25), self.task).await;
        over.expect("the link ends").unwrap();
        self.queue.close();
        self.queue.take().unwrap_or_default().into()
    }

    /// What was done to the device's leg and the hub's.
    async fn done(self) -> [Option<LegFate>; 2] {
        let events = self.told().await;
        Side::BOTH.map(|leg| {
            events.iter().find_map(|event| match &event.what {
                What::LegCut { side, fate, .. } if *side == leg => Some(*fate),
                _ => None,
            })
        })
    }
}

pub(super) async fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(got, bytes);
}

/// What comes until FIN.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(25), stream.read_to_end(&mut bytes));
    read.await.expect("FIN comes").unwrap();
    bytes
}

#[tokio::test]
async fn a_connect_is_refused_in_its_version() {
    let code = ConnackCode { return_code: 5, reason_code: 0x87 };
    for (version, connack) in [(0, b"\x20\x02\x00\x05".as_slice()), (1, b"\x20\x03\x00\x87\x00")] {
        let mut ring = Ring::start().await;
        // The hub has the CONNECT here, which the engine would have kept from it: what counts is what the device hears.
        ring.device.write_all(CONNECT[version]).await.unwrap();
        expect(&mut ring.served, CONNECT[version]).await;
        ring.cut(LegFate::Rejected(code), LegFate::Close);
        assert_eq!(rest(&mut ring.device).await, connack);
        assert_eq!(rest(&mut ring.served).await, b"");
        assert_eq!(ring.done().await, [Some(LegFate::Rejected(code)), Some(LegFate::Close)]);
    }
}

#[tokio::test]
async fn a_disconnect_is_said_where_the_version_has_it() {
    let fate = LegFate::Disconnected(0x8b);
    let mut ring = Ring::connected(1).await;
    ring.cut(fate, fate);
    assert_eq!(rest(&mut ring.device).await, b"\xe0\x01\x8b");
    assert_eq!(rest(&mut ring.served).await, b"\xe0\x01\x8b");
    assert_eq!(ring.done().await, [Some(fate), Some(fate)]);
    let mut ring = Ring::connected(0).await;
    ring.cut(fate, fate);
    assert_eq!(rest(&mut ring.device).await, b"");
    assert_eq!(rest(&mut ring.served).await, b"\xe0\x00");
    assert_eq!(ring.done().await, [Some(LegFate::Close), Some(LegFate::Disconnected(0))]);
}

/// A DISCONNECT amid another packet would be read as part of it.
#[tokio::test]
async fn amid_a_packet_it_is_fin_alone() {
    let mut ring = Ring::connected(1).await;
    ring.served.write_all(b"\x30\x09\x00\x01t\x00").await.unwrap();
    expect(&mut ring.device, b"\x30\x09\x00\x01t\x00").await;
    ring.cut(LegFate::Disconnected(0x8b), LegFate::Reset);
    assert_eq!(rest(&mut ring.device).await, b"");
    assert_eq!(ring.done().await, [Some(LegFate::Close), Some(LegFate::Reset)]);
}

#[tokio::test]
async fn packets_are_put_between_two_others() {
    let mut ring = Ring::connected(0).await;
    let window = WindowId(0);
    let publish = Injection::Publish {
        topic: "t".into(),
        payload: b"p".to_vec(),
        qos: QoS::AtLeastOnce,
        retain: false,
        packet_id: 5,
    };
    // The hub is amid a packet.
    ring.served.write_all(b"\x30\x06\x00\x01t").await.unwrap();
    expect(&mut ring.device, b"\x30\x06\x00\x01t").await;
    for what in [
        publish,
        Injection::Pingresp,
        Injection::Ack { kind: PacketKind::Puback, packet_id: 9 },
        Injection::Raw(b"\xd0\x00".to_vec()),
    ] {
        let inject = Arc::new(Inject { toward: Side::Device, what });
        ring.order(Order::Inject { window, inject });
    }
    let inject = Arc::new(Inject { toward: Side::Hub, what: Injection::Pingreq });
    ring.order(Order::Inject { window, inject });
    expect(&mut ring.served, b"\xc0\x00").await;
    ring.served.write_all(b"pay\xd0\x00").await.unwrap();
    let put = b"\x32\x06\x00\x01t\x00\x05p\xd0\x00\x40\x02\x00\x09\xd0\x00";
    expect(&mut ring.device, &[b"pay".as_slice(), put, b"\xd0\x00"].concat()).await;
    ring.cut(LegFate::Close, LegFate::Close);
    assert_eq!(rest(&mut ring.device).await, b"");
    ring.done().await;
}

/// Writes this until nothing more is taken, for long. How often it was begun.
async fn fill(stream: &TcpStream, bytes: &[u8]) -> u64 {
    let (mut written, mut full) = (0, 0);
    while full < 5 {
        match tokio::time::timeout(Duration::from_millis(60), stream.writable()).await {
            Err(_) => full += 1,
            Ok(room) => {
                room.unwrap();
                written += stream.try_write(&bytes[written % bytes.len()..]).unwrap_or(0);
                full = 0;
            }
        }
    }
    u64::try_from(written.div_ceil(bytes.len())).unwrap()
}

/// What became of the hub's messages, until both ends have gone.
async fn delivered(ring: Ring) -> Delivery {
    let mut down = Delivery::default();
    for event in ring.told().await {
        if let What::Delivery { down: more, .. } = event.what {
            down.add(&more);
        }
    }
    down
}

/// What the kernel took and the device's never acknowledged was not received, for all that is known.
#[tokio::test]
async fn what_was_not_acknowledged_when_a_leg_was_reset_is_not_known() {
    let publish = [b"\x30\x83\x08\x00\x01t".as_slice(), &[0; 1024]].concat();
    // What lies unread when it closes makes it a reset, with a FIN before it or not.
    for says_fin in [false, true] {
        let mut ring = Ring::connected(0).await;
        let sent = fill(&ring.served, &publish).await;
        if says_fin {
            ring.device.shutdown().await.unwrap();
            assert_eq!(rest(&mut ring.served).await, b"");
        }
        let down = delivered(ring).await;
        let passed = down.received[0] + down.unfollowed[0];
        assert!(down.unfollowed[0] > 0 && passed <= sent, "{says_fin}, {sent}: {down:?}");
    }
    // With all of it acknowledged, a reset leaves nothing in doubt.
    let mut ring = Ring::connected(0).await;
    for _ in 0..20 {
        ring.served.write_all(&publish).await.unwrap();
        expect(&mut ring.device, &publish).await;
    }
    // What the device says carries its acknowledgement.
    ring.device.write_all(b"\xc0\x00").await.unwrap();
    expect(&mut ring.served, b"\xc0\x00").await;
    socket2::SockRef::from(&ring.device).set_linger(Some(Duration::ZERO)).unwrap();
    let down = delivered(ring).await;
    assert_eq!((down.sent[0], down.received[0], down.unfollowed[0]), (20, 20, 0));
}

/// A FIN that the device's shut window holds back is told as such, and once more when it has gone.
#[tokio::test]
async fn a_fin_that_waits_is_not_told_as_one_that_was_heard() {
    let mut ring = Ring::connected(0).await;
    fill(&ring.served, &[0; 1 << 16]).await;
    ring.cut(LegFate::Close, LegFate::Close);
    // The hub's FIN shows that the device's was said, too.
    assert_eq!(rest(&mut ring.served).await, b"");
    assert!(!rest(&mut ring.device).await.is_empty());
    let events = ring.told().await;
    let waits = events.iter().filter_map(|event| match event.what {
        What::EndWaits { to, unsent, .. } => Some((to, unsent > 0)),
        _ => None,
    });
    assert_eq!(waits.collect::<Vec<_>>(), [(Side::Device, true), (Side::Device, false)]);
}

/// What ends say that a fault keeps from the other, in bytes.
#[tokio::test]
async fn what_is_never_passed_on_is_counted_by_direction() {
    let (up, down) = (b"\xc0\x00".repeat(150), b"\xd0\x00".repeat(35));
    let cut = |device, hub| vec![Order::Cut(Cut { window: None, legs: Ends { device, hub } })];
    let told_fin = |toward| vec![Order::HalfClose { window: None, toward }];
    let forgotten = Effects { reset_senders: Some(WindowId(0)), ..Effects::default() };
    let forgotten = Order::Apply { generation: 1, effects: Box::new(forgotten) };
    for (name, orders, said, lost) in [
        ("nothing in the way", vec![], [300, 70], [0, 0]),
        ("left half-open", cut(LegFate::HalfOpen, LegFate::HalfOpen), [300, 70], [300, 70]),
        ("closed", cut(LegFate::Close, LegFate::Close), [300, 70], [300, 70]),
        ("a trap for the device", cut(LegFate::ResetWhenSends, LegFate::Close), [300, 70], [300, 70]),
        ("a trap for the hub", cut(LegFate::Close, LegFate::ResetWhenSends), [300, 70], [300, 70]),
        ("forgotten", vec![forgotten], [300, 0], [300, 0]),
        ("the hub was told FIN", told_fin(Side::Hub), [300, 70], [300, 0]),
        ("the device was told FIN", told_fin(Side::Device), [300, 70], [0, 70]),
    ] {
        let mut ring = Ring::connected(0).await;
        // What is ordered before it is said holds for it.
        orders.into_iter().for_each(|order| ring.order(order));
        ring.device.write_all(&up[..said[0]]).await.unwrap();
        ring.served.write_all(&down[..said[1]]).await.unwrap();
        expect(&mut ring.served, &up[..said[0] - lost[0]]).await;
        expect(&mut ring.device, &down[..said[1] - lost[1]]).await;
        let events = ring.told().await;
        let undelivered = events.iter().find_map(|event| match event.what {
            What::LinkClosed { undelivered: Ways { up, down }, .. } => Some([up, down]),
            _ => None,
        });
        assert_eq!(undelivered.unwrap(), lost.map(|bytes| u64::try_from(bytes).unwrap()), "{name}");
    }
}

/// What still comes on a leg that a fault has closed is read for 2 s; who says no end by then is not waited for.
#[tokio::test]
async fn a_leg_that_a_fault_has_closed_is_heard_out_and_then_let_go() {
    let mut ring = Ring::connected(0).await;
    let begun = std::time::Instant::now();
    ring.cut(LegFate::Close, LegFate::Close);
    assert_eq!((rest(&mut ring.device).await, rest(&mut ring.served).await), (vec![], vec![]));
    let over = tokio::time::timeout(Duration::from_secs(25), &mut ring.task).await;
    over.expect("the link ends").unwrap();
    assert!(begun.elapsed() >= FIN_LINGER, "{:?}", begun.elapsed());
}

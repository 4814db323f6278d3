//! Headwater's core: live streaming by RTMP and HTTP-FLV, as pure state machines.
//!
//! Bytes and times go in; events, bytes and deadlines come out. There is no socket, no clock, no thread and no
//! randomness in here, so the same input gives the same output, on every runtime and under test.
//!
//! ```text
//!               ┌──────────────── a machine ────────────────┐
//!   bytes ────▶ │ handle_input                       events │ ────▶ what came
//!   time  ────▶ │ handle_timeout                   commands │ ◀──── accept, reject, send_frame, close
//!               │                                           │
//!   bytes ◀──── │ output            handshake ▸ chunk ▸     │
//!   time  ◀──── │ poll_timeout      message ▸ session       │
//!               └───────────────────────────────────────────┘
//! ```
//!
//! **It does** both sides of RTMP, with plain and digest handshakes and Enhanced RTMP's codecs and tracks; pull and
//! push of FLV by HTTP/1.1 and by WebSocket; fan-out of a stream to its players, with a cache for those who join,
//! a policy for those who are slow and one time line for publishers that come and go; and the whole server made of
//! these.
//!
//! **It does not** open sockets (the drivers do), speak TLS (put it between the socket and `handle_input`), decode or
//! transcode pictures, record, serve recordings, or know users: who may do what is the application's to answer. RTMPE,
//! RTMPT and shared objects are not there.
//!
//! # The modules
//!
//! ```text
//!                  server                     a whole server
//!          ┌─────────┼──────────┐
//!          ▼         ▼          ▼
//!        rtmp      http        hub            protocols; from one publisher to many players
//!          │         ▼          │
//!          │        flv         │
//!          └───────┐ │ ┌────────┘
//!                  ▼ ▼ ▼
//!                  media                      frames: what sound, pictures and metadata are
//!                    ▼
//!                   amf                       a format of values
//! ─────────────────────────────────────────
//!  name  output  request  time  limits  …     what all of them share
//! ```
//!
//! A module knows only those that its arrows lead to, and what all share; `tests/arrows.rs` holds that. So each of them works
//! alone: HTTP knows no RTMP, and a hub no protocol.
//!
//! | Module | What it has | Use it to |
//! |--|--|--|
//! | [`server`] | [`Server`](server::Server): connections, streams, who may publish and who is too slow | run a server on a runtime or loop of your own; `Shard` of `headwater-driver` also says when to read and write |
//! | [`rtmp`] | [`ServerSession`](rtmp::ServerSession), [`ClientSession`](rtmp::ClientSession), and the layers [`handshake`](rtmp::handshake), [`chunk`](rtmp::chunk) and [`message`](rtmp::message) | take in or give out streams over one connection, publish to another server, play from it |
//! | [`http`] | [`HttpSession`](http::HttpSession): pull, push, WebSocket, and answers of your own | the same by HTTP, and an API or a page beside it |
//! | [`hub`] | [`Hub`](hub::Hub), [`Channel`](hub::Channel): one ring of frames per stream, one cursor per player | fan streams out |
//! | [`flv`] | [`FlvReader`](flv::FlvReader), [`FlvWriter`](flv::FlvWriter) | read and write files and pushes |
//! | [`media`] | [`Frame`], what its first bytes say, its [tracks](media::tracks()), sequence headers, [metadata](media::script) | tell keyframes, codecs, sizes; [rewrite](media::Rewrite) a few first bytes |
//! | [`amf`] | AMF0 and AMF3 values | read and write commands and metadata |
//! | [`name`] | [`StreamKey`], [`Target`] | name streams, whichever protocol asks |
//! | [`request`] | [`RequestId`], [`StateError`] | answer what a session asks |
//! | [`output`] | [`Output`], [`BufferPool`](output::BufferPool) | write to a socket without copies |
//! | [`limits`], [`time`], [`timers`], [`timestamp`], [`end_cause`] | [`Limits`], [`Time`], [`Timer`], [`Timestamp`], [`EndCause`] | |
//!
//! The folder `examples` has programs for a server, a session on either side, and `transcript`, which prints a conversation.
//!
//! # The loop
//!
//! Every machine has three sorts of methods, told apart by their first word:
//!
//! - **`handle_…`** says what the world did: bytes came, the input ended, time passed. It returns one event, or `None`
//!   when there is no more: call it until then. It takes input from the front of a slice, and nothing is read past the
//!   event in your hand.
//! - **Commands** say what you want: `accept`, `reject`, `send_frame`, `close`. They are allowed between two events.
//! - **The rest** asks and changes nothing. It costs next to nothing, too.
//!
//! After any call that changes something: take events until `None`, write the output, then read the deadline.
//!
//! ```
//! use headwater_core::Time;
//! use headwater_core::rtmp::{Event, ServerSession, Status, StatusCode};
//! use std::error::Error;
//! use std::io::{Read, Write};
//!
//! /// Lets a peer publish. Returns how many frames came.
//! fn serve(mut socket: impl Read + Write, clock: impl Fn() -> Time) -> Result<u64, Box<dyn Error>> {
//!     let seed = 1; // any number: it only fills the handshake
//!     let mut session = ServerSession::new(Default::default(), clock(), seed);
//!     let mut frames = 0;
//!     let mut scratch = vec![0; 64 << 10]; // one per thread will do: a session keeps what it needs
//!     while !session.is_closed() {
//!         // Here a driver waits: for the socket, but not past `session.poll_timeout()`.
//!         let len = socket.read(&mut scratch)?;
//!         let (now, mut input) = (clock(), &scratch[..len]);
//!         loop {
//!             let event = match session.handle_input(now, &mut input)? {
//!                 None if len == 0 => session.handle_eof(now)?,
//!                 None => session.handle_timeout(now)?,
//!                 event => event,
//!             };
//!             match event {
//!                 Some(Event::ConnectRequested { id, .. } | Event::PublishRequested { id, .. }) => {
//!                     session.accept(now, id)?;
//!                 }
//!                 Some(Event::PlayRequested { id, .. }) => {
//!                     let status = Status::new(StatusCode::PlayStreamNotFound, "Nothing is played here.");
//!                     session.reject(now, id, status)?;
//!                 }
//!                 Some(Event::Frame { frame, .. }) => frames += u64::from(!frame.payload.is_empty()),
//!                 Some(_) => {}
//!                 None => break,
//!             }
//!         }
//!         session.output().write_to(&mut socket)?;
//!     }
//!     Ok(frames)
//! }
//! #
//! # use bytes::Buf;
//! # // A socket with a client at its other end, which publishes one frame and leaves.
//! # use headwater_core::rtmp::{ClientEvent, ClientRequest, ClientSession};
//! # use headwater_core::{Frame, Timestamp};
//! # struct Peer(ClientSession);
//! # impl Read for Peer {
//! #     fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
//! #         let len = self.0.output().remaining().min(buffer.len());
//! #         self.0.output().copy_to_slice(&mut buffer[..len]);
//! #         Ok(len)
//! #     }
//! # }
//! # impl Write for Peer {
//! #     fn write(&mut self, mut bytes: &[u8]) -> std::io::Result<usize> {
//! #         let len = bytes.len();
//! #         while let Some(event) = self.0.handle_input(Time::ZERO, &mut bytes).unwrap() {
//! #             if event == ClientEvent::Started {
//! #                 let frame = Frame::audio(Timestamp::ZERO, bytes::Bytes::from_static(b"\xAF\x01sound"));
//! #                 self.0.send_frame(&frame).unwrap();
//! #                 self.0.close(Time::ZERO);
//! #             }
//! #         }
//! #         Ok(len)
//! #     }
//! #     fn flush(&mut self) -> std::io::Result<()> {
//! #         Ok(())
//! #     }
//! # }
//! # let request = ClientRequest::publish("rtmp://localhost/live/cam").unwrap();
//! # let peer = Peer(ClientSession::new(Default::default(), Time::ZERO, 2, request));
//! # assert_eq!(serve(peer, || Time::ZERO).unwrap(), 1);
//! ```
//!
//! A request that cannot be answered at once may wait. Until then [`is_paused`](rtmp::ServerSession::is_paused)
//! holds and the rest of the input stays with you; leave what follows in the kernel, and the peer slows down. The other
//! way round, [`can_send`](rtmp::ServerSession::can_send) says when to send no more frames because the peer is slow.
//!
//! An error of a machine is the peer's fault. The machine has closed itself, and its output may still hold a final reply.
//! A [`StateError`] is yours, and has changed nothing.
//!
//! # The states of a session
//!
//! ```text
//!  a connection                              each of its message streams
//!
//!  handshake                                  idle ◀──────────────────────────────┐
//!      │                                        │ publish, play                   │
//!      ▼         connect                        ▼                                 │
//!  unconnected ─────────▶ ConnectRequested    PublishRequested, PlayRequested     │
//!      │                        │ accept        │ accept                          │
//!      │                        ▼               ▼                                 │
//!      │                    connected         Event::Frame or send_frame          │
//!      │                        │               │ closeStream, deleteStream       │
//!      └───────────┬────────────┘               └─────▶ PublishEnded, PlayEnded ──┘
//!                  │ reject, close, end_publish, end_play, end of input, error
//!                  ▼
//!              is_closing ─── output has left, or close_timeout is over ───▶ is_closed
//! ```
//!
//! In the three states with `Requested` in their names the session is paused. What was requested ends once: by your
//! `reject`, or with one `PublishEnded` or `PlayEnded`, whatever the cause.
//!
//! # Costs
//!
//! | | Copies of the payload | Allocations |
//! |--|--|--|
//! | a frame comes in | 1, into a buffer of its own | 2: the buffer and its reference count |
//! | it goes out to one more player | 0 (1 below [`INLINE_BELOW`](output::INLINE_BELOW) bytes) | 0 |
//! | the same in another form ([`Rewrite`](media::Rewrite)) | as above, and its head of at most 15 bytes | 0 |
//! | a control message comes or goes | 1 | 0 |
//! | nothing happens | | 0 |
//!
//! In a [`server::Server`] a connection that plays and keeps up owns less than 2 KiB, one that has said nothing yet less
//! than 1 KiB, since their outputs use their memory in turns ([`output::BufferPool`]); a session of your own keeps what its
//! longest burst took, up to 24 KiB. The frames that wait for a slow player are shared with the others.
//! `tests/allocations.rs` and `tests/payload.rs` hold all of this.
//!
//! # Limits
//!
//! Whatever a peer controls has a bound; [`Limits`] and [`hub::ChannelConfig`] say each with its reason. So the most
//! that a peer can make the server hold is known:
//!
//! | | At most | By default |
//! |--|--|--|
//! | messages under way, per connection | `max_buffered_bytes` | 16 MiB |
//! | output waiting, per connection | `max_output` and one message | 12 MiB and 8 MiB |
//! | frames, per stream, however many play it | `gop_max_bytes` and `lag_max_bytes` | 32 MiB and 8 MiB |
//! | an HTTP head | `max_http_head` | 16 KiB |
//!
//! Work is linear in the bytes, so a driver that reads connections in turn shares time fairly. The worst that a byte
//! can cost is some 20 ns, with chunks of one byte. Messages of next to no bytes would cost ten times that, so a
//! connection ends that has 100,000 in a second with less than 16 bytes each.
//!
//! # Where to find what a specification says
//!
//! | Specification | Module |
//! |--|--|
//! | RTMP 1.0 §5.2, and the digest handshake of Flash Player 9 | [`rtmp::handshake`] |
//! | RTMP 1.0 §5.3 | [`rtmp::chunk`] |
//! | RTMP 1.0 §5.4, §6, §7.1 | [`rtmp::message`] |
//! | RTMP 1.0 §7.2, §7.3; E-RTMP v2 `connect` | [`rtmp`] |
//! | AMF 0, AMF 3 | [`amf`] |
//! | FLV 10.1 §E.2 to §E.4.1 | [`flv`] |
//! | FLV 10.1 §E.4.2 to §E.4.4, §E.5; E-RTMP v2 audio and video | [`media`] |
//! | ISO/IEC 14496-15 §5.3.3, §8.3.3; 14496-10 §7.3.2.1; 14496-3 §1.6.2 | [`media`] |
//! | RFC 9110, RFC 9112, RFC 6455 | [`http`] |
//!
//! # Features
//!
//! | Feature | | What it adds |
//! |--|--|--|
//! | `std` | default | [`Output::write_to`] and vectored writes. Without it the crate needs `alloc` only |
//! | `server` | default | [`server`], with log events by `tracing`; states of sessions by `serde` |
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
// The notation of test frames knows the crate by the name that it has outside.
#[cfg(test)]
extern crate self as headwater_core;
#[cfg(test)]
#[path = "../tests/script/frames.rs"]
mod frames;
#[cfg(test)]
#[path = "../tests/script/http_owner.rs"]
mod http_owner;

#[macro_use]
mod words;

pub mod amf;
pub mod end_cause;
pub mod flv;
pub mod http;
pub mod hub;
pub mod limits;
pub mod media;
pub mod name;
pub mod output;
pub mod request;
pub mod rtmp;
#[cfg(feature = "server")]
pub mod server;
pub mod time;
pub mod timers;
pub mod timestamp;
mod work;

pub use end_cause::EndCause;
pub use limits::Limits;
pub use media::{Frame, FrameAt, FrameClass, FrameKind, TrackId};
pub use name::{StreamKey, StreamKeyError, Target};
pub use output::Output;
pub use request::{RequestId, StateError};
pub use time::Time;
pub use timers::Timer;
pub use timestamp::Timestamp;

//! RTMP, both sides: the conversation, and the layers under it.
//!
//! ```text
//!            bytes, times                           events
//!  socket ────────────────▶ ServerSession ───────────────────────────▶ application
//!         ◀──────────────── handshake ▸ chunks ▸ messages ▸ commands ◀─
//!            output, deadline                       accept, reject, send_frame, close
//! ```
//!
//! [`ServerSession`] and [`ClientSession`] answer what needs no decision; what does is an [`Event`] that waits for an
//! answer. This is all that an application has to do:
//!
//! ```
//! use headwater_core::rtmp::{Event, ProtocolError, ServerSession, SessionConfig};
//! use headwater_core::{Output, Time};
//! use std::sync::Arc;
//!
//! fn handle(session: &mut ServerSession, now: Time, mut input: &[u8]) -> Result<(), ProtocolError> {
//!     while let Some(event) = session.handle_input(now, &mut input)? {
//!         match event {
//!             Event::ConnectRequested { id, .. }
//!             | Event::PublishRequested { id, .. }
//!             | Event::PlayRequested { id, .. } => session.accept(now, id).expect("it was asked just now"),
//!             Event::Frame { stream, frame } => println!("{stream}: {:?} at {}", frame.class, frame.timestamp),
//!             event => println!("{event:?}"),
//!         }
//!     }
//!     assert!(input.is_empty(), "a caller that accepts later keeps the rest until then: see `is_paused`");
//!     Ok(())
//! }
//!
//! let mut session = ServerSession::new(Arc::new(SessionConfig::default()), Time::ZERO, 1);
//! handle(&mut session, Time::ZERO, &[[3].as_slice(), &[0; 1_536]].concat())?; // C0 and C1
//! assert_eq!(session.output().len(), 3_073); // S0, S1 and S2: write them to the socket
//! assert_eq!(session.poll_timeout(), Some(Time::from_millis(10_000))); // C2 is due by then
//! # Ok::<(), ProtocolError>(())
//! ```
//!
//! # What a client can say
//!
//! | Command | Answer |
//! |--|--|
//! | `connect` | [`Event::ConnectRequested`]; window, bandwidth, chunk size, `_result` |
//! | `createStream` | `_result` with a message stream ID |
//! | `releaseStream`, `FCSubscribe`, `getStreamLength` | `_result`, where one is wanted |
//! | `FCPublish` | `_result`, `onFCPublish`: hardware encoders wait for either |
//! | `publish`, with a name | [`Event::PublishRequested`]; Stream Begin, `NetStream.Publish.Start` |
//! | `play`, `play2`, with a name | [`Event::PlayRequested`]; Stream Begin, `NetStream.Play.Start` |
//! | `closeStream`, `deleteStream`, `FCUnpublish`, `publish(false)`, `play(false)` | [`Event::PublishEnded`] or [`Event::PlayEnded`] |
//! | `pause`, `receiveAudio`, `receiveVideo` | [`Event::PlayControl`], after the play if they came before it; `NetStream.Pause.Notify` and the like |
//! | `seek` | `NetStream.Seek.Notify`: a live stream has one position |
//! | anything else | an empty `_result`, where one is wanted; [`Anomaly::UnknownCommand`] |
//!
//! # The layers
//!
//! | Layer | What it has | Source |
//! |--|--|--|
//! | [`handshake`] | the first 3,073 bytes of each side | RTMP 1.0 §5.2 |
//! | [`chunk`] | [messages](chunk::Message) in chunks, several of them interleaved | RTMP 1.0 §5.3 |
//! | [`message`] | what control, command and data messages say | RTMP 1.0 §5.4, §6, §7.1 |
//! | this one | the conversation: who may say what and when, and the answers | RTMP 1.0 §7.2, §7.3; E-RTMP v2 |
//!
//! Each layer knows only those above it in this table, and works alone.

pub mod chunk;
pub mod handshake;
pub mod message;
mod session;
#[cfg(feature = "server")]
pub(crate) mod transcript;

#[doc(no_inline)]
pub use chunk::MessageStreamId;
pub use session::{
    Anomaly, Capabilities, ClientEvent, ClientRequest, ClientSession, Connect, Event, Level, PlayControl, PlayStart,
    ProtocolError, PublishKind, Purpose, ServerSession, SessionConfig, SessionStats, Status, StatusCode, UrlError,
};

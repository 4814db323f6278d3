//! Every state of a connection and of a message stream, and every step between them.
//!
//! The tables below are all that decides what may follow what. The code around them parses, replies and reports.

use super::ProtocolError;

/// Where a server's connection stands. RTMP 1.0 §5.2 and §7.2.1.1.
///
/// ```text
/// Handshaking ─▶ Unconnected ─connect─▶ ConnectRequested ─accept─▶ Connected
///      └──────────────┴───────────────────────┴─────────close─────────┴─────▶ Closing ─flushed─▶ Closed
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum ConnectionState {
    /// C0 to C2.
    Handshaking,
    /// `connect` is due. Control messages may come first: OBS sends Set Chunk Size.
    Unconnected,
    /// The application has `connect` to decide on.
    ConnectRequested,
    /// Streams may be created, published and played.
    Connected,
    /// Input is discarded, the last output leaves.
    Closing,
    /// Nothing leaves any more.
    Closed,
}

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionStep {
    HandshakeDone,
    /// The command `connect`.
    Connect,
    /// Any other command.
    Command,
    Accept,
    /// By either side, for any reason.
    Close,
    CloseTimeout,
}

impl ConnectionState {
    /// The state after `step`.
    ///
    /// # Errors
    /// If the peer must not take that step in this state.
    pub(super) const fn after(self, step: ConnectionStep) -> Result<Self, ProtocolError> {
        use ConnectionState as State;
        use ConnectionStep as Step;
        Ok(match (self, step) {
            (State::Handshaking, Step::HandshakeDone) => State::Unconnected,
            (State::Unconnected, Step::Connect) => State::ConnectRequested,
            (State::ConnectRequested, Step::Accept) => State::Connected,
            (State::Connected, Step::Command) => State::Connected,
            (State::Closed, _) | (_, Step::CloseTimeout) => State::Closed,
            (_, Step::Close) => State::Closing,

            (State::Connected, Step::Connect) => return Err(ProtocolError::AlreadyConnected),
            (State::Unconnected, Step::Command) => return Err(ProtocolError::NotConnected),

            // While a request is pending and while closing no input is read; nothing is accepted twice.
            (state, Step::HandshakeDone | Step::Connect | Step::Command | Step::Accept) => state,
        })
    }
}

/// What a message stream is doing. RTMP 1.0 §7.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum StreamState {
    /// Created, or stopped.
    Idle,
    /// The application has `publish` to decide on.
    PublishRequested,
    /// Media comes in.
    Publishing,
    /// The application has `play` to decide on.
    PlayRequested,
    /// Media goes out.
    Playing,
}

/// What happens to a message stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamStep {
    /// The command `publish`, with a name.
    Publish,
    /// The commands `play` and `play2`, with a name.
    Play,
    Accept,
    Reject,
    /// `closeStream`, `deleteStream`, `FCUnpublish`, `publish(false)`, `play(false)`; or the connection ends.
    Stop,
}

/// What a step brought to its end, to be reported once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Nothing,
    Publish,
    Play,
}

impl StreamState {
    /// The state after `step`, and what the step ended.
    ///
    /// | | publish | play | accept | reject | stop |
    /// |--|--|--|--|--|--|
    /// | idle | publish requested | play requested | – | – | – |
    /// | publish requested | – | – | publishing | idle | idle, ended |
    /// | play requested | – | – | playing | idle | idle, ended |
    /// | publishing | requested, ended | requested, ended | – | – | idle, ended |
    /// | playing | requested, ended | requested, ended | – | – | idle, ended |
    pub(super) const fn after(self, step: StreamStep) -> (Self, Ended) {
        use StreamState as State;
        use StreamStep as Step;
        let ended = match (self, step) {
            (_, Step::Accept | Step::Reject) | (State::Idle, _) => Ended::Nothing,
            (State::PublishRequested | State::Publishing, _) => Ended::Publish,
            (State::PlayRequested | State::Playing, _) => Ended::Play,
        };
        let state = match (self, step) {
            (_, Step::Publish) => State::PublishRequested,
            (_, Step::Play) => State::PlayRequested,
            (State::PublishRequested, Step::Accept) => State::Publishing,
            (State::PlayRequested, Step::Accept) => State::Playing,
            (State::PublishRequested | State::PlayRequested, Step::Reject) | (_, Step::Stop) => State::Idle,
            (state, Step::Accept | Step::Reject) => state,
        };
        (state, ended)
    }
}

/// Where a client's connection stands: each state but the last three waits for one answer.
///
/// ```text
/// Handshaking ─done─▶ Connecting ─_result─▶ Creating ─_result─▶ Starting ─onStatus─▶ Started
///      └─────────────────┴────────────────────┴───────────────────┴───────close────────┴──▶ Closing ─flushed─▶ Closed
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientState {
    Handshaking,
    /// `connect` was sent.
    Connecting,
    /// `createStream` was sent.
    Creating,
    /// `publish` or `play` was sent.
    Starting,
    /// Media flows.
    Started,
    /// Input is discarded, the last output leaves.
    Closing,
    /// Nothing leaves any more.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::{Arbitrary, Gen, quickcheck};

    impl Arbitrary for StreamStep {
        fn arbitrary(g: &mut Gen) -> Self {
            *g.choose(&[
                StreamStep::Publish,
                StreamStep::Play,
                StreamStep::Accept,
                StreamStep::Reject,
                StreamStep::Stop,
            ])
            .unwrap()
        }
    }

    quickcheck! {
        fn every_start_has_exactly_one_end(steps: alloc::vec::Vec<StreamStep>) -> bool {
            let mut state = StreamState::Idle;
            let mut open = None;
            for step in steps.into_iter().chain([StreamStep::Stop]) {
                let was_requested = matches!(state, StreamState::PublishRequested | StreamState::PlayRequested);
                let (next, ended) = state.after(step);
                match ended {
                    Ended::Nothing if step == StreamStep::Reject && was_requested => open = None,
                    Ended::Nothing => {}
                    ended if open == Some(ended) => open = None,
                    _ => return false,
                }
                match step {
                    StreamStep::Publish if open.replace(Ended::Publish).is_some() => return false,
                    StreamStep::Play if open.replace(Ended::Play).is_some() => return false,
                    _ => {}
                }
                state = next;
            }
            open.is_none() && state == StreamState::Idle
        }
    }

    #[test]
    fn only_connect_may_come_first_and_only_once() {
        let step = ConnectionState::after;
        assert_eq!(
            step(ConnectionState::Unconnected, ConnectionStep::Command),
            Err(ProtocolError::NotConnected)
        );
        assert_eq!(
            step(ConnectionState::Connected, ConnectionStep::Connect),
            Err(ProtocolError::AlreadyConnected)
        );
        assert_eq!(
            step(ConnectionState::Unconnected, ConnectionStep::Connect),
            Ok(ConnectionState::ConnectRequested)
        );
    }

    #[test]
    fn a_closed_connection_stays_closed() {
        for step in [
            ConnectionStep::HandshakeDone,
            ConnectionStep::Connect,
            ConnectionStep::Command,
            ConnectionStep::Accept,
            ConnectionStep::Close,
            ConnectionStep::CloseTimeout,
        ] {
            assert_eq!(ConnectionState::Closed.after(step), Ok(ConnectionState::Closed));
        }
    }
}

//! Every quantity that a peer controls, and its bound.

use core::time::Duration;

/// What a peer may make us hold or wait for. Each field says its unit, its default and where the default comes from.
///
/// Stream-wide bounds (GOP cache, lag of a slow player) are in `hub::ChannelConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct Limits {
    /// Bytes of one media message or FLV tag. 8 MiB: a keyframe of a 100 Mb/s stream stays below 2 MiB.
    pub max_message_len: u32,
    /// Bytes of one command, data or shared object message. 256 KiB: real ones stay below 4 KiB.
    pub max_command_len: u32,
    /// Chunk streams with state per connection. 64: real clients use at most 8.
    pub max_chunk_streams: usize,
    /// Bytes of unfinished messages per connection, over all chunk streams. 16 MiB: two messages of the largest size.
    pub max_buffered_bytes: usize,
    /// Message streams open per connection. 16: SRS has seen clients with 3.
    pub max_message_streams: usize,
    /// Bytes of output waiting above which a connection pulls no more frames. 64 KiB: a few frames, so that what waits
    /// can still be skipped, and enough to fill one vectored write.
    pub output_high_water: usize,
    /// Bytes of output waiting at which replies are refused and the connection ends. 4 MiB above the largest message.
    pub max_output: usize,
    /// Requests to publish or play, refused ones included, that a connection may make in a second. 100: a person who
    /// switches streams makes one, and each is worth a line or two in the log. An operator's connection goes on, and is
    /// answered 429 beyond it.
    pub max_requests_per_second: u32,
    /// Work that the input of a connection may make in a second before the connection yields to the others: it is read when
    /// there is nothing else to do, a little at a time. The unit is a byte that is parsed; a message or tag counts 16 of them, and
    /// so do each part of an aggregate and each frame of sound in ADTS; a chunk counts 2, the payload of sound and pictures
    /// nothing. 256 Ki: about 6 ms at the dearest. A stream of 100 Mb/s in chunks of 128 bytes makes 200 Ki, one of 6 Mb/s as OBS
    /// sends it 3 Ki.
    pub max_work_per_second: u64,
    /// Depth of nested AMF values. 16, as ffmpeg.
    pub max_amf_depth: u8,
    /// AMF values per message. 4,096: real metadata stays below 100.
    pub max_amf_values: u32,
    /// Bytes of a string in a command that we keep (`app`, `tcUrl`, a stream name). 4 KiB: tokens of 2 KiB occur.
    pub max_string_len: usize,
    /// Bytes of metadata kept per stream. 64 KiB: real ones stay below 4 KiB.
    pub max_metadata_len: usize,
    /// Bytes of an HTTP request head. 16 KiB, as most servers.
    pub max_http_head: usize,
    /// Header fields in an HTTP request. 100, as Apache.
    pub max_http_headers: usize,
    /// Bytes that may follow an HTTP request to play before it is answered, or its play over. 16 KiB: a further request of
    /// the largest size. They are read on, since an end may come behind them.
    pub max_pipelined: usize,
    /// Requests that one HTTP connection may make, streams among them; the answer to the last says `Connection: close`.
    /// 1,000, as nginx: connecting once in so many costs nothing, and lets clients spread over addresses and workers anew.
    pub max_http_requests: u32,
    /// From accept to the end of the handshake, absolute. 10 s.
    pub handshake_timeout: Duration,
    /// From the end of the handshake to `connect`, and from there to the first `publish` or `play`, whatever else is said; for
    /// HTTP, from accept to the end of the first head, from the first byte of a later one to its end, the whole content of a
    /// request that is no push, and a push before its first frame. 10 s, as most servers give.
    pub command_timeout: Duration,
    /// From an HTTP answer to the first byte of the next request. 20 s: longer than the 15 s between two scrapes of a
    /// monitoring system, and short, since such a connection is one of those that neither publish nor play.
    pub keep_alive_timeout: Duration,
    /// A publisher that sends no media: no whole frame of sound or pictures, whatever else it sends, nor 4 KiB of one that is
    /// slow to come. 30 s: mobile encoders pause their camera for seconds. A publisher between two streams has to answer a
    /// ping in this time. What the program itself publishes may be silent for as long as it likes.
    pub idle_timeout: Duration,
    /// A connection with output waiting whose socket takes nothing: neither what waited half of this time ago nor 8 KiB of
    /// it, twice in a row, so that it may take half as long again. 15 s: shorter than what users call broken.
    pub stall_timeout: Duration,
    /// A connection whose peer has closed its sending side, and whose socket takes nothing: it listens on, or has left.
    /// 10 s: long enough for a player that waits for a keyframe, too short to keep a thousand sockets that nobody holds.
    pub half_closed_timeout: Duration,
    /// Between pings to an RTMP or WebSocket player. 30 s: below the idle timeout of common proxies.
    pub ping_interval: Duration,
    /// For the last replies to leave once a connection is closing. 2 s.
    pub close_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_message_len: 8 << 20,
            max_command_len: 256 << 10,
            max_chunk_streams: 64,
            max_buffered_bytes: 16 << 20,
            max_message_streams: 16,
            output_high_water: 64 << 10,
            max_output: 12 << 20,
            max_requests_per_second: 100,
            max_work_per_second: 256 << 10,
            max_amf_depth: 16,
            max_amf_values: 4_096,
            max_string_len: 4 << 10,
            max_metadata_len: 64 << 10,
            max_http_head: 16 << 10,
            max_http_headers: 100,
            max_pipelined: 16 << 10,
            max_http_requests: 1_000,
            handshake_timeout: Duration::from_secs(10),
            command_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(15),
            half_closed_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(30),
            close_timeout: Duration::from_secs(2),
        }
    }
}

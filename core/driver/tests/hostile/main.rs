//! Every hostile input that we know of, one test for each, against a whole server in memory and in virtual time.
//!
//! Each test sets a [`Scene`](scene::Scene): a good publisher, and good players by RTMP and HTTP-FLV, on two workers. Beside
//! them a hostile peer does its worst. The scene then expects the same of every row: the good players get each frame at once
//! and miss none; memory and work are in proportion to what the hostile peer has sent; the log says little, escaped, and the
//! reason if something was refused; and once the peer is gone, so is everything that the server knew of it. What a peer
//! hears, and what else a row is about, is in its test.
//!
//! `inputs.rs` has what the peers say. `tests/hostile` says the same to each binary.
//!
//! | row | a peer ... | and what comes of it | in |
//! |--|--|--|--|
//! | 1 | connects and says nothing, or a byte a second | is closed after 10 s | `connection` |
//! | 2 | begins with another version than 3 | is closed without an answer | |
//! | 3 | sends junk or zeros where a digest may be | is served: the handshake without digest never fails | |
//! | 4 | sends all at once, before our half of the handshake | is served; nothing is kept | |
//! | 5 | sets chunk size 0, or one with the top bit, or cuts the message | is closed; is closed; goes on | `chunk` |
//! | 6 | sends chunks of one byte | goes on, and yields to others | |
//! | 7 | sets the largest chunk size | goes on: memory follows the bytes | |
//! | 8 | announces 16 MiB; or 8 MiB on many chunk streams | is closed; goes on, with 64 KiB for each | |
//! | 9 | uses 1,000 chunk streams | is closed at the 65th | |
//! | 10 | opens a chunk stream with a header that inherits | is closed; type 1, which inherits little, goes on | |
//! | 11 | changes a message in its middle | is closed | |
//! | 12 | sends empty messages | goes on; a flood of them is closed | |
//! | 13 | sends payload that looks like an extended timestamp | harms its own stream at most | |
//! | 14 | sends timestamps that leap, alternate, stand still | its players see real time | |
//! | 15 | aborts on and on | goes on | |
//! | 16 | acknowledges what was never sent | goes on | |
//! | 17 | wants an acknowledgement of each byte | gets one per 2,048 bytes | |
//! | 18 | changes the bandwidth on and on | is answered once per change | |
//! | 19 | pings on and on | is answered ten times a second | |
//! | 20 | claims a buffer of 49 days | goes on: nothing is sized by it | |
//! | 21 | nests values | its message is read over at depth 16 | `amf` |
//! | 22 | lies about counts and lengths | its message is read over | |
//! | 23 | refers to objects, on and on | nothing is expanded | |
//! | 24 | sends numbers and references that are none | its message is read over | |
//! | 25 | sends 100,000 properties | at most 4,096 are read, the first of a name counts | |
//! | 26 | has huge strings | is told, and closed | `session` |
//! | 27 | has names that mean something elsewhere | is refused, or has a stream of that name; the log is escaped | |
//! | 28 | says things in the wrong order | is closed, or not heard | |
//! | 29 | opens 3,000 message streams | is closed at the 17th | |
//! | 30 | names streams of others | meddles with its own alone | |
//! | 31 | begins and ends, or wants a name that others have | is told to wait, or refused | |
//! | 32 | lies in aggregates | sends what is whole in them, no aggregates within | `media` |
//! | 33 | lies in Enhanced RTMP | sends frames that nobody can use | |
//! | 34 | changes its headers with each picture | is closed | |
//! | 35 | flags all pictures as keyframes, or none | fills bounded memory | |
//! | 36 | has absurd parameter sets | is passed on; the log says less | |
//! | 37 | has huge metadata, and numbers that are none | keeps none above 64 KiB | |
//! | 38 | plays and never reads | is closed, and holds little until then | `players` |
//! | 39 | plays and reads a byte a second | is closed, and holds little until then | |
//! | 40 | waits for nothing, a thousand times | gets its share of the places | |
//! | 41 | smuggles requests, sends giant heads, malformed chunks | gets 400 or 431 | `http` |
//! | 42 | pushes what is no FLV, or a tag that never comes | gets 400 or 413; is closed later | |
//! | 43 | breaks the rules of WebSocket | is told the code, and closed | |
//! | 44 | speaks another protocol | is closed without an answer | `connection` |
//! | 46 | guesses ids | gains nothing: no id says who may do what | `session` |
//! | 47 | answers what nobody asked | is not heard | |
//! | 48 | sends shared objects and types that are none | is not heard | |
//! | 49 | vanishes | is missed in time | `connection` |
//! | 50 | floods us while a question is open | waits in the kernel | |
//!
//! Row 45 is about passwords by RTMP, which there are none of yet.
#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test"
)]

mod amf;
mod chunk;
#[path = "../../../tests/work/clock.rs"]
mod clock;
mod connection;
#[path = "../../../tests/script/frames.rs"]
mod frames;
mod http;
mod inputs;
#[path = "../server/lines.rs"]
mod lines;
mod media;
mod players;
mod scene;
mod session;
#[path = "../server/world.rs"]
mod world;

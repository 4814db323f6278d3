//! Where the digest form hides its HMACs. Not in RTMP 1.0: published by reverse engineering, the same in every peer.

use super::{Filler, Packet};
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// An HMAC-SHA256.
pub(super) type Digest = [u8; DIGEST_LEN];

const DIGEST_LEN: usize = 32;

/// What each side signs with: its first packet with the open part, its answer with all of it.
pub(super) struct Key {
    all: &'static [u8],
    open_len: usize,
}

/// "FP": the client.
pub(super) const PLAYER_KEY: Key = Key {
    all: b"Genuine Adobe Flash Player 001\
           \xF0\xEE\xC2\x4A\x80\x68\xBE\xE8\x2E\x00\xD0\xD1\x02\x9E\x7E\x57\
           \x6E\xEC\x5D\x2D\x29\x80\x6F\xAB\x93\xB8\xE6\x36\xCF\xEB\x31\xAE",
    open_len: 30,
};

/// "FMS": the server.
pub(super) const SERVER_KEY: Key = Key {
    all: b"Genuine Adobe Flash Media Server 001\
           \xF0\xEE\xC2\x4A\x80\x68\xBE\xE8\x2E\x00\xD0\xD1\x02\x9E\x7E\x57\
           \x6E\xEC\x5D\x2D\x29\x80\x6F\xAB\x93\xB8\xE6\x36\xCF\xEB\x31\xAE",
    open_len: 36,
};

/// C1 and S1 are 8 bytes of head and two blocks of 764, one with the digest, one with a key that only RTMPE needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    /// Schema 0.
    KeyFirst,
    /// Schema 1.
    DigestFirst,
}

impl Schema {
    /// Puts the digest of `packet` in its place.
    #[expect(clippy::arithmetic_side_effects, reason = "a digest lies within the packet")]
    pub(super) fn sign(self, packet: &mut Packet, key: &Key) {
        let digest = self.digest(packet, key);
        let at = self.position(packet);
        if let Some(place) = packet.get_mut(at..at + DIGEST_LEN) {
            place.copy_from_slice(&digest);
        }
    }

    /// What the digest of `packet` should be: the HMAC of everything around it.
    #[expect(clippy::arithmetic_side_effects, reason = "a digest lies within the packet")]
    fn digest(self, packet: &Packet, key: &Key) -> Digest {
        let at = self.position(packet);
        hmac(
            key.open(),
            &[
                packet.get(..at).unwrap_or_default(),
                packet.get(at + DIGEST_LEN..).unwrap_or_default(),
            ],
        )
    }

    /// Where the digest of `packet` begins: the first four bytes of its block, added up, say how far behind them.
    #[expect(clippy::arithmetic_side_effects, reason = "at most 772 + 4 + 727")]
    fn position(self, packet: &Packet) -> usize {
        let block = match self {
            Schema::KeyFirst => 772,
            Schema::DigestFirst => 8,
        };
        let offset = packet
            .iter()
            .skip(block)
            .take(4)
            .copied()
            .map(usize::from)
            .sum::<usize>();
        block + 4 + offset % 728
    }
}

/// The digest of `packet` and the schema that it was found in; `None` if it has no valid one.
#[expect(clippy::arithmetic_side_effects, reason = "a digest lies within the packet")]
pub(super) fn find(packet: &Packet, key: &Key) -> Option<(Schema, Digest)> {
    [Schema::KeyFirst, Schema::DigestFirst].into_iter().find_map(|schema| {
        let at = schema.position(packet);
        let digest = schema.digest(packet, key);
        (packet.get(at..at + DIGEST_LEN)? == digest).then_some((schema, digest))
    })
}

/// S2 or C2: filler that ends in a signature, made with a key that the peer's digest was signed to.
pub(super) fn answer(digest: &Digest, key: &Key, filler: &mut Filler) -> Packet {
    let mut packet = [0; size_of::<Packet>()];
    filler.fill(&mut packet);
    if let Some((filler, signature)) = packet.split_last_chunk_mut() {
        *signature = answer_signature(digest, key, filler);
    }
    packet
}

fn answer_signature(digest: &Digest, key: &Key, filler: &[u8]) -> Digest {
    hmac(&hmac(key.all, &[digest]), &[filler])
}

impl Key {
    fn open(&self) -> &[u8] {
        self.all.get(..self.open_len).unwrap_or_default()
    }
}

fn hmac(key: &[u8], pieces: &[&[u8]]) -> Digest {
    #[expect(clippy::expect_used, reason = "a constant fact, not a peer's bytes")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::handshake::tests::drain;
    use crate::rtmp::handshake::{ClientHandshake, HEAD_LEN, PACKET_LEN, ServerHandshake, VERSION};
    use crate::{Output, rtmp::handshake};
    use alloc::format;
    use alloc::string::String;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Byte i is 7 i + 3, but for the head.
    fn sample(version: [u8; 4]) -> Packet {
        let mut packet = core::array::from_fn(|i| (7 * i + 3).to_le_bytes()[0]);
        packet[..4].fill(0);
        packet[4..8].copy_from_slice(&version);
        packet
    }

    const PLAYER_VERSION: [u8; 4] = [9, 0, 0x7C, 2];

    #[test]
    fn positions() {
        let c1 = sample(PLAYER_VERSION);
        assert_eq!(Schema::KeyFirst.position(&c1), 942);
        assert_eq!(Schema::DigestFirst.position(&c1), 290);
        // 4 * 0xFF = 1020 wraps at 728.
        assert_eq!(Schema::DigestFirst.position(&[0xFF; PACKET_LEN]), 12 + 292);
    }

    #[test]
    fn digests_of_c1_and_s1() {
        let (c1, s1) = (sample(PLAYER_VERSION), sample([1, 2, 3, 4]));
        assert_eq!(
            hex(&Schema::KeyFirst.digest(&c1, &PLAYER_KEY)),
            "e6a7fbdda4aab503b4e693e92d6f18d9d4b89f3ef0e95fffe767a4830aa37109"
        );
        assert_eq!(
            hex(&Schema::DigestFirst.digest(&c1, &PLAYER_KEY)),
            "612af37c38c4a1b74e5737fc4021ded17ed92a9431c19bc665cf421131bad8a6"
        );
        assert_eq!(
            hex(&Schema::KeyFirst.digest(&s1, &SERVER_KEY)),
            "a7bd7e0665936ba214f5d9b2018b6842c9442ec41740551bbbedc6bb7034fcfe"
        );
        assert_eq!(
            hex(&Schema::DigestFirst.digest(&s1, &SERVER_KEY)),
            "b351e70a9bbdec7c8b823abf6f0cc77543c68f2c8b77d2a7f6b45fd5a17196d3"
        );
    }

    #[test]
    fn signatures_of_s2() {
        let c1 = sample(PLAYER_VERSION);
        let filler: [u8; PACKET_LEN - DIGEST_LEN] = core::array::from_fn(|i| (3 * i + 1).to_le_bytes()[0]);
        for (schema, derived_key, signature) in [
            (
                Schema::KeyFirst,
                "62dd38a55a5a4ad037a152b653471347451f16b2d042e9f1d491ab3f920eb23e",
                "0c263adaec4fa45e66fc3222a8c1f0476fe32add25dea0f4918c32565407b290",
            ),
            (
                Schema::DigestFirst,
                "b64b9cb0ff0d9abe14b38c4638d3af7b13e7e857b3c2af49eb5449fde909256e",
                "f3871efdeef774e077d7b0e03908bc1dc857a16465daffde0c6c8a55ebfff6e2",
            ),
        ] {
            let digest = schema.digest(&c1, &PLAYER_KEY);
            assert_eq!(hex(&hmac(SERVER_KEY.all, &[&digest])), derived_key);
            assert_eq!(hex(&answer_signature(&digest, &SERVER_KEY, &filler)), signature);
        }
    }

    #[test]
    fn a_signed_packet_is_found_in_its_schema_with_its_key_only() {
        for schema in [Schema::KeyFirst, Schema::DigestFirst] {
            let mut c1 = sample(PLAYER_VERSION);
            assert_eq!(find(&c1, &PLAYER_KEY), None);
            schema.sign(&mut c1, &PLAYER_KEY);
            assert_eq!(find(&c1, &PLAYER_KEY), Some((schema, schema.digest(&c1, &PLAYER_KEY))));
            assert_eq!(find(&c1, &SERVER_KEY), None);
            c1[100] ^= 1;
            assert_eq!(find(&c1, &PLAYER_KEY), None);
        }
    }

    fn is_answer_to(digest: &Digest, key: &Key, packet: &[u8]) -> bool {
        let (filler, signature) = packet.split_last_chunk().unwrap();
        answer_signature(digest, key, filler) == *signature
    }

    #[test]
    fn server_answers_a_digest_in_its_schema() {
        // All that ffmpeg checks as a player.
        for schema in [Schema::KeyFirst, Schema::DigestFirst] {
            let mut c1 = sample(PLAYER_VERSION);
            schema.sign(&mut c1, &PLAYER_KEY);
            let (mut server, mut output) = (ServerHandshake::new(7), Output::new());
            let request = [&[VERSION][..], &c1].concat();
            assert_eq!(server.handle_input(&mut &request[..], &mut output), Ok(false));
            let answer = drain(&mut output);
            let (s1, s2) = answer[1..].split_first_chunk::<PACKET_LEN>().unwrap();
            assert!(s1[4] >= 3, "says that it has a digest");
            assert_eq!(find(s1, &SERVER_KEY).unwrap().0, schema);
            assert!(is_answer_to(&schema.digest(&c1, &PLAYER_KEY), &SERVER_KEY, s2));
        }
    }

    #[test]
    fn client_signs_and_answers_a_digest() {
        let (mut client, mut output) = (ClientHandshake::with_digest(7), Output::new());
        client.start(&mut output);
        let request = drain(&mut output);
        assert!(find(request[1..].first_chunk().unwrap(), &PLAYER_KEY).is_some());
        let mut s1 = sample([4, 5, 0, 1]);
        Schema::DigestFirst.sign(&mut s1, &SERVER_KEY);
        let reply = [&[VERSION][..], &s1].concat();
        assert_eq!(client.handle_input(&mut &reply[..], &mut output), Ok(false));
        let digest = Schema::DigestFirst.digest(&s1, &SERVER_KEY);
        assert!(is_answer_to(&digest, &PLAYER_KEY, &drain(&mut output)));
    }

    #[test]
    fn client_that_signed_echoes_a_server_that_did_not() {
        let (mut client, mut output) = (ClientHandshake::with_digest(7), Output::new());
        let s1 = handshake::packet([0; HEAD_LEN], &mut Filler(3));
        let reply = [&[VERSION][..], &s1].concat();
        assert_eq!(client.handle_input(&mut &reply[..], &mut output), Ok(false));
        assert_eq!(drain(&mut output), s1);
    }
}

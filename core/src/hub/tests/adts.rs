//! Sound that encoders frame as ADTS.

use super::*;
use crate::media::adts::tests::adts;

impl Stage {
    pub(super) fn push_adts(&mut self, millis: u32, body: &[u8]) {
        self.now = self.now.max(Time::from_millis(1_000 + u64::from(millis)));
        let now = self.now;
        let payload = [b"\xAF\x01", body].concat().into();
        self.channel()
            .push(now, Frame::audio(Timestamp::from_millis(millis), payload));
    }

    /// The payloads and times of the sound that a player gets.
    fn sounds(&mut self, id: SubscriberId) -> Vec<(u32, Vec<u8>)> {
        let mut sounds = Vec::new();
        while let Next::Frame(FrameAt { frame, timestamp }) = self.channel().next(id) {
            if frame.kind == FrameKind::Audio {
                sounds.push((timestamp.as_millis(), frame.payload.to_vec()));
            }
        }
        sounds
    }
}

fn raw(millis: u32, byte: u8) -> (u32, Vec<u8>) {
    (millis, vec![0xAF, 1, byte])
}

fn header(millis: u32) -> (u32, Vec<u8>) {
    (millis, vec![0xAF, 0, 0x12, 0x10])
}

#[test]
fn adts_without_a_header_is_heard_by_all() {
    let mut stage = Stage::new(|_| {});
    let early = stage.join();
    stage.push_adts(0, &adts(&[1]));
    stage.push_adts(23, &[adts(&[2]), adts(&[3])].concat());
    let expected = [header(0), raw(0, 1), raw(23, 2), raw(46, 3)];
    assert_eq!(stage.sounds(early), expected);
    let late = stage.join();
    stage.push_adts(70, &adts(&[4]));
    assert_eq!(stage.sounds(late), [header(0), raw(0, 4)]);
    assert_eq!(stage.channel().stats().without_header, 0);
}

#[test]
fn adts_with_a_header_of_its_own_keeps_that() {
    let mut stage = Stage::new(|_| {});
    let player = stage.join();
    stage.push("A");
    let own = stage.sounds(player);
    stage.push_adts(0, &adts(&[1]));
    assert_eq!((own.len(), stage.sounds(player)), (1, vec![raw(0, 1)]));
}

#[test]
fn adts_goes_on_in_another_channel() {
    let mut stage = Stage::new(|_| {});
    stage.push_adts(0, &adts(&[1]));
    let (position, headers) = (
        stage.channel().position(),
        stage.channel().headers().cloned().collect::<Vec<_>>(),
    );
    let mut replica = Stage::new(|_| {});
    let now = replica.now;
    replica.channel().begin_at(now, position);
    replica.channel().push_burst(now, headers, |frame| frame);
    let player = replica.join();
    let mut other = adts(&[2]);
    other[2] = 0x4C; // 48,000 Hz
    replica.push_adts(23, &adts(&[1]));
    assert_eq!(replica.sounds(player), [header(0), raw(0, 1)]);
    replica.push_adts(46, &other);
    assert_eq!(replica.sounds(player), [(0, vec![0xAF, 0, 0x11, 0x90]), raw(23, 2)]);
}

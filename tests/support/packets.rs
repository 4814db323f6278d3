//! What a player received, as ffmpeg sees it.

use std::collections::BTreeMap;

/// The packets of each kind of a clip or a recording, from ffmpeg's `framemd5` format.
#[derive(Debug, Default)]
pub struct Packets {
    pub tracks: BTreeMap<String, Track>,
}

/// The packets of one kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// The hash of the codec configuration.
    pub configuration: String,
    pub packets: Vec<Packet>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Decoding time in milliseconds.
    pub dts: i64,
    /// From decoding to presentation, in milliseconds.
    pub composition_time: i64,
    /// Size and hash of what is in it.
    pub content: (u64, String),
}

impl Packets {
    pub fn parse(framemd5: &str) -> Self {
        let mut kinds = BTreeMap::new();
        let mut configurations = BTreeMap::new();
        let mut packets = Packets::default();
        for line in framemd5.lines() {
            if let Some(rest) = line.strip_prefix("#media_type ") {
                let (index, kind) = rest.split_once(": ").expect("index: kind");
                kinds.insert(index.to_owned(), kind.to_owned());
                packets.tracks.entry(kind.to_owned()).or_default().configuration =
                    configurations.get(index).cloned().unwrap_or_default();
            } else if let Some(rest) = line.strip_prefix("#extradata ") {
                let (index, configuration) = rest.split_once(',').expect("index, size, hash");
                configurations.insert(index.to_owned(), configuration.trim().to_owned());
            } else if let Some(rest) = line.strip_prefix("#tb ") {
                assert!(rest.ends_with(" 1/1000"), "not in milliseconds: {line}");
            } else if !line.starts_with('#') {
                let fields: Vec<_> = line.split(',').map(str::trim).collect();
                let [index, dts, pts, _, size, hash] = fields[..] else {
                    panic!("not a packet: {line}")
                };
                let dts = dts.parse().expect("a number");
                let track = packets.tracks.get_mut(&kinds[index]).expect("the header comes first");
                track.packets.push(Packet {
                    dts,
                    composition_time: pts.parse::<i64>().expect("a number") - dts,
                    content: (size.parse().expect("a number"), hash.to_owned()),
                });
            }
        }
        packets
    }

    pub fn video(&self) -> &[Packet] {
        &self.tracks["video"].packets
    }

    /// Asserts that `self` has every packet of `published`, in order, on one time line that starts at 0.
    #[track_caller]
    pub fn assert_same(&self, published: &Packets, what: &str) {
        assert_eq!(self.counts(), published.counts(), "{what}: packets per track");
        assert_eq!(self.first_dts(), 0, "{what}: first dts");
        let shift = published.first_dts();
        for (kind, track) in &published.tracks {
            let received = &self.tracks[kind];
            assert_eq!(
                received.configuration, track.configuration,
                "{what}: {kind} configuration"
            );
            for (index, (received, packet)) in received.packets.iter().zip(&track.packets).enumerate() {
                let expected = Packet {
                    dts: packet.dts - shift,
                    ..packet.clone()
                };
                assert_eq!(*received, expected, "{what}: {kind} packet {index}");
            }
        }
    }

    /// Asserts that each track of `self` is the end of that of `published`, and returns with which packet of the video
    /// it begins.
    #[track_caller]
    pub fn assert_end_of(&self, published: &Packets, what: &str) -> usize {
        for (kind, track) in &published.tracks {
            let received = &self.tracks[kind];
            assert_eq!(
                received.configuration, track.configuration,
                "{what}: {kind} configuration"
            );
            let missed = track.packets.len() - received.packets.len();
            let contents = |packets: &[Packet]| packets.iter().map(|packet| packet.content.clone()).collect::<Vec<_>>();
            assert!(
                contents(&received.packets) == contents(&track.packets[missed..]),
                "{what}: the {} packets of {kind} are not the last {0} published",
                received.packets.len()
            );
        }
        published.video().len() - self.video().len()
    }

    /// Asserts that times never go back within a track.
    #[track_caller]
    pub fn assert_monotonic(&self, what: &str) {
        for (kind, track) in &self.tracks {
            for pair in track.packets.windows(2) {
                assert!(
                    pair[0].dts <= pair[1].dts,
                    "{what}: {kind} goes back from {} to {}",
                    pair[0].dts,
                    pair[1].dts
                );
            }
        }
    }

    fn counts(&self) -> BTreeMap<&str, usize> {
        self.tracks
            .iter()
            .map(|(kind, track)| (kind.as_str(), track.packets.len()))
            .collect()
    }

    fn first_dts(&self) -> i64 {
        self.tracks
            .values()
            .filter_map(|track| Some(track.packets.first()?.dts))
            .min()
            .expect("at least one packet")
    }
}

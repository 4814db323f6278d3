//! The file header. FLV 10.1 §E.2.

use super::FlvError;

/// What the nine bytes at the front of an FLV file or stream say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// The kinds of tag to expect. A hint: encoders get it wrong.
    pub flags: TagFlags,
    /// Bytes from the start of the header to the first previous tag size: 9, or more if fields were ever added.
    pub data_offset: u32,
}

/// The kinds of tag that a file header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "server", derive(serde::Serialize, serde::Deserialize))]
pub struct TagFlags {
    /// TypeFlagsAudio.
    pub audio: bool,
    /// TypeFlagsVideo.
    pub video: bool,
}

impl FileHeader {
    /// Bytes of a file header.
    pub const LEN: usize = 9;

    /// Reads a header.
    ///
    /// # Errors
    /// [`FlvError::BadSignature`], [`FlvError::UnsupportedVersion`] or [`FlvError::HeaderTooShort`].
    pub fn parse(bytes: &[u8; Self::LEN]) -> Result<FileHeader, FlvError> {
        let [f, l, v, version, flags, data_offset @ ..] = *bytes;
        if [f, l, v] != *b"FLV" {
            return Err(FlvError::BadSignature { found: [f, l, v] });
        }
        if version != 1 {
            return Err(FlvError::UnsupportedVersion { version });
        }
        let data_offset = u32::from_be_bytes(data_offset);
        if data_offset < DATA_OFFSET {
            return Err(FlvError::HeaderTooShort { len: data_offset });
        }
        Ok(FileHeader {
            flags: TagFlags {
                audio: flags & AUDIO != 0,
                video: flags & VIDEO != 0,
            },
            data_offset,
        })
    }

    /// The header's bytes.
    #[must_use]
    pub fn write(self) -> [u8; Self::LEN] {
        let audio = if self.flags.audio { AUDIO } else { 0 };
        let video = if self.flags.video { VIDEO } else { 0 };
        let [a, b, c, d] = self.data_offset.to_be_bytes();
        let [f, l, v, version] = SIGNATURE;
        [f, l, v, version, audio | video, a, b, c, d]
    }
}

impl From<TagFlags> for FileHeader {
    fn from(flags: TagFlags) -> FileHeader {
        FileHeader {
            flags,
            data_offset: DATA_OFFSET,
        }
    }
}

/// Signature and version.
pub(super) const SIGNATURE: [u8; 4] = *b"FLV\x01";

/// The least data offset: nothing but the header in front of it.
pub(super) const DATA_OFFSET: u32 = 9;

const AUDIO: u8 = 0x04;
const VIDEO: u8 = 0x01;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for (audio, video, byte) in [(false, false, 0), (true, false, 4), (false, true, 1), (true, true, 5)] {
            let header = FileHeader::from(TagFlags { audio, video });
            let bytes = header.write();
            assert_eq!(bytes, [0x46, 0x4C, 0x56, 0x01, byte, 0, 0, 0, 9]);
            assert_eq!(FileHeader::parse(&bytes), Ok(header));
        }
    }

    #[test]
    fn refuses_what_is_no_flv_header() {
        let parse = FileHeader::parse;
        assert_eq!(parse(b"GET / HTT"), Err(FlvError::BadSignature { found: *b"GET" }));
        assert_eq!(
            parse(b"FLV\x02\x05\0\0\0\x09"),
            Err(FlvError::UnsupportedVersion { version: 2 })
        );
        assert_eq!(
            parse(b"FLV\x01\x05\0\0\0\x08"),
            Err(FlvError::HeaderTooShort { len: 8 })
        );
    }
}

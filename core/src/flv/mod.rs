//! FLV files and streams: header, tags, reader, writer. FLV 10.1 Annex E.

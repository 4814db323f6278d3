//! AMF0 and AMF3 values.

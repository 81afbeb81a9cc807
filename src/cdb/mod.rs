//! The cdb file format (cr.yp.to/cdb): a constant database of keys and data, read with `pread`, written once and renamed.

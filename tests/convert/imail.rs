//! Ipswitch IMail, rows I-01 to I-18.

//! The accounts of IndiMail and vpopmail: which domain is which, who has a mailbox.

pub mod assign;

//! Sun Messaging Server, rows S-01 to S-19.

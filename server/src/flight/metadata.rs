//! The results of Flight SQL's metadata commands: one schema and one batch for each, exactly as the protocol writes them down.


//! Text in, text out: the files and lines that programs read their ports from.

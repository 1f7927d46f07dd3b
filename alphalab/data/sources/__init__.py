"""Sources of market data: files, frames and exchanges, each read by an explicit mapping."""

"""What the benchmarks that set Opal beside others share: a process for each side, and its memory."""

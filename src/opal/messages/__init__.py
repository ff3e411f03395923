"""What travels between processes: queue messages and the scoring contract. No I/O."""

"""What `benchmarks/cutout.py` is made of: cases, makers in processes of their own, measures, report."""
